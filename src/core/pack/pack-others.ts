import { worstDeflateBytes } from '../../archive/deflate.js'
import type { EntryWriter } from '../../archive/entry-writer.js'
import { AUDIT_EVENTS_PER_FILE, auditEntryPath, USERS_ENTRY, USERS_PART } from '../../archive/layout.js'
import type { OpenPart } from './open-part.js'
import type { PackSession } from './pack-session.js'
import type { PartSeries } from './part-series.js'

const LINE_END = Buffer.from('\n')

/** Packs UserAndGroup.json, one JSON array, into its own part, which is never split. */
export async function packUsers(session: PackSession, objects: AsyncIterable<Buffer>): Promise<void> {
  const part = await session.openPart(USERS_PART)
  const entry = part.zip.openEntry(Buffer.from(USERS_ENTRY), { mayBeHuge: false })
  let separator = '[\n'
  for await (const object of objects) {
    session.signal.throwIfAborted()
    entry.write(Buffer.from(separator))
    entry.write(object)
    separator = ',\n'
    session.state.counts.usersAndGroups++
    session.packed(object.length)
    if (entry.full) await entry.ready()
  }
  entry.write(Buffer.from(separator === '[\n' ? '[]\n' : '\n]\n'))
  const sums = await entry.end()
  session.logEntry({ path: USERS_ENTRY, original: USERS_ENTRY, bytes: sums.bytes, sha256: sums.sha256, part: part.name })
  session.stage('audit')
  await session.closePart()
}

/** Packs audit events as JSON Lines, 100,000 a file; files count on over all parts. */
export async function packAudit(session: PackSession, series: PartSeries, events: AsyncIterable<Buffer>): Promise<void> {
  const { cursor, counts } = session.state
  const limit = session.options.zipSizeBytes
  let open: { entry: EntryWriter; part: OpenPart; path: string; events: number } | undefined
  const end = async (): Promise<void> => {
    if (open === undefined) return
    const { bytes, sha256 } = await open.entry.end()
    session.logEntry({ path: open.path, original: open.path.slice(open.path.indexOf('/') + 1), bytes, sha256, part: open.part.name })
    open = undefined
  }
  const begin = async (firstBytes: number): Promise<NonNullable<typeof open>> => {
    let part = await series.current()
    let path = auditEntryPath(part.name, cursor.auditFiles)
    const needed = part.zip.closedBytes + part.zip.entryBytes(Buffer.from(path), worstDeflateBytes(firstBytes))
    if (!part.fresh && needed > limit) {
      await series.close()
      part = await series.current()
      path = auditEntryPath(part.name, cursor.auditFiles)
    }
    cursor.auditFiles++
    return { entry: part.zip.openEntry(Buffer.from(path), { mayBeHuge: false }), part, path, events: 0 }
  }
  for await (const event of events) {
    session.signal.throwIfAborted()
    const need = event.length + LINE_END.length
    if (open?.events === AUDIT_EVENTS_PER_FILE) await end()
    if (open !== undefined && !open.entry.surelyFits(need, limit) && !(await open.entry.fits(need, limit))) {
      await end()
      await series.close()
    }
    open ??= await begin(need)
    open.entry.write(event)
    open.entry.write(LINE_END)
    open.events++
    cursor.done++
    counts.auditEvents++
    session.packed(need)
    if (open.entry.full) await open.entry.ready()
  }
  // An audit log without events is an empty file, not a missing one.
  if (cursor.auditFiles === 0) open = await begin(0)
  await end()
}
