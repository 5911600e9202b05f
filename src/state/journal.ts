import { closeSync, createReadStream, fdatasync, ftruncateSync, openSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { DamagedError } from '../errors.js'
import { writeFully } from '../util/atomic-file.js'

const syncData = promisify(fdatasync)

/** One line of the journal; `t` names its kind (run-store.ts). */
export type JournalLine = { t: string } & Record<string, unknown>

/**
 * Append-only JSON Lines: one line is one commit. A line is written before the call returns, which a killed process does not undo; a power cut may
 * lose what `sync` has not confirmed, and the reader then goes back to the last confirmed place.
 */
export class Journal {
  private readonly fd: number
  private length: number

  /** Appends behind `length` bytes; what the file holds beyond them is cut off. */
  constructor(path: string, length: number) {
    this.fd = openSync(path, length === 0 ? 'w+' : 'r+', 0o600)
    ftruncateSync(this.fd, length)
    this.length = length
  }

  append(line: JournalLine): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    writeFully(this.fd, bytes, this.length)
    this.length += bytes.length
  }

  /** Confirms that the first `end` bytes, and the data they name, are on the disk. */
  async sync(syncSpool: () => Promise<void>): Promise<void> {
    const end = this.length
    await syncSpool()
    await syncData(this.fd)
    this.append({ t: 'sync', end })
  }

  close(): void {
    closeSync(this.fd)
  }
}

/**
 * Calls `onLine` for every whole line and returns the length to go on from. A torn last line is cut off. With `trustUnsynced` false (the machine
 * went down since) only what a `sync` line confirms counts, so the caller reads twice: first the length, then the lines.
 */
export async function readJournal(path: string, upTo: number, onLine: (line: JournalLine) => void): Promise<number> {
  let length = 0
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { end: Math.max(0, upTo - 1), highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = bytes.indexOf(0x0a, from); end !== -1; end = bytes.indexOf(0x0a, from)) {
      onLine(parseLine(bytes.subarray(from, end), path, length))
      length += end + 1 - from
      from = end + 1
    }
    rest = bytes.subarray(from)
  }
  return length
}

function parseLine(bytes: Buffer, path: string, at: number): JournalLine {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && 't' in value && typeof value.t === 'string') return value as JournalLine
  } catch {
    // Falls through: a whole line that is no JSON was not written by us.
  }
  throw new DamagedError(`The journal ${path} is damaged at byte ${at}.`, {
    code: 'E_JOURNAL_DAMAGED',
    hint: 'Start over with kfbackup run --fresh.',
  })
}

/** The length of the journal that survived: all whole lines, or after a power cut only what was confirmed. */
export async function survivingLength(path: string, bootId: string): Promise<number> {
  const size = statSync(path).size
  let lastBoot = ''
  let confirmed = 0
  const whole = await readJournal(path, size, (line) => {
    if (line.t === 'start') lastBoot = String(line['boot'])
    if (line.t === 'sync') confirmed = Number(line['end'])
  })
  return lastBoot === bootId ? whole : Math.min(whole, confirmed)
}
