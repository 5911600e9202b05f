import { FAST_LEVEL } from '../../archive/deflate.js'
import { mayPassPlainSize } from '../../archive/deflated-entry.js'
import { flowsCsv } from '../../archive/flows-csv.js'
import { jsonArray } from '../../archive/index-lines.js'
import { INDEX_ENTRIES, INDEX_PART } from '../../archive/layout.js'
import { MANIFEST_FORMAT_VERSION, manifestJson } from '../../archive/manifest.js'
import type { OpenPart } from './open-part.js'
import type { PackSession } from './pack-session.js'
import type { PackSource } from './source.js'

/** Packs Index.zip: what can be read without the key must not tell names or counts, so it is a part like the others. All other parts must be stored. */
export async function packIndex(session: PackSession, source: PackSource): Promise<void> {
  const { logs, options, state } = session
  const collected = await options.manifest()
  const { backupId: id, account, createdAt, tool, storageMode, zipSizeBytes: zipSize } = options
  const head = {
    formatVersion: MANIFEST_FORMAT_VERSION,
    ...{ id, account, createdAt, tool, categories: [...options.categories], storageMode, zipSize },
    packed: state.counts,
  }
  const part = await session.openPart(INDEX_PART)
  await addEntry(session, part, INDEX_ENTRIES.flows, flowsCsv(logs.flowRows()), 0)
  await addEntry(session, part, INDEX_ENTRIES.manifest, manifestJson(head, logs.parts(), logs.packedFlows(), collected), 0)
  await addEntry(session, part, INDEX_ENTRIES.entries, logs.entries.read(0, { isLent: true }), logs.entries.flush())
  await addEntry(session, part, INDEX_ENTRIES.records, logs.records.read(0, { isLent: true }), logs.records.flush())
  await addEntry(session, part, INDEX_ENTRIES.gaps, jsonArray(source.gaps()), 0)
  session.stage('commit')
  await session.closePart()
}

async function addEntry(
  session: PackSession,
  part: OpenPart,
  path: string,
  content: AsyncIterable<Buffer>,
  expectedBytes: number,
): Promise<void> {
  const entry = part.zip.openEntry(Buffer.from(path), { mayBeHuge: mayPassPlainSize(expectedBytes), level: FAST_LEVEL })
  for await (const chunk of content) {
    session.signal.throwIfAborted()
    // Frames of the logs are lent.
    entry.write(entry.keepsBuffers ? Buffer.from(chunk) : chunk)
    if (entry.full) await entry.ready()
  }
  await entry.end()
}
