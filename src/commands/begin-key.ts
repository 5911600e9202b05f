import { deriveAhead, type KeyAhead } from '../core/run/key-ahead.js'

export type { KeyAhead }

/** Asked for these, `run` most often makes no backup: a timer that finds nothing to do, a help text. */
const NO_RUN = ['--if-due', '--help', '-h']

/** Begins to derive the key of a new run before the config is read, where the environment holds the passphrase, which then is the config's. */
export function beginKey(env: NodeJS.ProcessEnv, argv: readonly string[]): KeyAhead | undefined {
  const { KFBACKUP_PASSPHRASE: passphrase = '' } = env
  return passphrase === '' || NO_RUN.some((flag) => argv.includes(flag)) ? undefined : deriveAhead(passphrase)
}
