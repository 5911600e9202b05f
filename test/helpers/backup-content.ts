import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from './unpacked.js'

/** Gives a folder with the same backup as plain ZIPs. */
export type OpenBackup = (folder: string) => Promise<string>

/** What two backups of the same account must have in common. */
export interface BackupContent {
  /** Name to SHA-256 of the data parts. */
  parts: Map<string, string>
  /** SHA-256 of what Index.zip holds, without what names the run or counts its calls. */
  index: Record<string, string>
}

const DATA_PART = /^(?:TransactionalData-\d+|UserAndGroup|AuditLogs-\d+)\.zip$/

/** The text of one entry of a ZIP. */
export function unzipEntry(zip: string, entry: string): string {
  return execFileSync('unzip', ['-p', zip, entry], { encoding: 'utf8', maxBuffer: 1 << 28 })
}

/** Reads what backups of one account have in common; `open` turns an encrypted one into plain ZIPs first. */
export async function readContent(folder: string, open: OpenBackup = (given) => Promise.resolve(given)): Promise<BackupContent> {
  const backup = await open(folder)
  const names = readdirSync(backup).filter((name) => DATA_PART.test(name))
  const parts = new Map(names.map((name) => [name, sha256(readFileSync(join(backup, name)))]))
  const zip = join(backup, 'Index.zip')
  const index = Object.fromEntries(
    ['flows.csv', 'entries.jsonl', 'records.jsonl', 'gaps.json'].map((entry) => [entry, sha256(unzipEntry(zip, entry))]),
  )
  const { packed, parts: listed, categories } = JSON.parse(unzipEntry(zip, 'manifest.json')) as Record<string, unknown>
  // What the manifest lists is the parts as stored: an encrypted one has other bytes each time.
  const partNames = (listed as { name: string }[]).map(({ name }) => name.replace(/\..*$/, ''))
  return { parts, index: { ...index, manifest: sha256(JSON.stringify({ packed, partNames, categories })) } }
}

/** In what a backup differs from an uninterrupted run's. */
export function differences(content: BackupContent, baseline: BackupContent): string[] {
  const problems: string[] = []
  for (const name of new Set([...content.parts.keys(), ...baseline.parts.keys()]))
    if (content.parts.get(name) !== baseline.parts.get(name)) problems.push(`${name} differs from an uninterrupted run's`)
  for (const [entry, hash] of Object.entries(baseline.index))
    if (content.index[entry] !== hash) problems.push(`${entry} of Index.zip differs from an uninterrupted run's`)
  return problems
}
