import { UniqueNames } from '../../archive/unique-names.js'
import { assertSameBackup, PACK_STAGES, type PackCheckpoint, type PackStage, startCheckpoint } from './checkpoint.js'
import { commitBackup } from './commit-backup.js'
import { endUnfinished, findCommitted, removeLeftovers } from './destination.js'
import { mapDiskError } from './disk-error.js'
import { packFlow } from './pack-flow.js'
import { packIndex } from './pack-index.js'
import { packAudit, packUsers } from './pack-others.js'
import { PackSession } from './pack-session.js'
import type { PackDeps, PackOptions, PackResult } from './pack-types.js'
import { PartSeries } from './part-series.js'
import type { FlowType, PackSource } from './source.js'

/**
 * Packs a collected account into a backup at the destination: parts, Index, plain files, backup.json last. May be stopped at any moment and
 * called again with the last checkpoint. Throws DamagedError when the spool is not what was received, and what the storage throws.
 */
export async function packBackup(source: PackSource, options: PackOptions, deps: PackDeps, signal: AbortSignal): Promise<PackResult> {
  const committed = await findCommitted(deps.storage, { ...options, accountId: options.account.accountId }, signal)
  if (committed !== undefined) {
    const { backup, sha256: backupJsonSha256 } = committed
    const bytes = backup.parts.reduce((sum, part) => sum + part.bytes, 0)
    return { status: backup.status, folder: options.folder, parts: backup.parts, bytes, backupJsonSha256, counts: undefined }
  }
  const session = new PackSession(options, deps, startOf(options), signal)
  try {
    return await packAll(session, source)
  } catch (error) {
    const cause = await session.causeOf(error)
    await session.abort(cause)
    throw mapDiskError(cause, deps.workFolder)
  } finally {
    session.logs.close()
  }
}

function startOf(options: PackOptions): PackCheckpoint {
  const given = { backupId: options.backupId, zipSizeBytes: options.zipSizeBytes, encryption: options.encryption?.describe() ?? null }
  if (options.checkpoint === undefined) return startCheckpoint(given)
  assertSameBackup(options.checkpoint, given)
  return options.checkpoint
}

async function packAll(session: PackSession, source: PackSource): Promise<PackResult> {
  await removeStale(session)
  await session.storeRecovered()
  const from = PACK_STAGES.indexOf(session.state.cursor.stage)
  for (const stage of PACK_STAGES.slice(from)) await STAGES[stage](session, source)
  return await commitBackup(session)
}

async function removeStale(session: PackSession): Promise<void> {
  const { deps, options, logs, signal } = session
  // A recovered part that did arrive is known by its SHA-256 and not sent again; one that did not is replaced.
  const known = new Set<string>(session.recoveredFiles)
  for await (const part of logs.parts()) known.add(part.name)
  await removeLeftovers(deps, options.folder, known, signal)
  // An unfinished upload may belong to a recovered part; then it is left to the commit.
  if (session.recoveredFiles.length === 0) await endUnfinished(deps, options.folder, signal)
}

const STAGES: Record<PackStage, (session: PackSession, source: PackSource) => Promise<void>> = {
  transactions: async (session, source) => {
    const series = new PartSeries(session, 'TransactionalData')
    const folders = await flowFolders(session)
    for await (const flow of source.flows(session.state.cursor.flowsDone)) {
      session.signal.throwIfAborted()
      await packFlow(session, series, flow, folders[flow.type].idFor(flow.id))
    }
    session.stage('users')
    await series.close()
  },
  users: async (session, source) => {
    if (source.usersAndGroups !== undefined) await packUsers(session, source.usersAndGroups())
    else session.stage('audit')
  },
  audit: async (session, source) => {
    const series = new PartSeries(session, 'AuditLogs')
    if (source.auditEvents !== undefined) await packAudit(session, series, source.auditEvents(session.state.cursor.done))
    session.stage('index')
    await series.close()
    await session.queue.drain()
  },
  index: async (session, source) => {
    await session.queue.drain()
    await packIndex(session, source)
  },
  commit: async (session) => await session.queue.drain(),
}

/** The folders of all flows, kept apart within each type; those an earlier process gave are put back. */
async function flowFolders(session: PackSession): Promise<Record<FlowType, UniqueNames>> {
  const names = (): UniqueNames => new UniqueNames({ extension: false })
  const folders = { process: names(), board: names(), dataset: names(), form: names(), project: names() }
  for await (const line of session.logs.flowLines()) folders[line.type].restore(line.id, line.folder)
  return folders
}
