import { isObject } from '../util/is-object.js'
import { interpolate, MALFORMED } from './interpolate.js'
import { type KeyPath, keyName } from './schema-parts.js'
import { isSecretPath } from './secret-paths.js'

/** A value from outside the file, put over it. */
export interface Override {
  path: KeyPath
  value: unknown
  /** `env KISSFLOW_SUBDOMAIN`, `flag --zip-size`. */
  origin: string
}

const ENVIRONMENT: Record<string, KeyPath> = {
  KISSFLOW_SUBDOMAIN: ['account', 'subdomain'],
  KISSFLOW_BASE_URL: ['account', 'baseUrl'],
  KISSFLOW_ACCOUNT_ID: ['account', 'accountId'],
  KISSFLOW_ACCESS_KEY_ID: ['account', 'accessKeyId'],
  KISSFLOW_ACCESS_KEY_SECRET: ['account', 'accessKeySecret'],
}

/** What the environment says; an empty variable says nothing. */
export function environmentOverrides(env: NodeJS.ProcessEnv): Override[] {
  return Object.entries(ENVIRONMENT).flatMap(([name, path]) => {
    const value = env[name]
    return value === undefined || value === '' ? [] : [{ path, value, origin: `env ${name}` }]
  })
}

export interface UnsetVariable {
  path: KeyPath
  name: string
}

export interface Merged {
  /** The file with its references replaced and the overrides over it; secrets stand in it as the file has them. */
  tree: Record<string, unknown>
  /** By key name, where a value comes from when it is not simply written in the file. */
  origins: Map<string, string>
  /** Variables that values other than secrets need. */
  unset: UnsetVariable[]
  /** Variables that secrets are taken from: no other program gets to see them. */
  secretVariables: Set<string>
  problems: { path: KeyPath; text: string }[]
}

/** Puts file, environment and flags together; the later of `overrides` wins. */
export function merge(file: Record<string, unknown>, overrides: readonly Override[], env: NodeJS.ProcessEnv): Merged {
  const merged: Merged = { tree: {}, origins: new Map(), unset: [], secretVariables: new Set(), problems: [] }
  const shadowed = new Set(overrides.map(({ path }) => keyName(path)))

  function fromFile(value: unknown, path: KeyPath, secret: boolean): unknown {
    const name = keyName(path)
    const isSecret = isSecretPath(path)
    // Not those in the name of a file or a command: HOME is no secret.
    if (isSecret && typeof value === 'string') for (const variable of interpolate(value, env).names) merged.secretVariables.add(variable)
    // What is replaced anyway need not be set.
    if (shadowed.has(name)) return undefined
    const inSecret = secret || isSecret
    if (Array.isArray(value)) return value.map((item, index) => fromFile(item, [...path, index], inSecret))
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromFile(item, [...path, key], inSecret)]))
    }
    if (typeof value !== 'string' || !value.includes('${')) return value
    const found = interpolate(value, env)
    if (found.malformed) merged.problems.push({ path, text: MALFORMED })
    if (found.names.length > 0) merged.origins.set(name, `file, ${found.names.map((variable) => `env ${variable}`).join(', ')}`)
    if (inSecret) return value
    for (const variable of found.unset) merged.unset.push({ path, name: variable })
    return found.text
  }

  merged.tree = fromFile(file, [], false) as Record<string, unknown>
  // A subdomain from the environment is meant to win over a base URL in the file, which would otherwise replace it.
  const account = merged.tree.account
  if (shadowed.has('account.subdomain') && !shadowed.has('account.baseUrl') && isObject(account)) {
    delete account.baseUrl
    merged.unset = merged.unset.filter(({ path }) => keyName(path) !== 'account.baseUrl')
  }
  for (const { path, value, origin } of overrides) put(merged, path, value, origin)
  return merged
}

/** Sets one value in a merged tree, and where it comes from. */
export function put(merged: Merged, path: KeyPath, value: unknown, origin: string): void {
  let node: Record<string, unknown> = merged.tree
  for (const part of path.slice(0, -1)) {
    const next = node[part]
    // A section that is no object is reported by the schema; an override does not hide that.
    if (next !== undefined && !isObject(next)) return
    const child = next ?? {}
    node[part] = child
    node = child
  }
  node[path.at(-1) ?? ''] = value
  merged.origins.set(keyName(path), origin)
}
