import type { KeyPath } from './schema-parts.js'

/** Paths whose values are secrets; `*` stands for any element. They are neither interpolated at load nor shown nor repeated in a message. */
const SECRET_PATHS = [
  'account.accessKeyId',
  'account.accessKeySecret',
  'encryption.passphrase',
  'encryption.oldPassphrases.*',
  'notifications.email.smtp',
  'notifications.webhooks.*.url',
  'notifications.healthchecks',
  'storage.oauth.clientSecret',
  'storage.oauth.refreshToken',
].map((path) => path.split('.'))

/** True for the key of a secret itself, not for what lies below it. */
export function isSecretPath(path: KeyPath): boolean {
  return SECRET_PATHS.some((known) => known.length === path.length && known.every((part, index) => part === '*' || part === path[index]))
}

/** Every secret of a config tree, as the file gives it. */
function secretsIn(value: unknown, path: KeyPath = []): { path: KeyPath; input: unknown }[] {
  if (isSecretPath(path)) return value === undefined ? [] : [{ path, input: value }]
  if (Array.isArray(value)) return value.flatMap((item, index) => secretsIn(item, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => secretsIn(item, [...path, key]))
}

/** A problem for each secret that is to come from a command; for a config that merely lay in the working directory (details.md 20). */
export function commandSecrets(tree: unknown): { path: KeyPath; text: string }[] {
  return secretsIn(tree)
    .filter(({ input }) => typeof input === 'object' && input !== null && 'command' in input)
    .map(({ path }) => ({
      path,
      text: "a command is run only for a config named with -c or KFBACKUP_CONFIG, or in the user's config folder: this one may be a stranger's",
    }))
}

/** True when a secret stands in the file itself, not only a reference to it. */
export function holdsSecretText(tree: unknown): boolean {
  return secretsIn(tree).some(({ input }) => typeof input === 'string' && !input.includes('${'))
}
