import type { BackupJson } from '../../archive/backup-json.js'
import { INDEX_PART } from '../../archive/layout.js'
import { FLOW_FOLDERS, type FlowType } from '../pack/source.js'
import type { ContentCounts } from './counts.js'
import { flowKey } from './entry-kind.js'
import type { Findings } from './findings.js'
import type { Manifest } from './index-part.js'

/** The manifest against backup.json: the same backup, the same parts. */
export function compareParts(manifest: Manifest, backup: BackupJson, findings: Findings): void {
  const where = { part: INDEX_PART, entry: 'manifest.json' }
  if (manifest.id !== backup.id) findings.damage(`the manifest is that of backup ${manifest.id}`, where)
  const listed = new Map(backup.parts.map((part) => [part.name, part]))
  for (const part of manifest.parts) {
    const other = listed.get(part.name)
    listed.delete(part.name)
    if (other === undefined) findings.damage(`the manifest lists ${part.name}, backup.json does not`, where)
    else if (other.bytes !== part.bytes || other.sha256 !== part.sha256) {
      findings.damage(`the manifest and backup.json give ${part.name} another size or SHA-256`, where)
    }
  }
  for (const name of listed.keys()) {
    if (!name.startsWith(`${INDEX_PART}.`)) findings.damage(`backup.json lists ${name}, the manifest does not`, where)
  }
}

/** The manifest's counts against what was counted. Only when every entry was read and none was damaged: else they cannot agree. */
export function compareCounts(manifest: Manifest, counts: ContentCounts, findings: Findings): void {
  const where = { part: INDEX_PART, entry: 'manifest.json' }
  const { packed } = manifest
  const expect = (what: string, noted: number, found: number): void => {
    if (noted !== found) findings.damage(`the manifest counts ${noted} ${what}, the backup holds ${found}`, where)
  }
  expect('users, groups and roles', packed.usersAndGroups, counts.usersAndGroups)
  expect('audit events', packed.auditEvents, counts.auditEvents)
  expect('records', packed.records, counts.total('records'))
  expect('comments', packed.comments, counts.total('comments'))
  expect('activity events', packed.activity, counts.total('activity'))
  expect('files', packed.files, counts.total('files'))
  expect('files in ZIPs', packed.entries, counts.entries)
  expect('flows', packed.flows, manifest.flows.length)
  const left = new Set(counts.flows.keys())
  for (const flow of manifest.flows) {
    for (const part of flow.parts) {
      const typeFolder = FLOW_FOLDERS[flow.type as FlowType] ?? flow.type
      const key = flowKey({ part: part.part, typeFolder, folder: flow.folder })
      left.delete(key)
      const found = counts.flows.get(key) ?? { records: 0, comments: 0, activity: 0, files: 0 }
      for (const field of ['records', 'comments', 'activity', 'files'] as const) {
        expect(`${field} of flow ${flow.id} in ${part.part}`, part[field], found[field])
      }
    }
  }
  for (const key of left) findings.damage(`the manifest does not name the flow in ${key}`, where)
}
