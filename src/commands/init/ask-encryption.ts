import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { checkPassphrase, makePassphrase } from '../../config/passphrase.js'
import { readSecretFile } from '../../config/secret-file.js'
import { MAX_SECRET_BYTES } from '../../config/secret-source.js'
import { createAgeEncryption } from '../../crypto/age-encryption.js'
import { BackupError, UsageError } from '../../errors.js'
import { nearest } from '../../util/nearest.js'
import { judgePassphrase } from '../ask-passphrase.js'
import { listOf } from './options.js'
import { answer, orUsual, rememberedText, type Wizard } from './wizard.js'

/** The encryption section; undefined for plain ZIPs. */
export interface EncryptionAnswers {
  section: Record<string, unknown> | undefined
  /** A passphrase to be written to a file the user named, once the config is. */
  passphraseFile?: { file: string; text: string }
  /** What has to be kept elsewhere, said again at the end. */
  reminder: string
}

const FORMATS = ['openssl', 'age', 'none'] as const
type Format = (typeof FORMATS)[number]
const KEEP = 'Without the passphrase nobody opens the backups, ever. Write it down and keep it away from this machine.'

/** How the backups are encrypted, and with what. */
export async function askEncryption(wizard: Wizard): Promise<EncryptionAnswers> {
  const format = await askFormat(wizard)
  if (format === 'none') return { section: undefined, reminder: 'The backups are plain ZIPs: whoever gets one reads it.' }
  if (format === 'age') {
    const recipients = await askRecipients(wizard)
    const reminder = 'The backups open with the age key file of any recipient and with nothing else. Keep it away from this machine.'
    return { section: { format, recipients }, reminder }
  }
  return await askPassphrase(wizard)
}

async function askFormat(wizard: Wizard): Promise<Format> {
  const { options, prompts } = wizard
  const given = options.encryption
  const format = FORMATS.find((known) => known === given)
  if (given !== undefined && format === undefined) {
    const near = nearest(given, FORMATS)
    throw new UsageError(`--encryption ${given} is not known${near === undefined ? '' : `; did you mean ${near}?`}`, {
      hint: `There are ${FORMATS.join(', ')}.`,
    })
  }
  const implied =
    options.passphraseFile !== undefined || options.makePassphrase !== undefined
      ? 'openssl'
      : options.recipient !== undefined
        ? 'age'
        : undefined
  if (format !== undefined && implied !== undefined && format !== implied) {
    throw new UsageError(`--encryption ${format} does not go with ${implied === 'age' ? '--recipient' : 'a passphrase'}.`)
  }
  const known = format ?? implied
  const remembered = FORMATS.find((word) => word === rememberedText(wizard, 'encryption'))
  return await answer(wizard, known, undefined, () =>
    prompts.select<Format>({
      message: 'Encrypt the backups?',
      flag: '--encryption openssl, age or none',
      default: remembered ?? 'openssl',
      choices: [
        { value: 'openssl', name: 'With a passphrase (AES-256, opens with openssl)' },
        { value: 'age', name: 'To public keys (age): this machine then holds nothing that opens them' },
        { value: 'none', name: 'No: plain ZIPs' },
      ],
    }),
  )
}

async function askRecipients(wizard: Wizard): Promise<string[]> {
  const given = listOf(wizard.options.recipient)
  if (given !== undefined) {
    const problem = await recipientProblem(given)
    if (problem !== undefined) throw new UsageError(problem, { hint: 'age-keygen -y prints the public key of a key file.' })
    return given
  }
  wizard.say('A public key begins with age1. "age-keygen -o key.txt", on another machine, makes a pair and prints it.')
  const text = await wizard.prompts.input({
    message: 'Public keys, separated by commas',
    flag: '--recipient',
    validate: async (typed) => (await recipientProblem(listOf([typed]) ?? [])) ?? true,
  })
  return listOf([text]) ?? []
}

async function recipientProblem(recipients: readonly string[]): Promise<string | undefined> {
  try {
    await createAgeEncryption({ recipients })
    return undefined
  } catch (error) {
    if (error instanceof BackupError) return error.message
    throw error
  }
}

async function askPassphrase(wizard: Wizard): Promise<EncryptionAnswers> {
  const { options, context, prompts, say, keeper } = wizard
  const { env, cwd } = context
  const format = 'openssl'
  if (options.passphraseFile !== undefined && options.makePassphrase !== undefined) {
    throw new UsageError('--passphrase-file and --make-passphrase do not go together.')
  }
  if (options.passphraseFile !== undefined) {
    const file = resolve(cwd, options.passphraseFile)
    const text = (await readSecretFile(file, '--passphrase-file', MAX_SECRET_BYTES)).toString('utf8').replace(/\r?\n$/, '')
    const problem = checkPassphrase(text)
    if (problem !== undefined) throw new UsageError(`The passphrase in ${file} ${problem}.`, { hint: RULE })
    return { section: { format, passphrase: { file } }, reminder: KEEP }
  }
  if (options.makePassphrase !== undefined) {
    const file = resolve(cwd, options.makePassphrase)
    // Somebody's backups may open with the one that lies there.
    if (existsSync(file))
      throw new UsageError(`${file} exists; a passphrase in it is not overwritten.`, { hint: 'Name a new file, or use --passphrase-file.' })
    return {
      section: { format, passphrase: { file } },
      passphraseFile: { file, text: makePassphrase() },
      reminder: `The passphrase was made and stands in ${file}. ${KEEP}`,
    }
  }
  const fromEnvironment = env.KFBACKUP_PASSPHRASE
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    const problem = checkPassphrase(fromEnvironment)
    if (problem !== undefined) throw new UsageError(`KFBACKUP_PASSPHRASE ${problem}.`, { hint: RULE })
    const passphrase = options.secrets === 'file' ? keeper.keep('passphrase', fromEnvironment) : `\${KFBACKUP_PASSPHRASE}`
    return { section: { format, passphrase }, reminder: KEEP }
  }
  const made = await prompts.confirm({
    message: 'Make a strong passphrase for you?',
    flag: '--make-passphrase, --passphrase-file or KFBACKUP_PASSPHRASE',
  })
  let text = makePassphrase()
  if (made) {
    say(`\n  ${text}\n\n${KEEP}`)
    await prompts.confirm({ message: 'Written down?', flag: '--make-passphrase' })
  } else {
    say(RULE)
    text = await prompts.password({
      message: 'Passphrase',
      flag: '--passphrase-file',
      confirm: true,
      validate: judgePassphrase,
    })
  }
  return {
    section: { format, passphrase: keeper.keep('passphrase', text) },
    reminder: `For the runs the passphrase lies in ${keeper.folder}. ${KEEP}`,
  }
}

const RULE = 'At least eight characters, upper and lower case, and a digit or a symbol.'

/** The size of a ZIP. */
export async function askZipSize(wizard: Wizard, check: (size: string) => string | undefined): Promise<string> {
  const { options, prompts } = wizard
  if (options.zipSize !== undefined) {
    const problem = check(options.zipSize)
    if (problem !== undefined) throw new UsageError(`--zip-size: ${problem}.`)
    return options.zipSize
  }
  const sizes = ['1GB', '4GB', '8GB', '16GB', '24GB']
  const remembered = rememberedText(wizard, 'zipSize')
  return await answer(wizard, undefined, '4GB', () =>
    prompts.select({
      message: 'Largest ZIP',
      flag: orUsual('--zip-size'),
      choices: sizes.map((value) => ({ value, name: value })),
      default: remembered !== undefined && sizes.includes(remembered) ? remembered : '4GB',
    }),
  )
}
