import { isObject } from '../util/is-object.js'
import type { LoadedConfig } from './load.js'
import { SECTIONS } from './schema.js'
import { type KeyPath, keyName } from './schema-parts.js'
import { MASK } from './secret.js'
import { isSecretPath } from './secret-paths.js'
import type { Section } from './types.js'

/** One value of the merged configuration; a secret's value is the mask, and null stands for what an unset variable leaves open. */
export interface ConfigValue {
  key: string
  value: unknown
  /** `default`, `file`, `env NAME`, `flag --name`, or several: `file, env NAME`. */
  origin: string
}

/** Every value of the configuration as a file would say it, with where it comes from (`config show`). Nothing secret is read. */
export function listValues(loaded: Pick<LoadedConfig, 'merged' | 'settings' | 'unset'>): ConfigValue[] {
  const { merged, settings } = loaded
  const unset = new Map(loaded.unset.map(({ path, name }) => [keyName(path), name]))
  const written = writtenKeys(merged.tree)

  const list = (value: unknown, path: KeyPath): ConfigValue[] => {
    const key = keyName(path)
    if (value === undefined) return []
    if (isSecretPath(path)) return [{ key, value: MASK, origin: secretOrigin(value, merged.origins.get(key)) }]
    const missing = unset.get(key)
    if (missing !== undefined) return [{ key, value: null, origin: `file, env ${missing} (not set)` }]
    if (isObject(value) && Object.keys(value).length > 0)
      return Object.entries(value).flatMap(([name, item]) => list(item, [...path, name]))
    if (Array.isArray(value) && value.some((item, index) => isObject(item) || isSecretPath([...path, index]))) {
      return value.flatMap((item, index) => list(item, [...path, index]))
    }
    return [{ key, value, origin: merged.origins.get(key) ?? inList(merged.origins, key) ?? (written.has(key) ? 'file' : 'default') }]
  }
  // A section with an open variable has no settings; what the file says of it is shown as it stands.
  return (Object.keys(SECTIONS) as Section[]).flatMap((name) => list(settings[name] ?? merged.tree[name], [name]))
}

/** The origin of a list of plain values, one of which came from elsewhere. */
function inList(origins: ReadonlyMap<string, string>, key: string): string | undefined {
  for (const [name, origin] of origins) if (name.startsWith(`${key}[`)) return origin
  return undefined
}

function secretOrigin(input: unknown, known: string | undefined): string {
  if (known !== undefined) return known
  if (isObject(input) && 'file' in input) return `file ${String(input.file)}`
  if (isObject(input) && Array.isArray(input.command)) return `command ${String(input.command[0])}`
  return 'file'
}

function writtenKeys(tree: unknown, path: KeyPath = [], keys = new Set<string>()): Set<string> {
  if (tree !== undefined && path.length > 0) keys.add(keyName(path))
  if (typeof tree !== 'object' || tree === null) return keys
  const entries: [string | number, unknown][] = Array.isArray(tree) ? tree.map((item, index) => [index, item]) : Object.entries(tree)
  for (const [key, item] of entries) writtenKeys(item, [...path, key], keys)
  return keys
}
