import type { FrameCipher } from '../../archive/append-log.js'
import type { BackupPart } from '../../archive/backup-json.js'
import type { PackedCounts } from '../../archive/manifest.js'
import type { BackupEncryption } from '../../crypto/encryption.js'
import type { Storage, StorageKind } from '../../storage/storage.js'
import type { Category, Emit } from '../events.js'
import type { PackCheckpoint } from './checkpoint.js'
import type { HeadStart } from './head-start.js'

export interface PackOptions {
  backupId: string
  /** The backup's folder at the destination (`backupFolder`). */
  folder: string
  account: { subdomain: string; accountId: string }
  /** RFC 3339, UTC: the run's first start. */
  createdAt: string
  /** RFC 3339, UTC; asked for right before backup.json is written. */
  completedAt: () => string
  tool: { name: string; version: string }
  categories: readonly Category[]
  storageMode: StorageKind
  /** Bound of every part's ZIP before encryption. */
  zipSizeBytes: number
  /** Undefined: plain ZIPs. After a restart it must hold the salts it had before. */
  encryption: BackupEncryption | undefined
  /** The collector's sections of manifest.json (per flow counts, API calls, completeness proof), asked for when all flows are packed. */
  manifest: () => Promise<Record<string, unknown>>
  /** Asked for right before backup.json is written. */
  status: () => 'completed' | 'incomplete'
  /** Where an earlier process stopped. */
  checkpoint?: PackCheckpoint | undefined
}

export interface PackProgress {
  /** Input bytes packed. */
  bytesDone: number
  /** The part being written. */
  part: string
  /** Parts stored for good. */
  partsStored: number
}

export interface PackDeps {
  storage: Storage
  /** A folder of this run, the same after a restart: staging files and the growing logs. */
  workFolder: string
  /** Protects the logs of an encrypted run, which tell names (details.md 35). */
  cipher?: FrameCipher | undefined
  now: () => number
  /** Warnings and debug lines. */
  emit: Emit
  /** At most ten a second. */
  onProgress: (progress: PackProgress) => void
  /** Whether every file that was handed over is in the part and the next one is still to come. */
  onFilesIdle?: ((isIdle: boolean) => void) | undefined
  /** A file is in the part being made, where it takes so many bytes less than it has. */
  onFilePacked?: ((file: { shrunkBytes: number }) => void) | undefined
  /** A part lies finished in the staging folder, where the next process finds it: what it holds is not read again and may be freed. */
  onPartStaged?: ((checkpoint: PackCheckpoint) => void) | undefined
  /** A part is stored for good. What it holds may be freed once this has resolved. */
  onPartStored: (checkpoint: PackCheckpoint) => Promise<void>
  /** Set for a local destination while the account is still read. */
  headStart?: HeadStart | undefined
  /** Called before each file gets its final name; throws when the run's lock is lost. */
  beforeCommit?: (() => Promise<void>) | undefined
}

export interface PackResult {
  status: 'completed' | 'incomplete'
  folder: string
  /** Index included. */
  parts: BackupPart[]
  /** The parts as stored. */
  bytes: number
  /** Hex, of backup.json: the local history keeps it. */
  backupJsonSha256: string
  /** Undefined when the backup stood at the destination already. */
  counts: PackedCounts | undefined
}
