import { flowEntryNames } from '../../archive/layout.js'
import { type PreparedEntry, prepareEntry } from '../../archive/prepare-entry.js'
import type { OpenPart } from './open-part.js'
import type { PackSession } from './pack-session.js'
import type { PartSeries } from './part-series.js'
import { FLOW_FOLDERS, type FlowSource } from './source.js'

const EMPTY_ARRAY = Buffer.from('[]\n')

/** An entry to come: its path below the flow's folder, and an upper bound of its data. */
export interface EntryPlan {
  name: string
  dataBytes: number
}

/** What was changed for a path: the file's own name, and those of its folders. */
export interface OriginalNames {
  name: string
  folders?: string[] | undefined
}

/** One flow on its way through the parts: finds room for its entries, and notes in which parts it lies. */
export class FlowParts {
  readonly names: ReturnType<typeof flowEntryNames>
  readonly flow: FlowSource
  /** What of the flow lies in the part being filled. */
  counts = { records: 0, comments: 0, activity: 0, files: 0 }
  private readonly session: PackSession
  private readonly series: PartSeries
  private readonly folder: string
  private part: OpenPart | undefined

  constructor(session: PackSession, series: PartSeries, flow: FlowSource, folder: string) {
    this.session = session
    this.series = series
    this.flow = flow
    this.folder = folder
    this.names = flowEntryNames(folder)
  }

  /** The whole path of an entry of the flow in this part. */
  pathIn(part: OpenPart, name: string): string {
    return `${part.name}/${FLOW_FOLDERS[this.flow.type]}/${this.folder}/${name}`
  }

  /**
   * A part with room for all these entries, else an empty one. `withoutRecords`: none of them is `<Flow ID>.json`; a part the flow is new in gets
   * an empty one, so that in each of its parts that file is a whole JSON array.
   */
  async place(entries: EntryPlan[], { withoutRecords }: { withoutRecords: boolean }): Promise<OpenPart> {
    let part = this.part ?? (await this.series.current())
    const added = this.part === undefined && withoutRecords ? [{ name: this.names.records, dataBytes: EMPTY_ARRAY.length }] : []
    if (!part.fresh && !this.hasRoom(part, [...added, ...entries])) {
      await this.leave()
      part = await this.series.current()
    }
    if (this.part === undefined) {
      this.part = part
      if (withoutRecords) await this.add(part, this.names.records, await prepareEntry(EMPTY_ARRAY), { name: `${this.flow.id}.json` })
    }
    return part
  }

  /** Writes a prepared entry of the flow. */
  async add(part: OpenPart, name: string, entry: PreparedEntry, original: OriginalNames): Promise<void> {
    const path = this.pathIn(part, name)
    await part.zip.addPrepared(Buffer.from(path), entry)
    this.log(part, path, entry, original)
  }

  /** Notes a written entry. */
  log(part: OpenPart, path: string, sums: { bytes: number; sha256: string }, original: OriginalNames): void {
    const folders = original.folders === undefined ? {} : { original_folders: original.folders }
    this.session.logEntry({ path, original: original.name, bytes: sums.bytes, sha256: sums.sha256, part: part.name, ...folders })
  }

  /** Closes the part being filled; the flow goes on in the next. */
  async leave(): Promise<void> {
    this.end()
    await this.series.close()
  }

  /** Notes what of the flow lies in the part being filled. */
  end(): void {
    if (this.part === undefined) return
    const { id, name, type } = this.flow
    this.session.logs.addFlow({ id, name, type, folder: this.folder, part: this.part.name, ...this.counts })
    this.counts = { records: 0, comments: 0, activity: 0, files: 0 }
    this.part = undefined
  }

  private hasRoom(part: OpenPart, entries: EntryPlan[]): boolean {
    let bytes = part.zip.closedBytes
    for (const entry of entries) bytes += part.zip.entryBytes(Buffer.from(this.pathIn(part, entry.name)), entry.dataBytes)
    return bytes <= this.session.options.zipSizeBytes
  }
}
