import { INDEX_ENTRIES, INDEX_PART } from '../../archive/layout.js'
import type { PlainPart } from '../../crypto/plain-part.js'
import { DamagedError } from '../../errors.js'
import { isObject } from '../../util/is-object.js'
import type { Findings } from './findings.js'
import { type Manifest, readIndexEntry } from './index-part.js'

const FIELDS = ['records', 'comments', 'activity', 'files'] as const
const CLASSES = ['notOffered', 'unavailable', 'lost', 'changed'] as const

/** A flow as the collector left it: the fields of core/run/collected-manifest.ts that are compared. */
type CollectedFlow = Record<string, unknown> & { id: string; type: string }

interface NamedGaps {
  byClass: Map<string, number>
  /** Lost, or unavailable and not accepted: what makes a backup incomplete. */
  open: number
  /** Flows that a gap names. */
  flows: Set<string>
}

/**
 * The completeness proof against what was packed: each flow holds as many records, comments, events and files as were read; what was listed and not read,
 * or not proven, is named in gaps.json; the gaps are as many as counted, and the backup calls itself complete only without open ones.
 */
export async function compareProof(
  manifest: Manifest,
  { index, status, findings }: { index: PlainPart; status: string; findings: Findings },
  signal: AbortSignal,
): Promise<void> {
  const flows = collectedFlows(manifest)
  // A manifest of another tool or an earlier version has no such section.
  if (flows === undefined) return
  const where = { part: INDEX_PART, entry: 'manifest.json' }
  const gaps = await readGaps(index, findings, signal)
  compareFlows(manifest, flows, (reason) => findings.damage(reason, where))
  if (gaps === undefined) return
  for (const flow of flows) {
    const missing = whatIsMissing(flow)
    if (missing !== undefined && !gaps.flows.has(flow.id))
      findings.damage(`${missing} of flow ${flow.id}, and gaps.json does not name it`, where)
  }
  const counted = manifest.collected['gaps']
  if (!isObject(counted)) return
  for (const name of CLASSES) {
    const found = gaps.byClass.get(name) ?? 0
    if (counted[name] !== found) findings.damage(`the manifest counts ${counted[name]} gaps ${name}, gaps.json holds ${found}`, where)
  }
  const expected = gaps.open > 0 ? 'incomplete' : 'completed'
  if (status !== expected) findings.damage(`backup.json says ${status}, and gaps.json holds ${gaps.open} open gaps`, where)
}

function collectedFlows({ collected }: Manifest): CollectedFlow[] | undefined {
  if (!isObject(collected) || !Array.isArray(collected['flows'])) return undefined
  return (collected['flows'] as unknown[]).filter(
    (flow): flow is CollectedFlow => isObject(flow) && typeof flow['id'] === 'string' && typeof flow['type'] === 'string',
  )
}

function compareFlows(manifest: Manifest, flows: readonly CollectedFlow[], damage: (reason: string) => void): void {
  const key = (flow: { type: string; id: string }): string => `${flow.type} ${flow.id}`
  const packed = new Map(manifest.flows.map((flow) => [key(flow), flow]))
  for (const flow of flows) {
    const parts = packed.get(key(flow))?.parts ?? []
    for (const field of FIELDS) {
      const sum = parts.reduce((total, part) => total + part[field], 0)
      if ((flow[field] ?? 0) !== sum) damage(`${flow[field]} ${field} of flow ${flow.id} were read, and the backup holds ${sum}`)
    }
  }
}

function whatIsMissing({ proof, notRead, filesMissing }: CollectedFlow): string | undefined {
  if (!isObject(proof) || proof['status'] !== 'proven') return 'nothing proves the completeness'
  if (typeof notRead === 'number' && notRead > 0) return `${notRead} records were not read`
  if (typeof filesMissing === 'number' && filesMissing > 0) return `${filesMissing} files are missing`
  return undefined
}

async function readGaps(index: PlainPart, findings: Findings, signal: AbortSignal): Promise<NamedGaps | undefined> {
  let value: unknown
  try {
    value = JSON.parse((await readIndexEntry(index, INDEX_ENTRIES.gaps, signal)).toString('utf8'))
  } catch (error) {
    if (!(error instanceof DamagedError) && !(error instanceof SyntaxError)) throw error
  }
  if (!Array.isArray(value) || !value.every(isObject)) {
    findings.damage('gaps.json is missing or not one that kfbackup writes', { part: INDEX_PART })
    return undefined
  }
  const gaps: NamedGaps = { byClass: new Map(), open: 0, flows: new Set() }
  for (const gap of value) {
    const name = String(gap['class'])
    gaps.byClass.set(name, (gaps.byClass.get(name) ?? 0) + 1)
    if (name === 'lost' || (name === 'unavailable' && gap['accepted'] !== true)) gaps.open++
    if (typeof gap['flow'] === 'string') gaps.flows.add(gap['flow'])
  }
  return gaps
}
