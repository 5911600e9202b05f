import { resolve } from 'node:path'
import { ConfigError } from '../errors.js'
import { type Interpolated, interpolate } from './interpolate.js'
import { expandHome } from './paths.js'
import type { SecretInput } from './schema-parts.js'
import { Secret } from './secret.js'
import { runSecretCommand } from './secret-command.js'
import { readSecretFile } from './secret-file.js'
import { checkSecretText, type SecretKind } from './secret-text.js'

const COMMAND_TIMEOUT_MS = 30_000
/** Keys, passphrases and addresses are short. */
export const MAX_SECRET_BYTES = 65_536

/** Variables that hold kfbackup's own secrets or those of the storage SDKs. */
const KNOWN_SECRET_VARIABLES = [
  'KISSFLOW_ACCESS_KEY_ID',
  'KISSFLOW_ACCESS_KEY_SECRET',
  'KFBACKUP_PASSPHRASE',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
]

export interface SecretContext {
  env: NodeJS.ProcessEnv
  /** Folder of the config file. */
  baseDir: string
  /** Variables other secrets come from. */
  secretVariables: ReadonlySet<string>
  /** Key names whose value came from the environment or a flag and stands as it is. */
  origins: ReadonlyMap<string, string>
  commandTimeoutMs?: number | undefined
  /** Asks a person for a new backup's passphrase where none is set. */
  askPassphrase?: ((signal: AbortSignal) => Promise<string>) | undefined
}

/** A secret whose text is `text`, checked at once. */
export function literalSecret(key: string, kind: SecretKind, text: string, origin: string): Secret {
  const checked = checkSecretText(kind, text)
  if ('problem' in checked) return new Secret({ key, origin, problem: badSecret(key, origin, checked.problem), read: neverRead })
  return new Secret({ key, origin, read: async () => checked.text })
}

/** A secret that is nowhere; reading it throws `message`. */
export function missingSecret(key: string, message: string, hint: string): Secret {
  const problem = new ConfigError(`${key}: ${message}`, { code: 'E_CONFIG_UNSET', hint })
  return new Secret({ key, origin: 'not set', problem, read: neverRead })
}

/** A new passphrase that a person types when it is needed. */
export function askedPassphrase(key: string, ask: (signal: AbortSignal) => Promise<string>): Secret {
  const origin = 'typed'
  return new Secret({ key, origin, read: async (signal) => settled(key, 'new passphrase', origin, await ask(signal)) })
}

/** The secret a config value stands for. Nothing is read or run before its text is asked for. */
export function secretFrom(key: string, kind: SecretKind, input: SecretInput, context: SecretContext): Secret {
  const { env, baseDir, origins } = context
  const origin = origins.get(key)
  // What comes from outside the file stands as it is.
  const isOutside = origin !== undefined && !origin.startsWith('file')
  const replaceIn = (text: string): Interpolated => (isOutside ? { text, names: [], unset: [], malformed: false } : interpolate(text, env))
  if (typeof input === 'string') {
    const { text, unset } = replaceIn(input)
    return unsetIn(key, [unset]) ?? literalSecret(key, kind, text, origin ?? 'file')
  }
  if ('file' in input) {
    const { text, unset } = replaceIn(input.file)
    const path = resolve(baseDir, expandHome(text, env))
    return unsetIn(key, [unset]) ?? readSecret(key, kind, origin ?? `file ${path}`, () => readSecretFile(path, key, MAX_SECRET_BYTES))
  }
  const parts = input.command.map((word) => interpolate(word, env))
  const argv = parts.map((part) => part.text)
  const options = {
    key,
    cwd: baseDir,
    env: withoutSecrets(env, context.secretVariables),
    timeoutMs: context.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
    maxBytes: MAX_SECRET_BYTES,
  }
  const secret = readSecret(key, kind, `command ${argv[0]}`, (signal) => runSecretCommand(argv, options, signal))
  return (
    unsetIn(
      key,
      parts.map((part) => part.unset),
    ) ?? secret
  )
}

/**
 * A passphrase as a new one, under the rule, and as an old one, for reading. What a file or command gives is read once for both: a pipe
 * gives it only once.
 */
export function passphraseFrom(key: string, input: SecretInput, context: SecretContext): { strict: Secret; lenient: Secret } {
  const lenient = secretFrom(key, 'old passphrase', input, context)
  if (typeof input === 'string') return { strict: secretFrom(key, 'new passphrase', input, context), lenient }
  if (lenient.problem !== undefined) return { strict: lenient, lenient }
  const { origin } = lenient
  const read = async (signal: AbortSignal): Promise<string> => settled(key, 'new passphrase', origin, await lenient.resolve(signal))
  return { strict: new Secret({ key, origin, read }), lenient }
}

function unsetIn(key: string, unset: string[][]): Secret | undefined {
  const names = [...new Set(unset.flat())]
  if (names.length === 0) return undefined
  return missingSecret(key, `the environment variable ${names.join(' and ')} is not set.`, `Set ${names.join(' and ')}, or change ${key}.`)
}

/** A secret read on demand; one line end is taken off, the rest is checked. */
export function readSecret(key: string, kind: SecretKind, origin: string, read: (signal: AbortSignal) => Promise<Buffer>): Secret {
  return new Secret({ key, origin, read: async (signal) => settled(key, kind, origin, decode(key, origin, await read(signal))) })
}

function settled(key: string, kind: SecretKind, origin: string, text: string): string {
  const checked = checkSecretText(kind, text)
  if ('problem' in checked) throw badSecret(key, origin, checked.problem)
  return checked.text
}

/** One line end belongs to the file, not to the secret (details.md 21). */
function decode(key: string, origin: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '')
  } catch {
    throw badSecret(key, origin, 'is not valid UTF-8')
  }
}

function badSecret(key: string, origin: string, problem: string): ConfigError {
  return new ConfigError(`${key} (${origin}) ${problem}.`, { hint: `Mend the value of ${key}.` })
}

function withoutSecrets(env: NodeJS.ProcessEnv, variables: ReadonlySet<string>): NodeJS.ProcessEnv {
  const hidden = new Set([...KNOWN_SECRET_VARIABLES, ...variables])
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hidden.has(name)))
}

async function neverRead(): Promise<string> {
  throw new ConfigError('This secret cannot be read.')
}
