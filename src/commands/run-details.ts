import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Gap, RunEvent } from '../core/events.js'
import { eventLogPath, runFolder } from '../state/history.js'
import type { HistoryEntry } from '../state/history-entry.js'
import { isObject } from '../util/is-object.js'

/** Larger files are named, not read: they would fill memory and screen. */
const MAX_BYTES = 64_000_000

export interface FlowCounts {
  id: string
  name: string
  type: string
  records: number
  comments: number
  attachments: number
}

export interface LoggedEvent {
  time: string
  event: RunEvent
}

function readJson(path: string): unknown {
  try {
    return statSync(path).size > MAX_BYTES ? undefined : JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function sum(parts: unknown, key: string): number {
  if (!Array.isArray(parts)) return 0
  return parts.reduce((total: number, part: unknown) => total + (isObject(part) && typeof part[key] === 'number' ? part[key] : 0), 0)
}

/** Counts of each flow from the copy of manifest.json that a run leaves in its folder; undefined where there is none. */
export function readFlowCounts(stateDir: string, runId: string): FlowCounts[] | undefined {
  const manifest = readJson(join(runFolder(stateDir, runId), 'manifest.json'))
  if (!isObject(manifest) || !Array.isArray(manifest.flows)) return undefined
  return manifest.flows.filter(isObject).map((flow) => ({
    id: String(flow.id),
    name: String(flow.name),
    type: String(flow.type),
    records: sum(flow.parts, 'records'),
    comments: sum(flow.parts, 'comments'),
    attachments: sum(flow.parts, 'files'),
  }))
}

/** The gaps from the copy of gaps.json that a run leaves in its folder; undefined where there is none. */
export function readGaps(stateDir: string, runId: string): Gap[] | undefined {
  const gaps = readJson(join(runFolder(stateDir, runId), 'gaps.json'))
  return Array.isArray(gaps) ? gaps.filter((gap): gap is Gap => isObject(gap) && typeof gap.class === 'string') : undefined
}

/** The run's event log, the rotated part first; damaged lines are left out. */
export function readEvents(stateDir: string, runId: string): LoggedEvent[] {
  const path = eventLogPath(stateDir, runId)
  return [`${path}.1`, path].flatMap((file) => {
    if (!existsSync(file) || statSync(file).size > MAX_BYTES) return []
    return readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line): LoggedEvent[] => {
        try {
          const value: unknown = JSON.parse(line)
          if (!isObject(value) || typeof value.time !== 'string' || typeof value.type !== 'string') return []
          const { time, ...event } = value
          return [{ time, event: event as RunEvent }]
        } catch {
          return []
        }
      })
  })
}

/** The backup's folder on this machine; undefined when it lies elsewhere or is gone. */
export function localFolder({ location }: HistoryEntry): string | undefined {
  if (location === null) return undefined
  const path = location.startsWith('file:') ? fileURLToPath(location) : location
  return existsSync(path) && statSync(path).isDirectory() ? path : undefined
}

/** Name and bytes of every file in a folder, by name. */
export function filesIn(folder: string): { name: string; bytes: number }[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((item) => item.isFile())
    .map(({ name }) => ({ name, bytes: statSync(join(folder, name)).size }))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
}
