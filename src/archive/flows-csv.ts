import { stringify } from 'csv-stringify/sync'

/** A flow in one part; a flow in several parts has a row for each. */
export interface FlowRow {
  id: string
  name: string
  /** `Process`, `Board`, `Dataset`, `Form`, `Project`. */
  type: string
  /** `TransactionalData-0001`. */
  part: string
}

const HEADER = ['S. No', 'Flow name', 'Flow ID', 'Flow type', 'File location']

/** A cell a spreadsheet would take for a formula gets a `'` in front (details.md 8). */
function inert(cell: string): string {
  return /^[=+\-@\t]/.test(cell) ? `'${cell}` : cell
}

function line(cells: string[]): Buffer {
  return Buffer.from(stringify([cells], { record_delimiter: 'windows', quoted_match: /[\r\n]/ }))
}

/** Kissflow's index of flows: UTF-8, CRLF, RFC 4180. */
export async function* flowsCsv(rows: AsyncIterable<FlowRow>): AsyncGenerator<Buffer, void, undefined> {
  yield line(HEADER)
  let number = 0
  for await (const row of rows) {
    number++
    yield line([String(number), inert(row.name), inert(row.id), row.type, `TransactionalData/${row.part}`])
  }
}
