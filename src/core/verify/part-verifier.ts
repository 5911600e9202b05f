import { createHash } from 'node:crypto'
import type { EntryLine, RecordLine } from '../../archive/index-lines.js'
import { type ContentCheck, contentCheck, RecordsCheck } from './content-checks.js'
import type { ContentCounts } from './counts.js'
import { type EntryKind, entryKind } from './entry-kind.js'
import type { Expectations } from './expectations.js'
import type { Findings } from './findings.js'
import { JsonFault } from './json-scanner.js'
import { isSafePath, leadsOutside } from './safe-path.js'
import type { ZipEntry } from './zip-records.js'
import type { EntrySink, ZipScanListener } from './zip-scan.js'

const SYMBOLIC_LINK = 0o120000

/** What Index says should be there; undefined for what nothing describes, or when Index is unreadable. */
export interface Expected {
  entries: Expectations<EntryLine>
  records: Expectations<RecordLine>
}

export interface PartVerifierOptions {
  /** The part's name without extension, as entries.jsonl has it. */
  part: string
  findings: Findings
  counts: ContentCounts
  expected: Expected | undefined
  /** Which entries are read; all by default. The others are only looked for. */
  chosen?: (entry: ZipEntry) => boolean
  /** Checks of a kind's content beyond the usual one. */
  check?: (kind: EntryKind, entry: ZipEntry) => ContentCheck | undefined
}

/** Checks the entries of one part: names, sizes, CRC, SHA-256, content, and that those expected are there and no others. */
export class PartVerifier implements ZipScanListener {
  private readonly options: PartVerifierOptions

  constructor(options: PartVerifierOptions) {
    this.options = options
  }

  damage(reason: string): void {
    this.options.findings.damage(reason, { part: this.options.part })
  }

  async entry(entry: ZipEntry): Promise<EntrySink | undefined> {
    const { part, findings, counts, expected } = this.options
    const place = { part, entry: entry.path }
    if (entry.fileType === SYMBOLIC_LINK) findings.damage('it is a link', place)
    // Kissflow's own files keep names that some system does not allow; ours do not.
    if (leadsOutside(entry.path)) findings.damage('its name leads out of the folder', place)
    else if (expected !== undefined && !isSafePath(entry.path)) findings.damage('its name cannot be a file name everywhere', place)
    let line: EntryLine | undefined
    if (expected !== undefined) {
      const match = await expected.entries.match(
        (candidate) => candidate.path === entry.path,
        (candidate) => candidate.part === part,
      )
      if (match === undefined) {
        findings.damage('the manifest does not name it, or names it once and it is there twice', place)
        return undefined
      }
      for (const skipped of match.skipped) await this.missing(skipped)
      line = match.line
      if (line.bytes !== entry.bytes && !entry.streamed)
        findings.damage(`the ZIP says ${entry.bytes} bytes, the manifest ${line.bytes}`, place)
    } else if (entry.path.endsWith('/')) {
      return undefined
    }
    counts.entries++
    const kind = entryKind(entry.path)
    if (this.options.chosen?.(entry) === false) {
      if (kind.kind === 'records') await this.dropRecords(entry.path)
      return undefined
    }
    return this.sink(entry, { kind, line })
  }

  /** What was expected in this part and did not come; once, after its last entry. */
  async finish(): Promise<void> {
    const { expected, part } = this.options
    if (expected === undefined) return
    for (let line = await expected.entries.peek(); line?.part === part; line = await expected.entries.peek()) {
      await expected.entries.take()
      await this.missing(line)
    }
  }

  private async missing(line: EntryLine): Promise<void> {
    this.options.findings.damage('it is missing from the part', { part: this.options.part, entry: line.path })
    await this.dropRecords(line.path, 'its file is missing')
  }

  private async dropRecords(path: string, reason?: string): Promise<void> {
    const { expected, findings, part } = this.options
    if (expected === undefined) return
    for (let line = await expected.records.peek(); line?.entry === path; line = await expected.records.peek()) {
      await expected.records.take()
      if (reason !== undefined) findings.damage(reason, { part, entry: path, record: line.id })
    }
  }

  private sink(entry: ZipEntry, { kind, line }: { kind: EntryKind; line: EntryLine | undefined }): EntrySink {
    const { part, findings, counts, expected } = this.options
    const place = { part, entry: entry.path }
    const records = expected && (() => new RecordsCheck(expected.records, findings, place))
    const check = this.options.check?.(kind, entry) ?? contentCheck(kind.kind, records)
    const hash = line === undefined ? undefined : createHash('sha256')
    let broken = false
    const guard = async (work: () => void | Promise<void>): Promise<void> => {
      try {
        await work()
      } catch (error) {
        if (!(error instanceof JsonFault)) throw error
        broken = true
        findings.damage(`its JSON is broken: ${error.message}`, place)
        await check.abandon?.()
      }
    }
    return {
      // A longer content is damage, but one that is read to its end, to say which records: up to a point.
      limitBytes: line === undefined ? undefined : 2 * line.bytes + 2 ** 20,
      write(chunk) {
        hash?.update(chunk)
        if (!broken) return guard(() => check.write(chunk))
      },
      async end() {
        if (!broken) await guard(() => check.end())
        if (hash !== undefined && hash.digest('hex') !== line?.sha256) findings.damage('its SHA-256 is not the one in the manifest', place)
        if (!broken) counts.add(kind.kind, 'flow' in kind ? kind.flow : undefined, check.count)
      },
      async fail(reason) {
        findings.damage(reason, place)
        if (!broken) await check.abandon?.()
      },
    }
  }
}
