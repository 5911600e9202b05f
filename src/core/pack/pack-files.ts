import { type AttachmentPath, AttachmentPaths } from '../../archive/attachment-paths.js'
import { worstDeflateBytes } from '../../archive/deflate.js'
import { mayPassPlainSize } from '../../archive/deflated-entry.js'
import type { EntryLine } from '../../archive/index-lines.js'
import { type PreparedEntry, prepareEntry, sampleShrinks } from '../../archive/prepare-entry.js'
import type { EntrySums } from '../../archive/running-sums.js'
import { orderedMap } from '../../util/ordered-map.js'
import type { FlowParts } from './flow-parts.js'
import { spoolDamaged } from './pack-rows.js'
import type { PackSession } from './pack-session.js'
import type { FileSource } from './source.js'

/** Small files read and compressed at once: enough to keep the thread pool busy, few enough to stay in a few megabytes. */
const CONCURRENCY = 16
const MAX_BYTES_UNDER_WAY = 4 * 1024 * 1024
/** How much of the beginning of a large file is looked at. */
const SAMPLE_BYTES = 64 * 1024

interface ReadyFile {
  file: FileSource
  place: AttachmentPath
  /** Undefined for a file that is too large for memory. */
  entry: PreparedEntry | undefined
}

/** Packs the files of a flow. */
export async function packFiles(session: PackSession, parts: FlowParts, from: number): Promise<void> {
  const paths = new AttachmentPaths()
  if (from > 0) await restorePaths(session, paths)
  const ready = orderedMap(parts.flow.files(from), (file) => prepareFile(parts, file, paths.next(file)), {
    concurrency: CONCURRENCY,
    cost: (file) => file.bytes,
    maxCost: MAX_BYTES_UNDER_WAY,
    onIdle: session.deps.onFilesIdle,
  })
  for await (const { file, place, entry } of ready) {
    session.signal.throwIfAborted()
    if (entry === undefined) {
      const packedBytes = await addLarge(session, parts, file, place)
      session.deps.onFilePacked?.({ shrunkBytes: file.bytes - packedBytes })
    } else {
      const part = await parts.place([{ name: place.path, dataBytes: entry.data.length }], { withoutRecords: true })
      await parts.add(part, place.path, entry, { name: file.name, folders: place.originalFolders })
      session.packed(file.bytes)
      session.deps.onFilePacked?.({ shrunkBytes: file.bytes - entry.data.length })
    }
    parts.counts.files++
    session.state.counts.files++
    session.state.cursor.done++
    await session.giveWay()
  }
}

async function prepareFile(parts: FlowParts, file: FileSource, place: AttachmentPath): Promise<ReadyFile> {
  const content = await file.content()
  if (content === undefined) return { file, place, entry: undefined }
  const entry = await prepareEntry(content, file.isChecked ? file.crc32 : undefined)
  assertReceived(parts, file, entry)
  return { file, place, entry }
}

function assertReceived({ flow }: FlowParts, file: FileSource, sums: Pick<EntrySums, 'bytes' | 'crc32'>): void {
  if (sums.bytes === file.bytes && sums.crc32 === file.crc32) return
  throw spoolDamaged(`file ${file.name} of record ${file.recordId} of ${flow.id}`)
}

/** Streams a file; gives the bytes it takes in the part. Its beginning, compressed, tells whether the rest is worth it; a stored file's size is known to the byte. */
async function addLarge(session: PackSession, parts: FlowParts, file: FileSource, place: AttachmentPath): Promise<number> {
  const stream = file.open()
  stream.on('error', () => {}) // the iterator reports it; this only keeps a late one from ending the process
  const source: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]()
  try {
    const { head, sample } = await readHead(source)
    const deflate = await sampleShrinks(sample)
    const plan = { name: place.path, dataBytes: deflate ? worstDeflateBytes(file.bytes) : file.bytes }
    const part = await parts.place([plan], { withoutRecords: true })
    const path = parts.pathIn(part, place.path)
    const before = part.zip.closedBytes
    const content = counted(session, head, source)
    let sums: EntrySums
    if (deflate) {
      const entry = part.zip.openDeflated(Buffer.from(path), { mayBeHuge: mayPassPlainSize(file.bytes) })
      for await (const chunk of content) {
        entry.write(chunk)
        if (entry.full) await entry.ready()
      }
      sums = await entry.end()
    } else {
      sums = await part.zip.addStored(Buffer.from(path), file, content)
    }
    assertReceived(parts, file, sums)
    parts.log(part, path, sums, { name: file.name, folders: place.originalFolders })
    return part.zip.closedBytes - before
  } finally {
    stream.destroy()
  }
}

/** Reads until the sample is full or the file is at its end. */
async function readHead(source: AsyncIterator<Buffer>): Promise<{ head: Buffer[]; sample: Buffer }> {
  const head: Buffer[] = []
  let bytes = 0
  while (bytes < SAMPLE_BYTES) {
    const next = await source.next()
    if (next.done) break
    head.push(next.value)
    bytes += next.value.length
  }
  return { head, sample: Buffer.concat(head).subarray(0, SAMPLE_BYTES) }
}

async function* counted(session: PackSession, head: Buffer[], source: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  for (const chunk of head) {
    session.packed(chunk.length)
    yield chunk
  }
  for (let next = await source.next(); !next.done; next = await source.next()) {
    session.signal.throwIfAborted()
    session.packed(next.value.length)
    yield next.value
  }
}

/** Takes the names an earlier process gave to this flow's files from the log of entries. */
async function restorePaths(session: PackSession, paths: AttachmentPaths): Promise<void> {
  for await (const line of session.logs.entries.lines(session.state.flowEntriesFrom)) {
    const entry = JSON.parse(line) as EntryLine
    const below = entry.path.split('/').slice(3).join('/')
    if (below.startsWith('Attachments/')) paths.restore(below, entry.original, entry.original_folders)
  }
}
