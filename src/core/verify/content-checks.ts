import { createHash, type Hash, hash } from 'node:crypto'
import type { RecordLine } from '../../archive/index-lines.js'
import type { EntryKind } from './entry-kind.js'
import type { Expectations } from './expectations.js'
import type { Findings } from './findings.js'
import { type JsonListener, JsonScanner } from './json-scanner.js'

/** Looks at the content of one entry as it passes. `write` and `end` throw JsonFault when it is not what it should be. */
export interface ContentCheck {
  write(chunk: Buffer): void | Promise<void>
  end(): void | Promise<void>
  /** The content broke off or broke: says what that costs. */
  abandon?(): void | Promise<void>
  /** What it counted: records, comments, events. */
  readonly count: number
}

/** A file of which nothing but its bytes matters. */
export class FileCheck implements ContentCheck {
  readonly count = 1
  write(): void {}
  end(): void {}
}

/** JSON that must be whole; the elements of its array, or its lines, are counted. */
export class JsonCheck implements ContentCheck {
  protected readonly scanner: JsonScanner

  constructor(mode: 'document' | 'lines', listener?: JsonListener) {
    this.scanner = new JsonScanner(mode, listener)
  }

  get count(): number {
    return this.scanner.elements
  }

  write(chunk: Buffer): void | Promise<void> {
    this.scanner.write(chunk)
  }

  end(): void | Promise<void> {
    this.scanner.end()
  }
}

// One person's comments on one record; more than this is counted by nobody.
const MAX_ELEMENT_BYTES = 64 * 2 ** 20

/** Collects each element for `JSON.parse`; one longer than 64 MiB is passed over. */
export class ElementCollector implements JsonListener {
  private chunks: Buffer[] = []
  private bytesHeld = 0
  private readonly each: (element: unknown) => void

  constructor(each: (element: unknown) => void) {
    this.each = each
  }

  bytes(chunk: Buffer, start: number, end: number): void {
    this.bytesHeld += end - start
    if (this.bytesHeld <= MAX_ELEMENT_BYTES) this.chunks.push(Buffer.from(chunk.subarray(start, end)))
    else this.chunks = []
  }

  element(): void {
    const whole = this.bytesHeld <= MAX_ELEMENT_BYTES
    const text = whole ? Buffer.concat(this.chunks).toString('utf8') : ''
    this.chunks = []
    this.bytesHeld = 0
    if (whole) this.each(JSON.parse(text))
  }
}

/** `[{"_id":…,"Comments":[…]}]`: counts the rows, not the records that have them. */
export class RowsCheck extends JsonCheck {
  private rows = 0

  constructor() {
    super(
      'document',
      new ElementCollector((element) => {
        if (typeof element !== 'object' || element === null) return
        for (const value of Object.values(element)) if (Array.isArray(value)) this.rows += value.length
      }),
    )
  }

  override get count(): number {
    return this.rows
  }
}

/** The records of one entry against their lines in records.jsonl: each one's SHA-256, their number, their order. */
export class RecordsCheck extends JsonCheck {
  private readonly expected: Expectations<RecordLine>
  private readonly findings: Findings
  private readonly place: { part: string; entry: string }
  private readonly found: string[]
  private unknown = 0

  constructor(expected: Expectations<RecordLine>, findings: Findings, place: { part: string; entry: string }) {
    const found: string[] = []
    // Most records lie in one chunk: hashing them in one call makes no object each.
    let piece: Buffer | undefined
    let running: Hash | undefined
    super('document', {
      bytes(chunk, start, end) {
        const next = chunk.subarray(start, end)
        if (piece === undefined) piece = next
        else {
          running ??= createHash('sha256').update(piece)
          running.update(next)
        }
      },
      element() {
        found.push(running?.digest('hex') ?? hash('sha256', piece ?? ''))
        piece = undefined
        running = undefined
      },
    })
    this.found = found
    this.expected = expected
    this.findings = findings
    this.place = place
  }

  override write(chunk: Buffer): void | Promise<void> {
    this.scanner.write(chunk)
    if (this.found.length > 0) return this.compare()
  }

  override async end(): Promise<void> {
    this.scanner.end()
    await this.compare()
    await this.rest('it is missing', 'it was changed')
    if (this.unknown > 0) this.findings.damage(`${this.unknown} records that records.jsonl does not name`, this.place)
  }

  async abandon(): Promise<void> {
    await this.compare()
    await this.rest('it cannot be read', 'it cannot be read')
  }

  private readonly mine = (line: RecordLine): boolean => line.entry === this.place.entry

  private async compare(): Promise<void> {
    for (const sha256 of this.found) {
      if (this.expected.takeIf((line) => line.sha256 === sha256 && this.mine(line))) continue
      const match = await this.expected.match((line) => line.sha256 === sha256, this.mine)
      if (match === undefined) this.unknown++
      else for (const line of match.skipped) this.report(line, 'it is missing', 'it was changed')
    }
    this.found.length = 0
  }

  private async rest(missing: string, changed: string): Promise<void> {
    for (let line = await this.expected.peek(); line !== undefined && this.mine(line); line = await this.expected.peek()) {
      await this.expected.take()
      this.report(line, missing, changed)
    }
  }

  // A record nobody knows, in place of one that is not found, is that one, changed.
  private report(line: RecordLine, missing: string, changed: string): void {
    const reason = this.unknown > 0 ? changed : missing
    if (this.unknown > 0) this.unknown--
    this.findings.damage(reason, { ...this.place, record: line.id })
  }
}

/** The check for an entry of this kind. */
export function contentCheck(kind: EntryKind['kind'], records: (() => ContentCheck) | undefined): ContentCheck {
  if (kind === 'records' && records !== undefined) return records()
  if (kind === 'records' || kind === 'users' || kind === 'members' || kind === 'fields') return new JsonCheck('document')
  if (kind === 'comments' || kind === 'activity') return new RowsCheck()
  if (kind === 'audit') return new JsonCheck('lines')
  return new FileCheck()
}
