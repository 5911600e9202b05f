import type { LeaveAccount } from '../../http/caller.js'
import { BadBodyError } from '../../http/http-error.js'
import { type FileRef, findFiles } from '../../kissflow/attachments.js'
import type { ApiCall } from '../../kissflow/client.js'
import { PRIORITY } from '../../kissflow/client.js'
import { type DownloadSink, downloadOnce } from '../../kissflow/download.js'
import type { LargeFile } from '../../state/large-file.js'
import { SMALL_FILE_BYTES } from '../../state/run-store.js'
import { formatBytes } from '../../util/units.js'
import { type CallFailure, type CollectContext, callFailure, callsSent, endIfAnswered } from './context.js'
import type { FlowWork } from './flow-work.js'

/** The calls that may give a file, in the order to try them; a later one only after a 404. Empty when no key leads to it. */
function callsFor(flow: FlowWork, item: string, file: FileRef): ApiCall[] {
  const { type, id } = flow.info
  if (type === 'process' || type === 'board') {
    const values: Record<string, string> = { flow: id, item, field: file.fieldId }
    const inTable = file.tableId !== undefined && file.rowId !== undefined
    if (file.tableId !== undefined && file.rowId !== undefined) Object.assign(values, { table: file.tableId, row: file.rowId })
    const image: ApiCall = { endpoint: inTable ? `image.${type}.table` : `image.${type}`, values, priority: PRIORITY.file }
    if (file.kind === 'image') return [image]
    const attachment: ApiCall[] =
      file.attachmentId === undefined
        ? []
        : [
            {
              endpoint: inTable ? `attachment.${type}.table` : `attachment.${type}`,
              values: { ...values, attachment: file.attachmentId },
              priority: PRIORITY.file,
            },
          ]
    if (file.kind === 'unknown') return [...attachment, image]
    if (attachment.length > 0) return attachment
  }
  if (file.key === undefined || file.key.split('/').some((segment) => segment === '.' || segment === '..' || segment === '')) return []
  return [{ endpoint: 'upload', values: { key: file.key }, priority: PRIORITY.file }]
}

/** Files of a record, in its own order; what `number` counts from the record's first. */
export function filesOf(flow: FlowWork, record: unknown): FileRef[] {
  return findFiles(record, flow.types)
}

/** Fetches one file, or names why it is missing. */
export async function readFile(
  context: CollectContext,
  flow: FlowWork,
  input: { seq: number; item: string; file: FileRef; number: number },
): Promise<void> {
  const { store, gaps, progress } = context
  const { seq, item, file, number } = input
  const { collection, info } = flow
  if (store.items.file(collection.number, number).state !== 'pending') return
  const gap = { category: 'attachments', flow: info.id, item, field: file.fieldId, file: file.name, subject: String(number) } as const
  const calls = callsFor(flow, item, file)
  let failure: CallFailure | undefined
  for (const call of calls) {
    failure = await fetchInto(context, flow, { call, seq, number, file, item })
    if (failure?.kind !== 'missing') break
  }
  if (calls.length === 0) {
    gaps.add({ ...gap, code: 'upload_key_missing', message: `File "${file.name}" of ${info.id}/${item} has no key to fetch it by.` })
  } else if (failure !== undefined) {
    const code = failure.kind === 'forbidden' ? 'forbidden' : failure.kind === 'planLimit' ? 'plan_limit' : 'file_failed'
    gaps.add({
      ...gap,
      code,
      httpStatus: failure.httpStatus,
      message: `File "${file.name}" of ${info.id}/${item} could not be had: ${failure.message}`,
    })
  }
  if (calls.length === 0 || failure !== undefined) store.skipFile(collection, seq, number)
  for (const call of calls) store.inFlight.end(context.client.nameOf(call))
  progress.add('attachments', { done: 1 })
}

const SAME_END_TIMES = 3

interface FetchInput {
  call: ApiCall
  seq: number
  number: number
  file: FileRef
  item: string
}

async function fetchInto(context: CollectContext, flow: FlowWork, input: FetchInput): Promise<CallFailure | undefined> {
  const { client, store, stop } = context
  const { call, seq, number, file, item } = input
  const sink = new FileSink(() => store.spool.createLarge(flow.collection.number, number))
  const name = client.nameOf(call)
  const ends = new Map<number, number>()
  const attempt = async (leave: LeaveAccount): Promise<void> => {
    const { bytes, isMeasured } = await downloadOnce(client, { name, path: client.pathOf(call), leave }, sink)
    if (isMeasured || bytes >= (file.size ?? 0)) return
    // Nothing told where the body ends, and it is shorter than the record says: cut off, unless it ends there time and again.
    const times = (ends.get(bytes) ?? 0) + 1
    ends.set(bytes, times)
    if (times < SAME_END_TIMES) throw new BadBodyError(name, `it ended after ${bytes} bytes, its record says ${file.size}`)
  }
  try {
    await client.run(name, attempt, { priority: call.priority ?? PRIORITY.file, rank: flow.collection.number, mayLeave: true }, stop)
    await callsSent()
  } catch (error) {
    sink.discard()
    const failure = callFailure(error)
    if (failure !== undefined) return failure
    endIfAnswered(context, name, error)
    context.halt(error)
    throw error
  }
  if (file.size !== undefined && file.size !== sink.bytes) {
    context.gaps.add({
      code: 'file_size_differs',
      category: 'attachments',
      flow: flow.info.id,
      item,
      field: file.fieldId,
      file: file.name,
      subject: String(number),
      message: `File "${file.name}" of ${flow.info.id}/${item} has ${formatBytes(sink.bytes)}, its record says ${formatBytes(file.size)}.`,
    })
  }
  sink.save({
    small: (content) => store.saveSmallFile(flow.collection, seq, number, content),
    large: (saved) => store.saveLargeFile(flow.collection, seq, number, saved),
  })
  context.progress.bytesDone += sink.bytes
  return undefined
}

/** Keeps a file in memory up to 1 MiB and goes on in a file of its own behind that. */
class FileSink implements DownloadSink {
  private readonly createLarge: () => LargeFile
  private chunks: Buffer[] = []
  private large: LargeFile | undefined
  bytes = 0

  constructor(createLarge: () => LargeFile) {
    this.createLarge = createLarge
  }

  reset(): void {
    this.discard()
    this.chunks = []
    this.bytes = 0
  }

  write(chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.large === undefined && this.bytes <= SMALL_FILE_BYTES) {
      this.chunks.push(chunk)
      return
    }
    if (this.large === undefined) {
      this.large = this.createLarge()
      for (const kept of this.chunks) this.large.write(kept)
      this.chunks = []
    }
    this.large.write(chunk)
  }

  save(to: { small: (content: Buffer) => void; large: (saved: { bytes: number; crc: number }) => void }): void {
    if (this.large === undefined) {
      to.small(Buffer.concat(this.chunks))
      return
    }
    this.large.finish()
    to.large({ bytes: this.large.bytes, crc: this.large.crc })
  }

  discard(): void {
    this.large?.discard()
    this.large = undefined
  }
}
