import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type EntryLine, entryLine } from '../../archive/index-lines.js'
import { formatBytes } from '../../util/units.js'
import type { PackCheckpoint, PackStage } from './checkpoint.js'
import { headStartTarget } from './head-start.js'
import { OpenPart, partExtension } from './open-part.js'
import { PackLogs } from './pack-logs.js'
import type { PackDeps, PackOptions } from './pack-types.js'
import { PartQueue } from './part-queue.js'
import { directTarget, type PartTarget, Staging, takesFiles } from './part-target.js'

const PROGRESS_EVERY_MS = 100
/** A call that waits for so much longer does not matter: it takes 20 ms and more. */
const BUSY_MS = 0.3

/** What one call of `packBackup` shares: options, counters, logs, the part being written and those on their way. */
export class PackSession {
  readonly options: PackOptions
  readonly deps: PackDeps
  /** The caller's signal, or storing failed. */
  readonly signal: AbortSignal
  readonly logs: PackLogs
  readonly queue: PartQueue
  /** The place reached, and all counts; a copy is taken at the end of each part. */
  readonly state: PackCheckpoint
  private readonly staging: Staging | undefined
  private open: OpenPart | undefined
  private partsStored: number
  private progressAtMs = 0
  /** When it last gave way. */
  private busySinceMs = 0

  /** Goes on behind the last part that is stored, or staged by an earlier process: those are sent on at once. */
  constructor(options: PackOptions, deps: PackDeps, start: PackCheckpoint, signal: AbortSignal) {
    this.options = options
    this.deps = deps
    this.queue = new PartQueue()
    this.signal = AbortSignal.any([signal, this.queue.signal])
    mkdirSync(deps.workFolder, { recursive: true, mode: 0o700 })
    this.staging = takesFiles(deps.storage) ? new Staging(join(deps.workFolder, 'staging'), deps.storage, options.folder) : undefined
    this.recovered = this.staging?.recover(start) ?? []
    this.state = structuredClone(this.recovered.at(-1)?.after ?? start)
    this.partsStored = start.parts
    this.logs = new PackLogs(deps.workFolder, { ...this.state.logs, parts: start.logs.parts }, deps.cipher)
  }

  private readonly recovered: ReturnType<Staging['recover']>

  /** File names of parts that an earlier process finished and did not store. */
  get recoveredFiles(): string[] {
    return this.recovered.map(({ part }) => part.name)
  }

  /** Sends on what an earlier process finished. */
  async storeRecovered(): Promise<void> {
    for (const { part, after, target } of this.recovered) await this.queue.push(() => this.store(target, part, after))
  }

  /** Begins a part; only one is open at a time. */
  async openPart(name: string): Promise<OpenPart> {
    this.signal.throwIfAborted()
    const file = `${name}${partExtension(this.options.encryption)}`
    // One part at a time lies here: it is sent before the next one takes the disk.
    if (this.staging !== undefined) await this.queue.drain()
    const { workFolder, cipher } = this.deps
    const target = this.staging?.create(file) ?? (await this.localTarget(file))
    this.open = new OpenPart(target, { name, encryption: this.options.encryption, workFolder, cipher }, this.signal)
    return this.open
  }

  private async localTarget(file: string): Promise<PartTarget> {
    const { storage, headStart, workFolder } = this.deps
    const path = `${this.options.folder}/${file}`
    if (headStart === undefined || headStart.isOver()) return await directTarget(storage, path, this.signal)
    return headStartTarget({
      ...headStart,
      file: join(workFolder, 'head-start'),
      begin: () => storage.put(path, this.signal),
      takeOver: async (file) => await storage.putFile?.(path, file, this.signal),
    })
  }

  /** Finishes the open part and has it stored while the next is made. The place reached must stand in `state`. */
  async closePart(): Promise<void> {
    const open = this.open
    if (open === undefined) return
    const { part, zipBytes, target } = await open.close()
    this.open = undefined
    this.closed = target
    if (zipBytes > this.options.zipSizeBytes) this.warnTooLarge(part.name, zipBytes)
    this.state.parts++
    Object.assign(this.state.logs, this.logs.sync())
    const after = structuredClone(this.state)
    target.seal(part, after)
    if (this.staging !== undefined) this.deps.onPartStaged?.(after)
    await this.queue.push(() => this.store(target, part, after))
    this.closed = undefined
  }

  /** Finished, and waiting for its turn. */
  private closed: PartTarget | undefined

  /** Stops everything: the open part and one waiting are thrown away, one on its way is stopped and waited for. */
  async abort(reason: unknown): Promise<void> {
    await this.open?.abort()
    await this.queue.stop(reason)
    await this.closed?.abort()
  }

  /** The reason the open part could not be written, where that is why `error` was thrown. */
  async causeOf(error: unknown): Promise<unknown> {
    if (this.signal.aborted) return this.signal.reason
    return (await this.open?.failure()) ?? error
  }

  /** Lets the account's answers come first, while there are any: what is packed beside them has time. */
  async giveWay(): Promise<void> {
    const { headStart } = this.deps
    if (headStart === undefined || headStart.isOver() || performance.now() - this.busySinceMs < BUSY_MS) return
    await nextTurn()
    this.busySinceMs = performance.now()
  }

  logEntry(line: EntryLine): void {
    this.logs.entries.append(entryLine(line))
    this.state.counts.entries++
  }

  stage(stage: PackStage): void {
    Object.assign(this.state.cursor, { stage, section: 'records', done: 0 })
  }

  /** Counts input bytes and tells of them now and then. */
  packed(bytes: number): void {
    this.state.bytesDone += bytes
    const now = this.deps.now()
    if (now - this.progressAtMs < PROGRESS_EVERY_MS) return
    this.progressAtMs = now
    this.deps.onProgress({ bytesDone: this.state.bytesDone, part: this.open?.file ?? '', partsStored: this.partsStored })
  }

  private async store(target: PartTarget, part: Parameters<PartTarget['seal']>[0], after: PackCheckpoint): Promise<void> {
    try {
      await this.deps.beforeCommit?.()
      await target.store(this.signal)
    } catch (error) {
      await target.abort()
      throw error
    }
    after.logs.parts = this.logs.addPart(part)
    this.partsStored = after.parts
    this.state.logs.parts = after.logs.parts
    await this.deps.onPartStored(after)
    target.forget()
    this.deps.emit({ type: 'debug', message: `stored ${part.name}, ${formatBytes(part.bytes)}` })
  }

  private warnTooLarge(file: string, bytes: number): void {
    const message = `${file} is ${formatBytes(bytes)} before encryption, more than zip.size (${formatBytes(this.options.zipSizeBytes)}): ${
      file.startsWith('TransactionalData') || file.startsWith('AuditLogs') ? 'it holds a single larger record or file' : 'it is never split'
    }`
    this.deps.emit({ type: 'warning', code: 'part_above_zip_size', message })
  }
}
