import { join } from 'node:path'
import { AppendLog, type FrameCipher } from '../../archive/append-log.js'
import type { BackupPart } from '../../archive/backup-json.js'
import type { FlowRow } from '../../archive/flows-csv.js'
import type { PackedFlow, PackedFlowPart } from '../../archive/manifest.js'
import type { LogLengths } from './checkpoint.js'
import { FLOW_FOLDERS, type FlowType } from './source.js'

/** A flow in one part; a line of the flows log. */
export interface FlowLine extends PackedFlowPart {
  id: string
  name: string
  type: FlowType
  folder: string
}

/** What grows while packing, kept in the work folder: entries.jsonl, records.jsonl, the rows of flows.csv, the parts. */
export class PackLogs {
  readonly entries: AppendLog
  readonly records: AppendLog
  private readonly flowLog: AppendLog
  private readonly partLog: AppendLog

  constructor(folder: string, lengths: LogLengths, cipher: FrameCipher | undefined) {
    const open = (name: keyof LogLengths): AppendLog =>
      new AppendLog(join(folder, `${name}.log`), { committedBytes: lengths[name], cipher })
    this.entries = open('entries')
    this.records = open('records')
    this.flowLog = open('flows')
    this.partLog = open('parts')
  }

  /** Makes all but the parts durable; their lengths. */
  sync(): Omit<LogLengths, 'parts'> {
    return { entries: this.entries.sync(), records: this.records.sync(), flows: this.flowLog.sync() }
  }

  addFlow(line: FlowLine): void {
    this.flowLog.append(`${JSON.stringify(line)}\n`)
  }

  /** Durable at once; the log's length. */
  addPart(part: BackupPart): number {
    this.partLog.append(`${JSON.stringify(part)}\n`)
    return this.partLog.sync()
  }

  async *parts(): AsyncGenerator<BackupPart, void, undefined> {
    for await (const line of this.partLog.lines()) yield JSON.parse(line) as BackupPart
  }

  async *flowLines(): AsyncGenerator<FlowLine, void, undefined> {
    for await (const line of this.flowLog.lines()) yield JSON.parse(line) as FlowLine
  }

  async *flowRows(): AsyncGenerator<FlowRow, void, undefined> {
    for await (const { id, name, type, part } of this.flowLines()) yield { id, name, type: FLOW_FOLDERS[type], part }
  }

  /** The flow lines, those of one flow united; they follow each other. */
  async *packedFlows(): AsyncGenerator<PackedFlow, void, undefined> {
    let flow: PackedFlow | undefined
    for await (const { id, name, type, folder, ...part } of this.flowLines()) {
      if (flow !== undefined && (flow.id !== id || flow.type !== type)) {
        yield flow
        flow = undefined
      }
      flow ??= { id, name, type, folder, parts: [] }
      flow.parts.push(part)
    }
    if (flow !== undefined) yield flow
  }

  close(): void {
    for (const log of [this.entries, this.records, this.flowLog, this.partLog]) log.close()
  }
}
