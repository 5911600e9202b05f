import { Secret } from './secret.js'

/** Every secret handle in a value, in the order they stand. */
export function collectSecrets(value: unknown): Secret[] {
  if (value instanceof Secret) return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(collectSecrets)
}
