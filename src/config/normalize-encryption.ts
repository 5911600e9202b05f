import type { MorePassphrases } from './passphrase-overlay.js'
import { absolute } from './paths.js'
import type { Report } from './problems.js'
import type { Settings } from './schema.js'
import { askedPassphrase, missingSecret, passphraseFrom, type SecretContext, secretFrom } from './secret-source.js'
import type { EncryptionConfig, ReadingKeys } from './types.js'
import { withoutUndefined } from './without-undefined.js'

/** The encryption section ready for use; undefined when `report` was called. `more` are passphrases from elsewhere. */
export function normalizeEncryption(
  settings: Settings['encryption'],
  more: MorePassphrases,
  context: SecretContext,
  report: Report,
): EncryptionConfig | undefined {
  const { format, passphrase, recipients, identity, oldPassphrases } = settings
  // Someone who gave a key believes the backups are encrypted; silence here would be a plain backup.
  if (format === undefined && (passphrase !== undefined || recipients !== undefined)) {
    report(['encryption', 'format'], 'is missing; set "openssl" (a passphrase) or "age" (public keys), or "none" for plain ZIPs')
    return undefined
  }
  if (recipients !== undefined && format === 'openssl') report(['encryption', 'recipients'], 'belongs to "format": "age"')
  const current = passphrase === undefined ? undefined : passphraseFrom('encryption.passphrase', passphrase, context)
  // The file's own one may be that of earlier backups.
  const replaced =
    more.replaced === undefined ? undefined : passphraseFrom('encryption.passphrase', more.replaced, { ...context, origins: new Map() })
  const reading: ReadingKeys = withoutUndefined({
    passphrases: [
      ...more.environment,
      ...(current === undefined ? [] : [current.lenient]),
      ...(replaced === undefined || replaced.lenient.problem !== undefined ? [] : [replaced.lenient]),
      ...oldPassphrases.map((input, index) => secretFrom(`encryption.oldPassphrases[${index}]`, 'old passphrase', input, context)),
    ],
    identity: identity === undefined ? undefined : absolute(identity, context.baseDir, context.env),
  })
  if (format === 'openssl') {
    const missing = () =>
      missingSecret('encryption.passphrase', 'is not set.', 'Set KFBACKUP_PASSPHRASE, or encryption.passphrase in the config file.')
    const strict = current?.strict ?? missing()
    const ask = strict.problem?.code === 'E_CONFIG_UNSET' ? context.askPassphrase : undefined
    return { format, passphrase: ask === undefined ? strict : askedPassphrase('encryption.passphrase', ask), reading }
  }
  if (format === 'age') {
    if (recipients !== undefined && recipients.length > 0) return { format, recipients: [...new Set(recipients)], reading }
    report(['encryption', 'recipients'], 'must name at least one age public key (age1…)')
    return undefined
  }
  return { format: 'none', reading }
}
