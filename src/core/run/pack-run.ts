import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { backupFolder } from '../../archive/layout.js'
import type { Lock } from '../../state/lock.js'
import type { RunStore } from '../../state/run-store.js'
import { writeFileAtomic } from '../../util/atomic-file.js'
import { type Clock, rfc3339 } from '../../util/clock.js'
import type { Discovered } from '../collect/discover.js'
import type { FileWindow } from '../collect/file-window.js'
import { type FlowInfo, flowKey } from '../collect/flow.js'
import type { GapBook } from '../collect/gaps.js'
import { type FilePace, packSource } from '../collect/pack-source.js'
import type { Emit, Gap } from '../events.js'
import type { PackCheckpoint } from '../pack/checkpoint.js'
import { packBackup } from '../pack/pack-backup.js'
import type { PackResult } from '../pack/pack-types.js'
import type { Progress } from '../progress.js'
import { collectedManifest } from './collected-manifest.js'
import { FileFreeing } from './file-freeing.js'
import { notOfferedGaps } from './not-offered.js'
import { plannedCalls } from './planned-calls.js'
import type { Protection } from './protection.js'
import type { RunPlan } from './run-plan.js'
import { exitCodeOf, type RunOptions, type RunResult } from './run-types.js'
import type { Session } from './session.js'

/** Resolves when this holds; rejects when the run stops before. */
type Until = (isSo: () => boolean) => Promise<void>

export interface PackRunParts {
  clock: Clock
  emit: Emit
  store: RunStore
  gaps: GapBook
  progress: Progress
  session: Session
  protection: Protection
  discovered: Discovered
  plan: RunPlan
  lock: Lock
  folder: string
  resumed: boolean
  /** Packing goes on while the account is still being read. */
  streaming?: { until: Until; isCollected: () => boolean; window: FileWindow | undefined }
}

/** Packs what was collected and commits the backup; goes on behind the last part an earlier process stored. */
export async function packRun(options: RunOptions, parts: PackRunParts, signal: AbortSignal): Promise<RunResult> {
  const { clock, emit, store, gaps, progress, protection, discovered, plan, lock } = parts
  const workFolder = join(parts.folder, 'pack')
  const checkpointPath = join(workFolder, 'checkpoint.json')
  const notOffered = notOfferedGaps(options.categories, discovered.flows)
  const status = (): 'completed' | 'incomplete' => (gaps.open > 0 ? 'incomplete' : 'completed')
  const { streaming } = parts
  const window = streaming?.window
  const allDone = async (): Promise<void> => {
    await streaming?.until(streaming.isCollected)
    if (progress.bytesTotal !== null) return
    progress.setPhase(window === undefined ? 'pack' : 'upload')
    progress.bytesDone = packedBytes
    progress.bytesTotal = totalBytes(store)
  }
  let packedBytes = 0
  if (streaming === undefined) await allDone()
  const freeing = window === undefined ? undefined : new FileFreeing(store, window)
  const source = packSource(store, {
    pace: streaming === undefined || window === undefined ? undefined : paceOf(store, { ...streaming, window }, freeing),
    flows: discovered.flows,
    categories: options.categories,
    gaps: function* () {
      yield* gaps.saved()
      yield* notOffered
    },
    allDone,
    flowDone: async ({ type, id }) =>
      streaming?.until(
        () =>
          store.collections.get(flowKey(type, id))?.isDone === true &&
          (window !== undefined || streaming.isCollected() || isSmall(store, discovered.flows)),
      ),
  })
  const result = await packBackup(
    source,
    {
      backupId: plan.id,
      folder: backupFolder(options.account.subdomain, plan.id),
      account: { subdomain: options.account.subdomain, accountId: options.account.accountId },
      createdAt: rfc3339(plan.createdAtMs),
      completedAt: () => rfc3339(clock.now()),
      tool: { name: 'kfbackup', version: options.toolVersion },
      categories: options.categories,
      storageMode: options.storage.kind,
      zipSizeBytes: options.zipSizeBytes,
      encryption: await protection.encryption,
      manifest: async () => {
        await allDone()
        return collectedManifest(store, { ...parts, notOffered: notOffered.length, endpoints: options.account.endpoints })
      },
      status,
      checkpoint: readCheckpoint(checkpointPath, options.zipSizeBytes),
    },
    {
      storage: options.storage,
      workFolder,
      cipher: protection.cipher,
      now: clock.now,
      emit,
      onProgress: ({ bytesDone, part }) => {
        packedBytes = bytesDone
        if (progress.bytesTotal === null) return
        progress.bytesDone = bytesDone
        progress.current = part
        progress.tick()
      },
      onFilesIdle: (isIdle) => window?.idle(isIdle),
      onFilePacked: ({ shrunkBytes }) => window?.shrunk(shrunkBytes),
      onPartStaged: (checkpoint) => {
        window?.partDone()
        if (freeing !== undefined) freePacked(store, discovered.flows, { checkpoint, freeing })
      },
      onPartStored: (checkpoint) => {
        lock.stillOwner()
        writeFileAtomic(checkpointPath, JSON.stringify(checkpoint))
        // Also what a process was killed over after it had staged the part.
        if (freeing !== undefined) freePacked(store, discovered.flows, { checkpoint, freeing })
        return Promise.resolve()
      },
      // What is freed as it is uploaded goes there at once; a folder has nothing in it before everything is read.
      headStart: streaming === undefined || window !== undefined ? undefined : { isOver: streaming.isCollected, over: allDone },
      beforeCommit: () => {
        lock.stillOwner()
        return Promise.resolve()
      },
    },
    signal,
  )
  keepForHistory(parts, notOffered)
  progress.setPhase('done')
  return {
    summary: summarize(options, parts, { result, notOffered: notOffered.length }),
    backupJsonSha256: result.backupJsonSha256,
    parts: result.parts.map(({ name }) => ({ folder: result.folder, name })),
  }
}

