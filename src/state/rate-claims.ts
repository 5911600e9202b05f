import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '../util/is-object.js'
import { type ProcessTable, systemProcesses } from './lock-processes.js'

/** A claim on an account's rate; http/shared-limiter.ts says what the fields mean. */
export interface SavedClaim {
  rate: number
  refusedMs: number
  pausedUntilMs: number
  untilMs: number
}

/** No claim is trusted for longer than the longest told wait: a clock may have been set. */
const LONGEST_CLAIM_MS = 20 * 60_000

/**
 * The claims of the kfbackup processes of one state folder on one account: a small file for each, `rates/<hash of account>/<pid>-<random>.json`, which
 * only its owner writes. There is nothing to lock, and a process that was killed leaves a file that runs out.
 */
export class RateClaimFiles {
  private readonly folder: string
  private readonly name: string
  private readonly processes: ProcessTable

  constructor(stateDir: string, account: { baseUrl: string; accountId: string }, processes: ProcessTable = systemProcesses()) {
    const hash = createHash('sha256').update(`${account.baseUrl}\n${account.accountId}`).digest('hex').slice(0, 16)
    this.folder = join(stateDir, 'rates', hash)
    this.processes = processes
    this.name = `${processes.pid}-${randomBytes(4).toString('hex')}.json`
  }

  /** Writes this process's claim in place of its last one, removes those that have run out, and gives the others. Throws the filesystem's errors. */
  exchange(own: SavedClaim, nowMs: number): SavedClaim[] {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    const path = join(this.folder, this.name)
    // Not synced: after a power cut nobody's claim counts.
    writeFileSync(`${path}.tmp`, JSON.stringify({ ...own, pid: this.processes.pid, bootId: this.processes.bootId }), { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
    const others: SavedClaim[] = []
    for (const name of readdirSync(this.folder)) {
      if (name === this.name || !name.endsWith('.json')) continue
      const claim = this.read(join(this.folder, name), nowMs)
      if (claim === undefined) rmSync(join(this.folder, name), { force: true })
      else others.push(claim)
    }
    return others
  }

  /** Takes the claim back. */
  release(): void {
    rmSync(join(this.folder, this.name), { force: true })
  }

  /** Undefined for a claim that does not count any more. */
  private read(path: string, nowMs: number): SavedClaim | undefined {
    let value: unknown
    try {
      value = JSON.parse(readFileSync(path, 'utf8'))
    } catch {
      return undefined
    }
    if (!isObject(value)) return undefined
    const { rate, refusedMs, pausedUntilMs, untilMs, pid, bootId } = value
    const numbers = [rate, refusedMs, pausedUntilMs, untilMs].map(Number)
    if (numbers.some((number) => !Number.isFinite(number))) return undefined
    const claim = { rate: Number(rate), refusedMs: Number(refusedMs), pausedUntilMs: Number(pausedUntilMs) }
    const until = Number(untilMs)
    if (until <= nowMs || until > nowMs + LONGEST_CLAIM_MS) return undefined
    const isGone = this.processes.sameBoot(String(bootId)) && Number.isSafeInteger(pid) && !this.processes.look(Number(pid)).exists
    return isGone ? undefined : { ...claim, untilMs: until }
  }
}
