import { createHash } from 'node:crypto'
import { partNameOf } from '../../archive/backup-json.js'
import { INDEX_PART } from '../../archive/layout.js'
import { openBackup } from '../../crypto/open-backup.js'
import type { BackupSecrets, PlainPart } from '../../crypto/plain-part.js'
import { DamagedError, UsageError } from '../../errors.js'
import { findEntry, readEntryContent } from '../verify/entry-content.js'
import { readEntryLines } from '../verify/index-part.js'
import { type BackupSource, findFiles, storedPartAt } from '../verify/stored-backup.js'
import { readBackupJson } from '../verify/verify-backup.js'
import { findDirectory, readDirectory } from '../verify/zip-directory.js'
import { nothingMatches } from './find-wanted.js'
import { pathFilter } from './glob.js'

export interface OneFile {
  path: string
  bytes: number
  content: AsyncIterable<Buffer>
}

interface Candidate {
  path: string
  part: string
  sha256: string | undefined
}

/**
 * The one file that the globs name, to be streamed: only the pieces of its part that hold it are read, and each is authenticated first where
 * the format allows. Throws NotFoundError for none, UsageError for several, DamagedError.
 */
export async function extractOne(
  source: BackupSource,
  { secrets, only }: { secrets: BackupSecrets; only: readonly string[] },
  signal: AbortSignal,
): Promise<OneFile> {
  const { backup } = await readBackupJson(source, signal)
  const decryption = await openBackup(backup, secrets)
  const files = await findFiles(source, signal)
  const open = async (name: string): Promise<PlainPart> => {
    const part = backup.parts.find((candidate) => partNameOf(candidate.name) === name)
    const file = part && files.get(part.name)
    if (part === undefined || file === undefined) throw new DamagedError(`${name} is missing from the backup.`)
    return decryption.openPart(storedPartAt(source, file, part), signal)
  }
  const index = await open(INDEX_PART)
  const candidate = await findOne(index, { wanted: pathFilter(only), only, backupId: backup.id }, signal)
  const part = candidate.part === INDEX_PART ? index : await open(candidate.part)
  const entry = await findEntry(part, candidate.path, signal)
  if (entry === undefined) throw new DamagedError(`${candidate.path} is missing from ${candidate.part}.`)
  return { path: entry.path, bytes: entry.bytes, content: hashed(readEntryContent(part, entry, signal), candidate) }
}

async function findOne(
  index: PlainPart,
  { wanted, only, backupId }: { wanted: (path: string) => boolean; only: readonly string[]; backupId: string },
  signal: AbortSignal,
): Promise<Candidate> {
  const found: Candidate[] = []
  const add = (candidate: Candidate): void => {
    found.push(candidate)
    if (found.length === 1) return
    throw new UsageError(`--only names more than one file: ${found.map(({ path }) => path).join(', ')} …`, {
      hint: '--stdout takes exactly one file.',
    })
  }
  const directory = await findDirectory(index, { checked: true }, signal)
  for await (const { path } of readDirectory(index, { directory, checked: true }, signal)) {
    if (wanted(path)) add({ path, part: INDEX_PART, sha256: undefined })
  }
  for await (const lines of readEntryLines(index, signal)) {
    for (const { path, part, sha256 } of lines) if (wanted(path)) add({ path, part, sha256 })
  }
  const [one] = found
  if (one === undefined) throw nothingMatches(backupId, only)
  return one
}

async function* hashed(content: AsyncIterable<Buffer>, { path, sha256 }: Candidate): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of content) {
    hash.update(chunk)
    yield chunk
  }
  if (sha256 !== undefined && hash.digest('hex') !== sha256)
    throw new DamagedError(`${path} is not what the manifest says: its SHA-256 differs.`)
}
