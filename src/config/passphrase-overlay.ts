import { resolve } from 'node:path'
import { isObject } from '../util/is-object.js'
import { type Merged, put } from './origins.js'
import type { SecretInput } from './schema-parts.js'
import type { Secret } from './secret.js'
import { readSecretFile } from './secret-file.js'
import { literalSecret, MAX_SECRET_BYTES, readSecret } from './secret-source.js'

const KEY = 'encryption.passphrase'

/** Passphrases beside the one of the config, for reading. */
export interface MorePassphrases {
  /** What the file says, where the environment's one stands in for it. */
  replaced: SecretInput | undefined
  environment: Secret[]
}

/** KFBACKUP_PASSPHRASE and the file KFBACKUP_PASSPHRASE_FILE names (relative to the working directory), for reading backups; also without a config. */
export function environmentPassphrases(env: NodeJS.ProcessEnv, cwd: string): Secret[] {
  const { KFBACKUP_PASSPHRASE: text = '', KFBACKUP_PASSPHRASE_FILE: file = '' } = env
  const secrets: Secret[] = []
  if (text !== '') secrets.push(literalSecret(KEY, 'old passphrase', text, 'env KFBACKUP_PASSPHRASE'))
  if (file !== '') {
    const path = resolve(cwd, file)
    secrets.push(readSecret(KEY, 'old passphrase', 'env KFBACKUP_PASSPHRASE_FILE', () => readSecretFile(path, KEY, MAX_SECRET_BYTES)))
  }
  return secrets
}

/** Puts the environment's passphrase over the file's where the config asks for a passphrase; alone it turns nothing on (details.md 21). */
export function overlayPassphrase(merged: Merged, env: NodeJS.ProcessEnv, cwd: string): MorePassphrases {
  const environment = environmentPassphrases(env, cwd)
  const { encryption } = merged.tree
  if (environment.length === 0 || !isObject(encryption) || encryption.format !== 'openssl') return { replaced: undefined, environment }
  const { KFBACKUP_PASSPHRASE: text = '', KFBACKUP_PASSPHRASE_FILE: file = '' } = env
  const path = KEY.split('.')
  if (text !== '' && file !== '') {
    merged.problems.push({ path, text: 'both KFBACKUP_PASSPHRASE and KFBACKUP_PASSPHRASE_FILE are set; unset the one that is not meant' })
  }
  const replaced = encryption.passphrase as SecretInput | undefined
  if (text !== '') put(merged, path, text, 'env KFBACKUP_PASSPHRASE')
  else put(merged, path, { file: resolve(cwd, file) }, 'env KFBACKUP_PASSPHRASE_FILE')
  return { replaced, environment: [] }
}
