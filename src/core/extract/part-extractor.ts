import { createHash } from 'node:crypto'
import type { EntryLine } from '../../archive/index-lines.js'
import { safeSegment } from '../../archive/safe-segment.js'
import type { Expectations } from '../verify/expectations.js'
import type { Findings } from '../verify/findings.js'
import { isSafePath, leadsOutside } from '../verify/safe-path.js'
import type { ZipEntry } from '../verify/zip-records.js'
import type { EntrySink, ZipScanListener } from '../verify/zip-scan.js'
import { type TargetFile, type TargetFolder, UnsafeTargetError } from './target-folder.js'

const SYMBOLIC_LINK = 0o120000

/** What was written so far. */
export interface Extracted {
  files: number
  bytes: number
  /** Files that stood there complete from before an interruption. */
  already: number
}

export interface PartExtractorOptions {
  part: string
  target: TargetFolder
  findings: Findings
  wanted: (path: string) => boolean
  extracted: Extracted
  /** The part's lines of entries.jsonl; undefined where nothing describes the content. */
  expected: Expectations<EntryLine> | undefined
  /** Bytes that entries nobody described may still unpack to. */
  budget: { bytes: number }
}

/** Writes the wanted entries of one part below a folder: each under a temporary name until its size, CRC and SHA-256 are found right. */
export class PartExtractor implements ZipScanListener {
  private readonly options: PartExtractorOptions

  constructor(options: PartExtractorOptions) {
    this.options = options
  }

  damage(reason: string): void {
    this.options.findings.damage(reason, { part: this.options.part })
  }

  async entry(entry: ZipEntry): Promise<EntrySink | undefined> {
    const { part, findings, wanted, expected, target, extracted } = this.options
    const wantedHere = wanted(entry.path)
    let line: EntryLine | undefined
    if (expected !== undefined) {
      const match = await expected.match(
        (candidate) => candidate.path === entry.path,
        (candidate) => candidate.part === part,
      )
      for (const skipped of match?.skipped ?? []) this.missing(skipped)
      line = match?.line
    }
    if (!wantedHere) return undefined
    const refuse = (reason: string): undefined => findings.damage(reason, { part, entry: entry.path }) as undefined
    if (leadsOutside(entry.path)) return refuse('not written: its name leads out of the folder')
    if (entry.fileType === SYMBOLIC_LINK) return refuse('not written: it is a link')
    if (expected !== undefined && line === undefined) return refuse('not written: the manifest does not name it, or names it once')
    if (entry.path.endsWith('/')) return undefined
    const path = isSafePath(entry.path) ? entry.path : safePath(entry.path)
    const bytes = line?.bytes ?? entry.bytes
    if (target.has(path, bytes)) {
      extracted.already++
      return undefined
    }
    return this.sink(entry, { path, line })
  }

  /** What was wanted of this part and did not come; once, after its last entry. */
  async finish(): Promise<void> {
    const { expected, part } = this.options
    for (let line = await expected?.peek(); line?.part === part; line = await expected?.peek()) {
      await expected?.take()
      this.missing(line)
    }
  }

  private missing(line: EntryLine): void {
    if (this.options.wanted(line.path))
      this.options.findings.damage('it is missing from the part', { part: this.options.part, entry: line.path })
  }

  private sink(entry: ZipEntry, { path, line }: { path: string; line: EntryLine | undefined }): EntrySink | undefined {
    const { part, findings, target, extracted, budget } = this.options
    const place = { part, entry: entry.path }
    let file: TargetFile
    try {
      file = target.create(path)
    } catch (error) {
      if (!(error instanceof UnsafeTargetError)) throw error
      findings.damage(`not written: ${error.message}`, place)
      return undefined
    }
    const hash = line === undefined ? undefined : createHash('sha256')
    let bytes = 0
    return {
      limitBytes: line?.bytes ?? budget.bytes,
      write(chunk) {
        hash?.update(chunk)
        bytes += chunk.length
        file.write(chunk)
      },
      end() {
        if (line === undefined) budget.bytes -= bytes
        if (line !== undefined && (bytes !== line.bytes || hash?.digest('hex') !== line.sha256)) {
          file.abort()
          findings.damage('not written: its size or SHA-256 is not the one in the manifest', place)
          return
        }
        file.commit()
        extracted.files++
        extracted.bytes += bytes
      },
      fail(reason) {
        file.abort()
        findings.damage(`not written: ${reason}`, place)
      },
    }
  }
}

/** Kissflow's own names as every system takes them (details.md 6). */
function safePath(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.')
  return segments.map((segment) => safeSegment(segment)).join('/')
}
