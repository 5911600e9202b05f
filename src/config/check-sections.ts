import type { z } from 'zod'
import { isObject } from '../util/is-object.js'
import type { Merged } from './origins.js'
import { type Problem, problemsOf, wording } from './problems.js'
import { SECTIONS, type Settings } from './schema.js'
import { type KeyPath, keyName, unknownKey } from './schema-parts.js'
import type { Section } from './types.js'

export interface CheckedSections {
  /** Defaults filled in; a section is absent when it is wrong or a variable it needs is not set. */
  settings: Partial<Settings>
  problems: Problem[]
}

/** Holds the merged tree against the schema, section by section. */
export function checkSections(merged: Merged): CheckedSections {
  const { tree, unset } = merged
  const settings: Record<string, unknown> = {}
  const problems: Problem[] = [...merged.problems]
  const names = Object.keys(SECTIONS) as Section[]
  for (const key of Object.keys(tree)) {
    if (key !== '$schema' && !Object.hasOwn(SECTIONS, key)) problems.push({ path: [key], text: unknownKey(key, names) })
  }
  for (const name of names) {
    if (unset.some(({ path }) => path[0] === name)) continue
    const result = parse(SECTIONS[name], tree[name], [name], merged.origins)
    if (result.success) settings[name] = result.data
    else problems.push(...problemsOf([name], result.error.issues))
  }
  return { settings: settings as Partial<Settings>, problems }
}

/** A variable can only hold text: where the schema wants a number or boolean, that is made of it (details.md 19), and the section read again. */
function parse(schema: z.ZodType, value: unknown, path: KeyPath, origins: Merged['origins']): z.ZodSafeParseResult<unknown> {
  const first = schema.safeParse(value, { error: wording })
  if (first.success) return first
  let converted = value
  for (const issue of first.error.issues) {
    const at = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
    if (at.length > 0 && origins.has(keyName([...path, ...at]))) converted = convertAt(converted, at)
  }
  return converted === value ? first : schema.safeParse(converted, { error: wording })
}

function convertAt(node: unknown, path: KeyPath): unknown {
  const [head, ...rest] = path
  if (head === undefined) return scalar(node)
  if (Array.isArray(node)) return node.map((item, index) => (index === head ? convertAt(item, rest) : item))
  if (!isObject(node) || !Object.hasOwn(node, head)) return node
  return { ...node, [head]: convertAt(node[head], rest) }
}

function scalar(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const text = value.trim()
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : value
}
