import { EXIT, type ExitCode } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import type { Clock } from '../../util/clock.js'
import type { Category, Emit, RunSummary } from '../events.js'
import type { EncryptionChoice } from './protection.js'
import type { AccountOptions } from './session.js'

/** One backup, as the command line asks for it. */
export interface RunOptions {
  stateDir: string
  account: AccountOptions
  categories: readonly Category[]
  flows: { include: readonly string[]; exclude: readonly string[]; types: readonly string[] }
  pageSize: number
  accept: readonly string[]
  storage: Storage
  /** The same text for the same place: names the lock and the history's lines. */
  destination: string
  zipSizeBytes: number
  encryption: EncryptionChoice
  /** Named parts of the config that must be unchanged to continue a run. */
  fingerprint: Record<string, string>
  resumeWithinMs: number
  fresh: boolean
  lockWaitMs: number
  toolVersion: string
  /** System user and host. */
  requester: string
  env: NodeJS.ProcessEnv
}

export interface RunDeps {
  clock: Clock
  emit: Emit
  /** Called once the run's folder is there: the place of its event log. */
  onFolder: (folder: string, runId: string) => void
  /** Runs behind a made backup, while the lock is still held; may raise the summary's exit code. */
  afterBackup?: (result: RunResult) => Promise<void>
}

/** What a finished run leaves: its summary and what history and notifications want to know. */
export interface RunResult {
  summary: RunSummary
  backupJsonSha256: string
  /** Every part at the destination. */
  parts: Array<{ folder: string; name: string }>
}

/** The exit code of a run that made a backup. */
export function exitCodeOf(status: 'completed' | 'incomplete'): ExitCode {
  return status === 'completed' ? EXIT.ok : EXIT.incomplete
}
