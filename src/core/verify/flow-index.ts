import { parseCsv } from '../../util/csv.js'
import { type FlowPlace, flowKey } from './entry-kind.js'
import type { Findings } from './findings.js'

const HEADER = ['S. No', 'Flow name', 'Flow ID', 'Flow type', 'File location']

/** Kissflow's index of flows against the folders that are there. */
export class FlowIndex {
  private readonly rows: { id: string; type: string; batch: string }[] = []
  private readonly folders = new Map<string, FlowPlace>()
  private readonly batches = new Set<string>()
  private read = false

  /** A folder of a flow was seen. */
  saw(place: FlowPlace): void {
    this.folders.set(flowKey(place), place)
    this.batches.add(place.part)
  }

  /** The content of flows.csv; once from Index or a ZIP, or beside them. */
  load(text: string, findings: Findings): void {
    if (this.read) return
    this.read = true
    const where = { entry: 'flows.csv' }
    const rows = parseCsv(text)
    if (rows === undefined) {
      findings.damage('a quoted cell has no end', where)
      return
    }
    if (rows[0] === undefined || HEADER.some((cell, column) => rows[0]?.[column]?.trim() !== cell)) {
      findings.damage(`its first line is not "${HEADER.join(',')}"`, where)
      return
    }
    for (const [line, row] of rows.entries()) {
      const [, , id, type, location] = row
      if (line === 0 || (row.length === 1 && row[0] === '')) continue
      const batch = location?.split('/').at(-1)
      if (id === undefined || type === undefined || batch === undefined || row.length !== HEADER.length) {
        findings.damage(`row ${line + 1} has ${row.length} cells instead of ${HEADER.length}`, where)
      } else this.rows.push({ id: id.replace(/^'(?=[=+\-@\t])/, ''), type, batch })
    }
  }

  /** Rows without a folder, folders without a row, batches that are not here. */
  compare(findings: Findings): void {
    const where = { entry: 'flows.csv' }
    if (!this.read) {
      findings.warning('no_flow_index', 'There is no flows.csv; whether all flows are here cannot be told')
      return
    }
    const left = new Map(this.folders)
    const absent = new Map<string, number>()
    for (const { id, type, batch } of this.rows) {
      const key = flowKey({ part: batch, typeFolder: type, folder: id })
      if (left.delete(key) || this.folders.has(key)) continue
      if (this.batches.has(batch)) findings.damage(`it lists flow ${id} in ${batch}, where there is no folder of it`, where)
      else absent.set(batch, (absent.get(batch) ?? 0) + 1)
    }
    for (const [batch, flows] of absent) findings.damage(`it lists ${flows} flows in ${batch}, which is not here`, where)
    for (const place of left.values()) findings.damage(`it does not list flow ${place.folder}, which is in ${place.part}`, where)
  }
}
