import type { z } from 'zod'
import { ConfigError } from '../errors.js'
import { isObject } from '../util/is-object.js'
import { nearest } from '../util/nearest.js'
import { type KeyPath, keyName } from './schema-parts.js'
import { STORAGE_MODES } from './schema-storage.js'

/** One thing wrong with the configuration: where, and what to do about it. Never holds a value, which might be a secret. */
export interface Problem {
  path: KeyPath
  text: string
}

export type Report = (path: KeyPath, text: string) => void

const KINDS: Record<string, string> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
}

/** Messages of zod in kfbackup's words, where the schema has none of its own. */
export function wording(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing'
      return `must be ${KINDS[issue.expected] ?? `a ${issue.expected}`}${issue.expected === 'string' && typeof issue.input === 'number' ? '; put it in quotes' : ''}`
    case 'invalid_value': {
      const near = typeof issue.input === 'string' ? nearest(issue.input, issue.values.map(String)) : undefined
      const missing = issue.input === undefined ? 'is missing; it' : ''
      return `${missing} must be ${oneOf(issue.values.map(String))}${near === undefined ? '' : `; did you mean "${near}"?`}`.trim()
    }
    case 'invalid_union': {
      const modes = Object.keys(STORAGE_MODES)
      const mode = issue.discriminator === 'mode' && isObject(issue.input) ? issue.input.mode : undefined
      const near = typeof mode === 'string' ? nearest(mode, modes) : undefined
      return `${mode === undefined ? 'is missing; it ' : ''}must be ${oneOf(modes)}${near === undefined ? '' : `; did you mean "${near}"?`}`
    }
    default:
      return undefined
  }
}

function oneOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

/** zod's issues below `path` as problems, one for each unknown key. */
export function problemsOf(path: KeyPath, issues: readonly z.core.$ZodIssue[]): Problem[] {
  return issues.flatMap((issue) => {
    const at = [...path, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
    if (issue.code !== 'unrecognized_keys') return [{ path: at, text: issue.message }]
    const texts = issue.message.split('\n')
    return issue.keys.map((key, index) => ({ path: [...at, key], text: texts[index] ?? 'unknown key' }))
  })
}

export interface ProblemPlaces {
  file: string
  lines: ReadonlyMap<string, number>
  origins: ReadonlyMap<string, string>
}

/** One error for all problems, a line for each. */
export function configErrorOf(problems: readonly string[], code: string, hint?: string): ConfigError {
  const lines = [...new Set(problems)]
  const head = lines.length > 1 ? `${lines.length} problems in the configuration:\n` : ''
  return new ConfigError(`${head}${lines.join('\n')}`, {
    code,
    hint:
      hint ??
      (code === 'E_CONFIG'
        ? 'kfbackup help config tells what each key takes.'
        : 'kfbackup config show lists every value and where it comes from.'),
  })
}

/** A problem as one line: the file and line it stands on, or where else the value comes from. */
export function describe({ path, text }: Problem, { file, lines, origins }: ProblemPlaces): string {
  const name = keyName(path)
  const origin = origins.get(name)
  if (origin !== undefined && !origin.startsWith('file')) return `${name} (from ${origin}): ${text}`
  let line: number | undefined
  // A key that is missing has no line of its own; the object that should hold it has.
  for (let length = path.length; length > 0 && line === undefined; length--) line = lines.get(keyName(path.slice(0, length)))
  return `${file}${line === undefined ? '' : `:${line}`}: ${name === '' ? '' : `${name}: `}${text}`
}