/** A packer beside the collector takes 14 MB with a million records, and what it has done before the end saves a second at most. */
const MAX_RECORDS_AHEAD = 20_000

/** Whether all is listed and little enough to be packed for a folder while it is read. */
function isSmall(store: RunStore, flows: readonly FlowInfo[]): boolean {
  let records = 0
  for (const { type, id } of flows) {
    const collection = store.collections.get(flowKey(type, id))
    if (collection?.isListed !== true) return false
    records += collection.size
    if (records > MAX_RECORDS_AHEAD) return false
  }
  return true
}

/** Frees what lies in front of a place of the packer: whole flows, and files of the one it is in. */
function freePacked(store: RunStore, flows: readonly FlowInfo[], packed: { checkpoint: PackCheckpoint; freeing: FileFreeing }): void {
  const { cursor } = packed.checkpoint
  const whole = cursor.stage === 'transactions' ? flows.slice(0, cursor.flowsDone) : flows
  for (const { type, id } of whole) {
    const collection = store.collections.get(flowKey(type, id))
    if (collection === undefined || collection.isFreed) continue
    packed.freeing.forget(collection)
    store.free(collection)
  }
  const current = flows[cursor.flowsDone]
  if (cursor.stage !== 'transactions' || cursor.section !== 'files' || current === undefined) return
  const collection = store.collections.get(flowKey(current.type, current.id))
  if (collection !== undefined) packed.freeing.free(collection, cursor.done)
}

function paceOf(store: RunStore, streaming: { until: Until; window: FileWindow }, freeing: FileFreeing | undefined): FilePace {
  return {
    fetched: async (collection, number) => {
      const isPending = (): boolean => store.items.file(collection.number, number).state === 'pending'
      if (!isPending()) return
      streaming.window.awaited(true)
      await streaming.until(() => !isPending())
      streaming.window.awaited(false)
    },
    handed: (collection, number) => freeing?.hand(collection, number),
  }
}

/** What `history show` tells of a run when its data are gone: counts by flow, and the gaps. */
function keepForHistory({ store, gaps, discovered, folder }: PackRunParts, notOffered: Gap[]): void {
  const flows = discovered.flows.map(({ id, name, type }) => {
    const counts = store.collections.get(flowKey(type, id))?.counts
    return { id, name, type, parts: [{ records: counts?.records ?? 0, comments: counts?.comments ?? 0, files: counts?.filesDone ?? 0 }] }
  })
  writeFileAtomic(join(folder, 'manifest.json'), JSON.stringify({ flows }))
  writeFileAtomic(join(folder, 'gaps.json'), JSON.stringify([...gaps.saved(), ...notOffered]))
}

/** Another `zip.size` cuts other parts: what was packed for the old one is packed again, without one call. */
function readCheckpoint(path: string, zipSizeBytes: number): PackCheckpoint | undefined {
  if (!existsSync(path)) return undefined
  const checkpoint = JSON.parse(readFileSync(path, 'utf8')) as PackCheckpoint
  if (checkpoint.zipSizeBytes === zipSizeBytes) return checkpoint
  rmSync(path)
  return undefined
}

function totalBytes(store: RunStore): number {
  let bytes = 0
  for (const { counts } of store.collections.values()) bytes += counts.recordBytes + counts.fileBytes
  return bytes
}

function summarize(
  options: RunOptions,
  parts: PackRunParts,
  { result, notOffered }: { result: PackResult; notOffered: number },
): RunResult['summary'] {
  const { store, gaps, session, discovered, plan, clock } = parts
  const sum = { records: 0, comments: 0, attachments: 0 }
  for (const { key, counts } of store.collections.values()) {
    if (!key.startsWith('flow:')) continue
    sum.records += counts.records
    sum.comments += counts.comments
    sum.attachments += counts.filesDone
  }
  const size = (key: string): number => store.collections.get(key)?.size ?? 0
  return {
    status: result.status,
    backupId: plan.id,
    location: `${options.storage.location.replace(/\/+$/, '')}/${result.folder}`,
    resumed: parts.resumed,
    flows: discovered.flows.length,
    ...sum,
    users: size('users'),
    groups: size('groups'),
    auditEvents: size('audit'),
    bytes: result.bytes,
    parts: result.parts.length,
    plannedCalls: plannedCalls(store, discovered, options),
    apiCalls: store.callsBefore + session.client.apiCalls,
    callsRepeated: store.repeatedBefore + store.inFlight.repeated,
    throttled: store.throttledBefore + session.caller.throttled,
    gaps: gaps.open,
    durationSeconds: Math.round((clock.now() - plan.createdAtMs) / 1000),
    exitCode: exitCodeOf(result.status),
    gapsByClass: { ...gaps.byClass, notOffered },
    encrypted: options.encryption.format !== 'none',
  }
}
