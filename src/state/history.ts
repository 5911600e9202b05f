import { closeSync, createReadStream, fstatSync, fsyncSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { StorageRefusedError } from '../errors.js'
import { syncFolder } from '../util/atomic-file.js'
import { keepDamagedLines } from './history-damaged.js'
import { foldLine, type HistoryEntry, type HistoryLine, parseHistoryLine } from './history-entry.js'
import { errnoOf, stateError } from './state-error.js'

const LINE_FEED = 0x0a
/** A line of ours has about a kilobyte; what is longer was not written by us. */
const MAX_LINE_BYTES = 1_000_000
/** More garbage than this is counted, not copied: the file itself stays as it is. */
const MAX_KEPT_BYTES = 16_000_000

/** The history of all runs that use this state folder. */
export function historyPath(stateDir: string): string {
  return join(stateDir, 'history.jsonl')
}

/** The folder of one run in the state folder: status, cancel request, event log. */
export function runFolder(stateDir: string, runId: string): string {
  return join(stateDir, 'runs', runId)
}

/** A run's own event log (JSON Lines); what no longer fits lies in `<path>.1`. */
export function eventLogPath(stateDir: string, runId: string): string {
  return join(runFolder(stateDir, runId), 'events.jsonl')
}

/** Opens the log for appending; `fresh` when it did not exist. */
function openLog(path: string): { fd: number; fresh: boolean } {
  try {
    return { fd: openSync(path, 'ax+', 0o600), fresh: true }
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    return { fd: openSync(path, 'a+', 0o600), fresh: false }
  }
}

function endsInsideLine(fd: number): boolean {
  const { size } = fstatSync(fd)
  if (size === 0) return false
  const last = Buffer.alloc(1)
  return readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== LINE_FEED
}

/**
 * Adds one line, synced: one O_APPEND write, so that two writers lose nothing. A line torn by an earlier crash is closed first, so that it costs itself alone.
 * Throws StorageRefusedError (exit 14) when the state folder refuses or is full.
 */
export function appendHistory(stateDir: string, line: HistoryLine): void {
  const path = historyPath(stateDir)
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    const { fd, fresh } = openLog(path)
    try {
      const text = `${JSON.stringify({ formatVersion: 1, ...line })}\n`
      let bytes = Buffer.from(endsInsideLine(fd) ? `\n${text}` : text)
      // A disk that fills up may take half a line. Adding the rest could mix with another writer's line, so the whole is written again behind it.
      if (writeSync(fd, bytes) < bytes.length) {
        bytes = Buffer.from(`\n${text}`)
        if (writeSync(fd, bytes) < bytes.length) {
          throw new StorageRefusedError(`No space left for ${path}`, { hint: 'Make room on that disk.', code: 'E_STATE_FOLDER' })
        }
      }
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    if (fresh) syncFolder(stateDir)
  } catch (error) {
    throw stateError(error, 'write the history', path)
  }
}

/** Yields the lines of a file, undefined for an overlong one; the last line without a line feed comes with `open: true`. */
async function* linesOf(path: string, signal: AbortSignal): AsyncGenerator<{ bytes: Buffer | undefined; open: boolean }> {
  let rest: Buffer[] = []
  let length = 0
  const take = (): Buffer | undefined => {
    const bytes = length > MAX_LINE_BYTES ? undefined : Buffer.concat(rest)
    rest = []
    length = 0
    return bytes
  }
  const add = (bytes: Buffer): void => {
    length += bytes.length
    if (length <= MAX_LINE_BYTES) rest.push(bytes)
    else rest = []
  }
  for await (const chunk of createReadStream(path, { signal })) {
    let from = 0
    const bytes: Buffer = chunk
    for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, from)) {
      add(bytes.subarray(from, at))
      from = at + 1
      yield { bytes: take(), open: false }
    }
    add(bytes.subarray(from))
  }
  if (length > 0) yield { bytes: take(), open: true }
}

export interface HistoryReading {
  /** Oldest start first. */
  entries: HistoryEntry[]
  /** Where damaged lines were copied to in this reading, if there were new ones. */
  damagedKeptIn: string | undefined
  damagedLines: number
}

/**
 * Reads the history, one entry a run. Damaged lines are left where they are (rewriting the file could lose another writer's line), copied once into
 * `history.jsonl.damaged-<time>` (not with `keepDamaged: false`) and counted. A run that has not ended and is not in `liveRunIds` is `interrupted`.
 */
export async function readHistory(
  stateDir: string,
  options: { liveRunIds: ReadonlySet<string>; nowMs: number; keepDamaged?: boolean },
  signal: AbortSignal,
): Promise<HistoryReading> {
  const path = historyPath(stateDir)
  const runs = new Map<string, HistoryEntry>()
  const damaged: Buffer[] = []
  let damagedLines = 0
  let keptBytes = 0
  try {
    for await (const { bytes, open } of linesOf(path, signal)) {
      if (bytes?.every((byte) => byte === 0x20 || byte === 0x0d)) continue
      const line = bytes === undefined ? undefined : parseHistoryLine(bytes.toString('utf8'))
      if (line !== undefined) {
        runs.set(line.id, foldLine(runs.get(line.id), line))
        continue
      }
      // An unfinished last line may be one that is being written now.
      if (open) continue
      damagedLines++
      keptBytes += bytes?.length ?? 0
      if (bytes !== undefined && keptBytes <= MAX_KEPT_BYTES) damaged.push(bytes)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (errnoOf(error) !== 'ENOENT') throw stateError(error, 'read the history', path)
  }
  const entries = [...runs.values()].map((entry) => (isRunning(entry) && !options.liveRunIds.has(entry.id) ? interrupted(entry) : entry))
  entries.sort((one, other) => compare(one.started_at, other.started_at) || compare(one.id, other.id))
  const damagedKeptIn = options.keepDamaged === false ? undefined : keepDamagedLines(path, damaged, options.nowMs)
  return { entries, damagedKeptIn, damagedLines }
}

function isRunning({ status }: HistoryEntry): boolean {
  return status === 'waiting' || status === 'started' || status === 'in progress'
}

function interrupted(entry: HistoryEntry): HistoryEntry {
  return { ...entry, status: 'interrupted' }
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
