import { deriveAhead, type KeyAhead } from '../core/run/key-ahead.js'

export type { KeyAhead }

/**
 * Begins to derive the key of a new run before the config is read, where the environment holds the passphrase, which then is the config's. Not for a timer
 * that most often finds nothing to do.
 */
export function beginKey(env: NodeJS.ProcessEnv, argv: readonly string[]): KeyAhead | undefined {
  const { KFBACKUP_PASSPHRASE: passphrase = '' } = env
  return passphrase === '' || argv.includes('--if-due') ? undefined : deriveAhead(passphrase)
}
