import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadConfigIfAny } from '../config/load.js'
import { environmentPassphrases } from '../config/passphrase-overlay.js'
import type { ReadingKeys } from '../config/types.js'
import type { BackupSecrets } from '../crypto/plain-part.js'
import { ConfigError } from '../errors.js'
import { createPrompts } from '../ui/prompts.js'
import { canAsk } from './ask-passphrase.js'
import type { CommandContext } from './command-context.js'

export interface KeyOptions {
  /** Formats that need a key; secrets of the others are not touched. */
  formats: ReadonlySet<'openssl' | 'age'>
  /** An age identity file named on the command line. */
  identity?: string | undefined
  /** Nothing can be done without a key: asks a person at a terminal when there is no passphrase, and says why a configured one cannot be had. */
  required: boolean
}

/** What may open a backup: the environment's passphrase, the config's, the old ones, the age identity file; without any, a question. */
export async function readingKeys(context: CommandContext, { formats, identity, required }: KeyOptions): Promise<BackupSecrets> {
  if (formats.size === 0) return { passphrases: [], identities: [] }
  const { flags, env, cwd, signal } = context
  const loaded = await loadConfigIfAny({ flags, env, cwd, purpose: 'read' })
  const reading: ReadingKeys = loaded?.config.encryption.reading ?? { passphrases: environmentPassphrases(env, cwd) }
  const passphrases: string[] = []
  if (formats.has('openssl')) {
    for (const secret of reading.passphrases) if (secret.problem === undefined) passphrases.push(await secret.resolve(signal))
    const terminal = canAsk(context)
    const problem = reading.passphrases[0]?.problem
    if (passphrases.length === 0 && required && !terminal && problem !== undefined) throw problem
    if (passphrases.length === 0 && required && terminal) {
      passphrases.push(
        await createPrompts(context, signal).password({ message: 'Passphrase of the backup', flag: 'KFBACKUP_PASSPHRASE_FILE' }),
      )
    }
  }
  return { passphrases, identities: formats.has('age') ? await identitiesOf(reading, { identity, cwd }) : [] }
}

async function identitiesOf(reading: ReadingKeys, { identity, cwd }: { identity: string | undefined; cwd: string }): Promise<string[]> {
  const file = identity === undefined ? reading.identity : resolve(cwd, identity)
  if (file === undefined) return []
  const { parseAgeIdentities } = await import('../crypto/age-part.js')
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`The age identity file ${file} cannot be read.`, {
      cause: error,
      hint: 'Name it in encryption.identity or with --identity.',
    })
  }
  return parseAgeIdentities(text)
}
