/** Exit codes of every command; product.md is the contract. An unknown code means failure. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  incomplete: 3,
  damaged: 4,
  overdue: 5,
  notFound: 10,
  locked: 11,
  wrongKey: 12,
  keysRefused: 13,
  storageRefused: 14,
  tryLater: 75,
  interrupted: 130,
  terminated: 143,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface BackupErrorOptions extends ErrorOptions {
  /** What the administrator should do, one sentence. */
  hint?: string
  /** Overrides the class's stable code with a more exact one. */
  code?: string
}

/** Base of every error thrown on purpose. `code` is part of the public contract; `message` is not. */
export class BackupError extends Error {
  readonly code: string = 'E_FAILED'
  readonly exitCode: ExitCode = EXIT.failed
  readonly hint?: string

  constructor(message: string, options: BackupErrorOptions = {}) {
    super(message, options)
    this.name = new.target.name
    if (options.hint !== undefined) this.hint = options.hint
  }
}

/** Wrong flags or arguments. */
export class UsageError extends BackupError {
  override readonly code: string = 'E_USAGE'
  override readonly exitCode = EXIT.usage
}

/** The config file, or a value in it, cannot be used; the message names the key or the file. */
export class ConfigError extends BackupError {
  override readonly exitCode = EXIT.usage
  override readonly code: string
  constructor(message: string, options: BackupErrorOptions = {}) {
    super(message, options)
    this.code = options.code ?? 'E_CONFIG'
  }
}

/** The host is not this account's, or does not exist. */
export class WrongHostError extends BackupError {
  override readonly code: string = 'E_WRONG_HOST'
  override readonly exitCode = EXIT.usage
}

/** No such backup, run or other named thing. */
export class NotFoundError extends BackupError {
  override readonly code: string = 'E_NOT_FOUND'
  override readonly exitCode = EXIT.notFound
}

/** Another run holds the lock, or took it over. */
export class LockedError extends BackupError {
  override readonly code: string = 'E_LOCKED'
  override readonly exitCode = EXIT.locked
}

/** The passphrase or key does not open this backup. */
export class WrongKeyError extends BackupError {
  override readonly code: string = 'E_WRONG_KEY'
  override readonly exitCode = EXIT.wrongKey
}

/** Kissflow refused the access keys. */
export class KeysRefusedError extends BackupError {
  override readonly code: string = 'E_KEYS_REFUSED'
  override readonly exitCode = EXIT.keysRefused
}

/** The storage, or the state folder, refused what waiting will not mend. */
export class StorageRefusedError extends BackupError {
  override readonly exitCode = EXIT.storageRefused
  override readonly code: string
  constructor(message: string, options: BackupErrorOptions = {}) {
    super(message, options)
    this.code = options.code ?? 'E_STORAGE_REFUSED'
  }
}

/** Unreachable, throttled or failing after all retries: progress is saved, run again later. */
export class TryLaterError extends BackupError {
  override readonly exitCode = EXIT.tryLater
  override readonly code: string
  constructor(message: string, options: BackupErrorOptions = {}) {
    super(message, options)
    this.code = options.code ?? 'E_TRY_LATER'
  }
}

/** Data read back is not what was written: a spool, journal, archive or backup is damaged. */
export class DamagedError extends BackupError {
  override readonly code: string = 'E_DAMAGED'
  override readonly exitCode = EXIT.damaged
}

/** What a run had saved is damaged or gone, so that it cannot go on; no backup was made of it. */
export class RunDamagedError extends BackupError {
  override readonly code: string = 'E_RUN_DAMAGED'
}

/** Stopped on purpose by Ctrl-C, SIGTERM or `kfbackup cancel`. */
export class CanceledError extends BackupError {
  override readonly code: string = 'E_CANCELED'
  override readonly exitCode: ExitCode
  constructor(message: string, by: 'SIGINT' | 'SIGTERM' | 'request' = 'SIGINT', options: BackupErrorOptions = {}) {
    super(message, options)
    this.exitCode = by === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted
  }
}
