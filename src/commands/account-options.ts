import type { Config } from '../config/types.js'
import type { KeyAhead } from '../core/run/key-ahead.js'
import type { EncryptionChoice } from '../core/run/protection.js'
import type { AccountOptions } from '../core/run/session.js'

/** The account with its keys, for a session. */
export async function accountOptions(config: Pick<Config, 'account' | 'api'>, signal: AbortSignal): Promise<AccountOptions> {
  const { account, api } = config
  return {
    baseUrl: account.baseUrl,
    subdomain: account.subdomain,
    accountId: account.accountId,
    accessKeyId: await account.accessKeyId.resolve(signal),
    accessKeySecret: await account.accessKeySecret.resolve(signal),
    endpoints: api.endpoints,
    callsPerMinute: api.callsPerMinute,
    reserve: api.reserve,
    concurrency: api.concurrency,
  }
}

/** How new backups are encrypted, with the passphrase. */
export async function encryptionChoice(
  config: Pick<Config, 'encryption'>,
  signal: AbortSignal,
  keyAhead?: KeyAhead,
): Promise<EncryptionChoice> {
  const { encryption } = config
  if (encryption.format === 'openssl') return { format: 'openssl', passphrase: await encryption.passphrase.resolve(signal), keyAhead }
  if (encryption.format === 'age') return { format: 'age', recipients: encryption.recipients }
  return { format: 'none' }
}

/** The texts that may stand in no output, whatever an error message quotes. */
export async function secretTexts(config: Pick<Config, 'account' | 'encryption'>, signal: AbortSignal): Promise<string[]> {
  const texts = [await config.account.accessKeyId.resolve(signal), await config.account.accessKeySecret.resolve(signal)]
  if (config.encryption.format === 'openssl') texts.push(await config.encryption.passphrase.resolve(signal))
  return texts.filter((text) => text.length >= 4)
}
