import { closeSync, createReadStream, fdatasync, ftruncateSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { DamagedError } from '../errors.js'
import { syncFolder, writeFully } from '../util/atomic-file.js'

const syncData = promisify(fdatasync)

/** One line of the journal; `t` names its kind (run-replay.ts). */
export type JournalLine = { t: string } & Record<string, unknown>

// The last member of every line: the CRC-32 of all before it, so that a changed digit is not taken for another record.
const SEAL_BYTES = ',"z":"00000000"}'.length

function seal(line: JournalLine): Buffer {
  const body = JSON.stringify(line).slice(0, -1)
  return Buffer.from(`${body},"z":"${crc32(body).toString(16).padStart(8, '0')}"}\n`)
}

/**
 * Append-only JSON Lines: one line is one commit. A line is written before the call returns, which a killed process does not undo; a power cut may
 * lose what `sync` has not confirmed, and the reader then goes back to the last confirmed place.
 */
export class Journal {
  private readonly fd: number
  private length: number
  /** How much the disk has. */
  private synced = -1
  /** The length behind the last sync's own line, where nothing else stood behind what that sync confirmed. */
  private marked = -1

  /** Appends behind `length` bytes; what the file holds beyond them is cut off. */
  constructor(path: string, length: number) {
    this.fd = openSync(path, length === 0 ? 'w+' : 'r+', 0o600)
    if (length === 0) syncFolder(dirname(path))
    ftruncateSync(this.fd, length)
    this.length = length
  }

  append(line: JournalLine): void {
    const bytes = seal(line)
    writeFully(this.fd, bytes, this.length)
    this.length += bytes.length
  }

  /**
   * Confirms that all lines so far, and the data they name, are on the disk. One at a time: a second one would confirm what the first still writes.
   * The next one brings this one's own line there; after that nothing is written until there are lines again.
   */
  async sync(syncSpool: () => Promise<void>): Promise<void> {
    const end = this.length
    if (end === this.synced) return
    await syncSpool()
    await syncData(this.fd)
    this.synced = end
    if (end === this.marked) return
    const isAlone = end === this.length
    this.append({ t: 'sync', end })
    if (isAlone) this.marked = this.length
  }

  /** Takes every line back. */
  clear(): void {
    ftruncateSync(this.fd, 0)
    this.length = 0
    this.synced = -1
    this.marked = -1
  }

  close(): void {
    closeSync(this.fd)
  }
}

/** Hands every whole line of the first `upTo` bytes to `onBytes`; the length of them all. A torn last line is left out. */
async function eachLine(path: string, upTo: number, onBytes: (line: Buffer, at: number) => void): Promise<number> {
  if (upTo === 0) return 0
  let length = 0
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path, { end: upTo - 1, highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = bytes.indexOf(0x0a, from); end !== -1; end = bytes.indexOf(0x0a, from)) {
      onBytes(bytes.subarray(from, end), length)
      length += end + 1 - from
      from = end + 1
    }
    rest = bytes.subarray(from)
  }
  return length
}

/** Calls `onLine` for every whole line within the first `upTo` bytes and returns their length. Throws DamagedError for one that is not as written. */
export function readJournal(path: string, upTo: number, onLine: (line: JournalLine) => void): Promise<number> {
  return eachLine(path, upTo, (bytes, at) => {
    const line = parseLine(bytes)
    if (line === undefined) {
      throw new DamagedError(`The journal ${path} is damaged at byte ${at}.`, {
        code: 'E_JOURNAL_DAMAGED',
        hint: 'Start over with kfbackup run --fresh.',
      })
    }
    onLine(line)
  })
}

function parseLine(bytes: Buffer): JournalLine | undefined {
  const body = bytes.subarray(0, Math.max(0, bytes.length - SEAL_BYTES))
  const [, sum] = /^,"z":"([0-9a-f]{8})"}$/.exec(bytes.toString('latin1', body.length)) ?? []
  if (sum === undefined || Number.parseInt(sum, 16) !== crc32(body)) return undefined
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && 't' in value && typeof value.t === 'string') return value as JournalLine
  } catch {
    // No line of ours, whatever its sum says.
  }
  return undefined
}

// Only these two kinds tell what survived; the others need no parsing for it.
const LANDMARK = /^\{"t":"(?:start|sync)"/

/**
 * The length of the journal that survived: all whole lines, or after a power cut (the machine was started anew since the last `start` line) only what
 * was confirmed: beyond that the disk may hold anything.
 */
export async function survivingLength(path: string, bootId: string): Promise<number> {
  let lastBoot = ''
  let confirmed = 0
  const whole = await eachLine(path, statSync(path).size, (bytes) => {
    if (!LANDMARK.test(bytes.toString('latin1', 0, 16))) return
    const line = parseLine(bytes)
    if (line?.t === 'start') lastBoot = String(line['boot'])
    if (line?.t === 'sync') confirmed = Number(line['end'])
  })
  return lastBoot === bootId ? whole : Math.min(whole, confirmed)
}
