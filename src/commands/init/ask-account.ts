import { resolve } from 'node:path'
import { readSecretFile } from '../../config/secret-file.js'
import { MAX_SECRET_BYTES } from '../../config/secret-source.js'
import { type AccountAddress, readAccountId, readAddress, readKey } from '../../core/init/account-address.js'
import { UsageError } from '../../errors.js'
import { answer, type KnownSecret, readOr, rememberedText, valid, type Wizard } from './wizard.js'

/** What leads to the account. */
export interface AccountAnswers {
  address: AccountAddress
  accountId: string
  keyId: KnownSecret
  keySecret: KnownSecret
}

const KEYS_HELP = `
kfbackup signs in with an access key, best that of a service account of its own:
  1. Kissflow, your picture, Account Administration, Service account: make one.
  2. In it: Create access key. Keys expire; note the date. Copy id and secret.
  3. Give it the right to read what is to be backed up: Super Admin, and admin of every flow. What it may not see cannot be in a backup.`
const ID_HELP = `
The account id begins with Ac. Kissflow, your picture, My settings, API authentication shows it.`

const VARIABLES = { id: 'KISSFLOW_ACCESS_KEY_ID', secret: 'KISSFLOW_ACCESS_KEY_SECRET' } as const

/** Address, account id and keys. With `again` everything is asked anew, what was given before only offered. */
export async function askAccount(wizard: Wizard, previous: AccountAnswers | undefined): Promise<AccountAnswers> {
  const address = await askAddress(wizard, previous)
  const accountId = await askAccountId(wizard, address, previous)
  const { keyId, keySecret } = await askKeys(wizard, previous !== undefined)
  return { address, accountId, keyId, keySecret }
}

async function askAddress(wizard: Wizard, previous: AccountAnswers | undefined): Promise<AccountAddress> {
  const { options, context, prompts } = wizard
  const { env } = context
  const given =
    previous === undefined
      ? [
          [options.baseUrl, '--base-url'],
          [options.subdomain, '--subdomain'],
          [env.KISSFLOW_BASE_URL, 'KISSFLOW_BASE_URL'],
          [env.KISSFLOW_SUBDOMAIN, 'KISSFLOW_SUBDOMAIN'],
        ].find(([text]) => text !== undefined && text !== '')
      : undefined
  if (given !== undefined) return readOr(readAddress, given[0] ?? '', given[1] ?? '')
  const preset = previous?.address.baseUrl ?? rememberedText(wizard, 'address')
  const text = await prompts.input({
    message: 'Your Kissflow address or subdomain',
    flag: '--subdomain',
    ...(preset === undefined ? {} : { default: preset }),
    validate: valid(readAddress),
  })
  return readOr(readAddress, text, 'The address')
}

async function askAccountId(wizard: Wizard, address: AccountAddress, previous: AccountAnswers | undefined): Promise<string> {
  const { options, context, prompts, say } = wizard
  const given =
    previous === undefined
      ? [options.accountId, context.env.KISSFLOW_ACCOUNT_ID].find((text) => text !== undefined && text !== '')
      : undefined
  if (given !== undefined) return readOr(readAccountId, given, 'The account id')
  say(ID_HELP)
  const preset =
    previous?.accountId ??
    address.accountId ??
    (rememberedText(wizard, 'address') === address.baseUrl ? rememberedText(wizard, 'accountId') : undefined)
  const text = await prompts.input({
    message: 'Account id',
    flag: '--account-id',
    ...(preset === undefined ? {} : { default: preset }),
    validate: valid(readAccountId),
  })
  return readOr(readAccountId, text, 'The account id')
}

async function askKeys(wizard: Wizard, again: boolean): Promise<Pick<AccountAnswers, 'keyId' | 'keySecret'>> {
  const { prompts, say, keeper } = wizard
  const known = again ? {} : await givenKeys(wizard)
  if (known.id === undefined || known.secret === undefined) say(KEYS_HELP)
  const typed = async (message: string, flag: string, file: string): Promise<KnownSecret> => {
    const text = readOr(readKey, await prompts.password({ message, flag, validate: valid(readKey) }), message)
    return { text, config: keeper.keep(file, text) }
  }
  const keyId = known.id ?? (await typed('Access key id (hidden)', '--access-key-id or KISSFLOW_ACCESS_KEY_ID', 'access-key-id'))
  const keySecret =
    known.secret ??
    (await typed('Access key secret (hidden)', '--access-key-secret-file or KISSFLOW_ACCESS_KEY_SECRET', 'access-key-secret'))
  return { keyId, keySecret }
}

/** Keys from flags, files and the environment; a variable stays one, unless they are wanted in files. */
async function givenKeys(wizard: Wizard): Promise<{ id?: KnownSecret; secret?: KnownSecret }> {
  const { options, context, keeper } = wizard
  const { env, cwd } = context
  const known: { id?: KnownSecret; secret?: KnownSecret } = {}
  const idText = env[VARIABLES.id] ?? ''
  const secretText = env[VARIABLES.secret] ?? ''
  const asFiles = idText !== '' || secretText !== '' ? await wantsFiles(wizard) : false
  const fromVariable = (text: string, variable: string, file: string): KnownSecret => {
    const key = readOr(readKey, text, variable)
    if (asFiles) return { text: key, config: keeper.keep(file, key) }
    // Every later command reads the variable as it is.
    if (key !== text.trim())
      throw new UsageError(`${variable} holds a space, a quote or a line end inside the key.`, { hint: 'Set it again, the key alone.' })
    return { text: key, config: `\${${variable}}` }
  }
  if (options.accessKeyId !== undefined) {
    const key = readOr(readKey, options.accessKeyId, '--access-key-id')
    known.id = { text: key, config: keeper.keep('access-key-id', key) }
  } else if (idText !== '') known.id = fromVariable(idText, VARIABLES.id, 'access-key-id')
  if (options.accessKeySecretFile !== undefined) {
    const file = resolve(cwd, options.accessKeySecretFile)
    const text = (await readSecretFile(file, '--access-key-secret-file', MAX_SECRET_BYTES)).toString('utf8')
    known.secret = { text: readOr(readKey, text, '--access-key-secret-file'), config: { file } }
  } else if (secretText !== '') known.secret = fromVariable(secretText, VARIABLES.secret, 'access-key-secret')
  return known
}

function wantsFiles(wizard: Wizard): Promise<boolean> {
  const { options, prompts, keeper, isAsking } = wizard
  const given = options.secrets === undefined ? undefined : options.secrets === 'file'
  // A timer has no such variables.
  const usual = options.installSchedule === true
  if (!isAsking) return Promise.resolve(given ?? usual)
  return answer(wizard, given, undefined, () =>
    prompts.confirm({
      message: `The keys stand in environment variables. Copy them into files (mode 0600) in ${keeper.folder}, so that a timer finds them too?`,
      flag: '--secrets file or --secrets env',
    }),
  )
}
