import { readFileSync, statSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { LoadedConfig } from '../../config/load.js'
import { ConfigError, UsageError } from '../../errors.js'

/** systemd sets it itself for a unit with LoadCredential=. */
const FROM_SYSTEMD = new Set(['CREDENTIALS_DIRECTORY', 'STATE_DIRECTORY'])

/** What proxies, own certificate authorities and the storage SDKs read by themselves. */
const AMBIENT =
  /^(HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS|AWS_(PROFILE|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|REGION|CONFIG_FILE|SHARED_CREDENTIALS_FILE)|GOOGLE_APPLICATION_CREDENTIALS)$/

/** Variables the config takes values from here and now, and that a timer will not have. */
export function variablesUsed({ merged, unset }: Pick<LoadedConfig, 'merged' | 'unset'>, env: NodeJS.ProcessEnv): string[] {
  const fromOrigins = [...merged.origins.values()].flatMap((origin) => [...origin.matchAll(/\benv (\w+)/g)].map((match) => match[1] ?? ''))
  // A reference with a default may stay unset; what is set now is meant to be set then, too.
  const used = [...merged.secretVariables, ...fromOrigins].filter((name) => env[name] !== undefined && env[name] !== '')
  return [...new Set([...used, ...unset.map(({ name }) => name)])].filter((name) => !FROM_SYSTEMD.has(name)).toSorted()
}

/** Names set in a file of `NAME=value` lines. Throws UsageError when it cannot be read. */
function namesIn(path: string): Set<string> {
  try {
    return new Set(Object.keys(parseEnv(readFileSync(path, 'utf8'))))
  } catch (error) {
    throw new UsageError(`${path} cannot be read.`, { cause: error, hint: 'Name a file of NAME=value lines after --env-file.' })
  }
}

/**
 * Throws ConfigError when the timer would lack a variable the config needs: such a schedule fails every night. Returns warnings: what is set here beside the
 * config and will not be then, and a file of secrets that others may read.
 */
export function checkEnvironment(used: readonly string[], envFile: string | undefined, env: NodeJS.ProcessEnv): string[] {
  const known = envFile === undefined ? new Set<string>() : namesIn(envFile)
  const missing = used.filter((name) => !known.has(name))
  if (missing.length > 0) {
    const where = envFile === undefined ? 'which a timer does not have' : `which ${envFile} does not set`
    throw new ConfigError(`The config takes values from ${missing.join(', ')}, ${where}.`, {
      hint: 'Put them into a file of NAME=value lines (mode 0600) and name it with --env-file, or use {"file": ...} or {"command": [...]} for secrets.',
    })
  }
  const warnings: string[] = []
  const ambient = Object.keys(env).filter((name) => AMBIENT.test(name) && env[name] !== '' && !known.has(name))
  if (ambient.length > 0)
    warnings.push(`${ambient.toSorted().join(', ')} is set here, but not for the timer; --env-file can name a file that sets it.`)
  if (envFile !== undefined && (statSync(envFile).mode & 0o077) !== 0) {
    warnings.push(`${envFile} can be read by other users; "chmod 600" it.`)
  }
  return warnings
}
