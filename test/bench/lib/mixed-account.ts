import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { filePieces } from '../../../src/sandbox/file-bytes.js'

/**
 * An account made for packing: datasets of long rows, whose list pages carry much in few calls, and a process whose records carry files. Everything
 * follows from its number, so that nothing is stored.
 */
const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '0' },
    'row-bytes': { type: 'string', default: '4000' },
    records: { type: 'string', default: '0' },
    files: { type: 'string', default: '0' },
    'file-bytes': { type: 'string', default: '1000' },
    kinds: { type: 'string', default: 'txt' },
  },
})
const ROWS = Number(options.rows)
const ROW_BYTES = Number(options['row-bytes'])
const RECORDS = Number(options.records)
/** Files of each record. */
const FILES = Number(options.files)
const FILE_BYTES = Number(options['file-bytes'])
const KINDS = options.kinds.split(',') as ('pdf' | 'png' | 'zip' | 'txt')[]
/** Kissflow's limit of a dataset (kissflow-api.md, Items). */
const DATASET_ROWS = 50_000
const TEXT_BYTES = 1 << 22

const WORDS =
  'order invoice delivery approved rejected pending supplier contract amount quantity warehouse employee manager department request comment region quarter customer material due paid open closed urgent budget travel training device server license renewal'.split(
    ' ',
  )

/** Numbers that look random and follow from a number (Mulberry32). */
function hash(seed: number): number {
  let t = (seed + 0x6d2b79f5) | 0
  t = Math.imul(t ^ (t >>> 15), t | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return (t ^ (t >>> 14)) >>> 0
}

function makeText(): string {
  let text = ''
  for (let i = 0; text.length < TEXT_BYTES; i++) text += `${WORDS[hash(i) % WORDS.length]} ${i % 7 === 0 ? hash(i * 31) % 100_000 : ''} `
  return text
}
const text = makeText()

function words(key: number, bytes: number): string {
  const at = hash(key) % (text.length - bytes)
  return text.slice(at, at + bytes)
}

function row(index: number): string {
  const id = `Row_${String(index).padStart(8, '0')}`
  const head = {
    _id: id,
    Name: id,
    Amount: hash(index) % 1_000_000,
    Status: WORDS[hash(index + 1) % 8],
    _modified_at: '2026-05-04T10:20:30Z',
  }
  return JSON.stringify({ ...head, Notes: words(index, ROW_BYTES - 150) })
}

function record(index: number): string {
  const files = Array.from({ length: FILES }, (_, place) => {
    const number = index * FILES + place
    const kind = kindOf(number)
    return {
      id: `Attach_${number}`,
      name: `Paper ${number}.${kind}`,
      key: `Papers_A00/${number}`,
      size: sizeOf(number),
      fileExtension: kind,
    }
  })
  return JSON.stringify({ _id: recordId(index), Name: `Paper ${index}`, Notes: words(index, 500), Papers: files })
}

const recordId = (index: number): string => `Pk${String(index).padStart(10, '0')}`
const kindOf = (number: number): (typeof KINDS)[number] => KINDS[number % KINDS.length] ?? 'txt'
// From half to one and a half of the mean.
const sizeOf = (number: number): number => Math.floor(FILE_BYTES / 2 + (hash(number + 7) / 2 ** 32) * FILE_BYTES)

function page(query: URLSearchParams, total: number, one: (index: number) => string): string {
  const size = Number(query.get('page_size') ?? 10)
  const from = (Number(query.get('page_number') ?? 1) - 1) * size
  const rows: string[] = []
  for (let index = from; index < Math.min(total, from + size); index++) rows.push(one(index))
  return `[${rows.join(',')}]`
}

const flow = (id: string, type: string): string => JSON.stringify({ _id: id, Name: id, Type: type, Status: 'Live' })
const datasets = Math.ceil(ROWS / DATASET_ROWS)

function answer(path: string, query: URLSearchParams): string | Buffer | undefined {
  if (/^\/flow\/2\/[^/]+\/process\/$/.test(path)) return page(query, RECORDS > 0 ? 1 : 0, () => flow('Papers_A00', 'Process'))
  if (/^\/flow\/2\/[^/]+\/dataset\/$/.test(path)) return page(query, datasets, (index) => flow(`Ledger_${index}`, 'Dataset'))
  const dataset = /^\/dataset\/2\/[^/]+\/Ledger_(\d+)\/list$/.exec(path)
  if (dataset !== null) {
    const first = Number(dataset[1]) * DATASET_ROWS
    return page(query, Math.min(DATASET_ROWS, ROWS - first), (index) => row(first + index))
  }
  if (path.endsWith('/Papers_A00/fields')) return '[{"Id":"Papers","Name":"Papers","Type":"Attachment"}]'
  if (path.endsWith('/admin/Papers_A00/item'))
    return page(query, RECORDS, (index) => JSON.stringify({ _id: recordId(index), Name: `Paper ${index}` }))
  const file = /\/attachment\/Attach_(\d+)$/.exec(path)
  if (file !== null) {
    const number = Number(file[1])
    return Buffer.concat([...filePieces({ kind: kindOf(number), bytes: sizeOf(number), contentKey: hash(number) })])
  }
  const item = /\/admin\/Papers_A00\/Pk(\d+)$/.exec(path)
  if (item !== null) return record(Number(item[1]))
  return path.startsWith('/comment/') ? undefined : '[]'
}

const server = createServer((request, response) => {
  request.resume()
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://account')
  const body = answer(pathname, searchParams)
  response.writeHead(body === undefined ? 404 : 200, {
    'content-type': typeof body === 'string' ? 'application/json' : 'application/octet-stream',
  })
  response.end(body ?? '{}')
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  const said = { base_url: `http://127.0.0.1:${port}`, account_id: 'AcMixed0001', access_key_id: 'key', access_key_secret: 'mixed-account' }
  process.stdout.write(`${JSON.stringify(said)}\n`)
})
process.once('SIGTERM', () => process.exit(0))
