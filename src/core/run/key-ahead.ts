import { type NewSpoolKey, newSpoolKey } from '../../crypto/spool-cipher.js'

/** A new run's key on its way. */
export interface KeyAhead {
  passphrase: string
  newKey: Promise<NewSpoolKey>
}

/**
 * Begins to derive the key of a run that may be a new one: it takes a core for an eighth of a second, in which the rest of the program is loaded. A run
 * that is continued has its own salt, and does not use this one.
 */
export function deriveAhead(passphrase: string): KeyAhead {
  const newKey = newSpoolKey(passphrase)
  // Awaited when the run is begun, if it is; until then a failure must not count as unhandled.
  newKey.catch(() => {})
  return { passphrase, newKey }
}
