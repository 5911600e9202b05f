import type { PlainPart } from '../../crypto/plain-part.js'
import { NotFoundError } from '../../errors.js'
import type { Findings } from '../verify/findings.js'
import { readEntryLines, reported } from '../verify/index-part.js'
import { findDirectory, readDirectory } from '../verify/zip-directory.js'

/** What of a backup is wanted. */
export interface WantedParts {
  /** Bytes that will be written, by part; parts with nothing wanted are absent. */
  bytesByPart: Map<string, number>
  /** False when not even a file of Index is wanted. */
  anything: boolean
}

/** Looks for the wanted paths in entries.jsonl and in Index itself. */
export async function findWanted(
  index: PlainPart,
  { wanted, findings }: { wanted: (path: string) => boolean; findings: Findings },
  signal: AbortSignal,
): Promise<WantedParts> {
  const bytesByPart = new Map<string, number>()
  for await (const lines of reported(readEntryLines(index, signal), findings)) {
    for (const line of lines) if (wanted(line.path)) bytesByPart.set(line.part, (bytesByPart.get(line.part) ?? 0) + line.bytes)
  }
  let anything = bytesByPart.size > 0
  const directory = await findDirectory(index, { checked: true }, signal)
  for await (const entry of readDirectory(index, { directory, checked: true }, signal)) anything ||= wanted(entry.path)
  return { bytesByPart, anything }
}

/** For `--only` without a match. */
export function nothingMatches(backupId: string, only: readonly string[]): NotFoundError {
  return new NotFoundError(`Nothing in backup ${backupId} matches ${only.join(', ')}.`, {
    hint: 'Paths are as in entries.jsonl, for example Process/Leave_A00/** or **/*.pdf.',
  })
}
