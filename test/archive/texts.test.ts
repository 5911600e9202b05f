import { describe, expect, it } from 'vitest'
import { formatBackupJson, parseBackupJson, partNameOf } from '../../src/archive/backup-json.js'
import { flowsCsv } from '../../src/archive/flows-csv.js'
import { recordLines } from '../../src/archive/index-lines.js'
import { backupFolder, backupId, flowEntryNames, parseBackupFolder, partName, subdomainOfUrl } from '../../src/archive/layout.js'
import { formatSha256Sums, parseSha256Sums } from '../../src/archive/sha256sums.js'
import { DamagedError } from '../../src/errors.js'
import { hasProgram } from '../helpers/programs.js'
import { stock } from './zip-helpers.js'

const BACKUP = {
  formatVersion: 1,
  id: '20261123T020000Z-0011aabb',
  tool: { name: 'kfbackup', version: '0.1.0' },
  account: { subdomain: 'acme', accountId: 'Ac1' },
  createdAt: '2026-11-23T02:00:00Z',
  completedAt: '2026-11-23T03:00:00Z',
  status: 'completed',
  storageMode: 'local',
  categories: ['transactions'],
  zipSize: 4e9,
  encryption: { format: 'none' },
  parts: [{ name: 'Index.zip', bytes: 3, sha256: 'a'.repeat(64) }],
  files: [],
  checksum: 'b'.repeat(64),
}

describe('names of a backup', () => {
  it('tell time, account and number', () => {
    const id = backupId(Date.UTC(2026, 10, 23, 2, 0, 5, 999), '0011aabb')
    expect(id).toBe('20261123T020005Z-0011aabb')
    expect(parseBackupFolder(backupFolder('acme-eu', id))).toEqual({
      subdomain: 'acme-eu',
      id,
      startedAtMs: Date.UTC(2026, 10, 23, 2, 0, 5),
    })
    expect(parseBackupFolder('kfbackup-acme-20261123T0200Z-0011aabb')).toBeUndefined()
    expect(parseBackupFolder('kfbackup-acme-20261399T020005Z-0011aabb')).toBeUndefined()
    expect(parseBackupFolder('kfbackup-acme-20260231T020005Z-0011aabb')).toBeUndefined()
    expect(subdomainOfUrl('http://127.0.0.1:8080/')).toBe('127-0-0-1-8080')
    expect([partName('TransactionalData', 0), partName('AuditLogs', 12_345)]).toEqual(['TransactionalData-0000', 'AuditLogs-12345'])
    expect(['Index.zip', 'A-0000.aes256cbc', 'A-0000.zip.age'].map(partNameOf)).toEqual(['Index', 'A-0000', 'A-0000'])
    for (const name of Object.values(flowEntryNames('x'.repeat(200)))) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
  })
})

describe('backup.json', () => {
  it('is read back as it was written', () => {
    expect(parseBackupJson(formatBackupJson(BACKUP).toString())).toEqual(BACKUP)
  })

  it.each([
    ['no JSON', 'x'],
    ['another file', '{}'],
    ['a newer format', JSON.stringify({ ...BACKUP, formatVersion: 2 })],
    ['a part that leads out', JSON.stringify({ ...BACKUP, parts: [{ name: '../x.zip', bytes: 1, sha256: 'a'.repeat(64) }] })],
    ['a part without hash', JSON.stringify({ ...BACKUP, parts: [{ name: 'x.zip', bytes: 1 }] })],
    ['an unknown status', JSON.stringify({ ...BACKUP, status: 'fine' })],
    ['a negative size', JSON.stringify({ ...BACKUP, zipSize: -1 })],
  ])('is refused: %s', (_what, text) => expect(() => parseBackupJson(text)).toThrow(DamagedError))
})

describe('SHA256SUMS', () => {
  it('is read back, and a line that is none is damage', () => {
    const files = [{ name: 'Index.zip', sha256: 'a'.repeat(64) }]
    expect(parseSha256Sums(formatSha256Sums(files).toString())).toEqual(new Map([['Index.zip', 'a'.repeat(64)]]))
    expect(() => parseSha256Sums('hello')).toThrow(DamagedError)
  })
})

describe('flows.csv', () => {
  it.skipIf(!hasProgram('python3'))('is read by another CSV reader as it was meant, and starts no formula', async () => {
    const names = ['Plain', 'a,b', 'say "hi"', 'two\nlines', 'two\r\nlines', '=1+1', '+1', '-1', '@SUM(A1)', '\tx', 'Größe 日本']
    async function* rows() {
      for (const name of names) yield { id: `id ${name}`, name, type: 'Process', part: 'TransactionalData-0001' }
    }
    const chunks: Buffer[] = []
    for await (const chunk of flowsCsv(rows())) chunks.push(chunk)
    const csv = Buffer.concat(chunks)
    expect(csv.toString().startsWith('S. No,Flow name,Flow ID,Flow type,File location\r\n')).toBe(true)
    const read = JSON.parse(
      stock(
        'python3',
        ['-c', 'import csv,io,json,sys; print(json.dumps(list(csv.reader(io.StringIO(sys.stdin.buffer.read().decode(), newline="")))))'],
        { input: csv },
      ),
    ) as string[][]
    expect(read.slice(1).map((row) => row[1])).toEqual(names.map((name) => (/^[=+\-@\t]/.test(name) ? `'${name}` : name)))
    expect(read.slice(1).map((row) => row[0])).toEqual(names.map((_, index) => String(index + 1)))
    expect(read[1]).toEqual(['1', 'Plain', 'id Plain', 'Process', 'TransactionalData/TransactionalData-0001'])
  })
})

describe('a line of records.jsonl', () => {
  it('is JSON whatever ids hold', () => {
    const line = recordLines('F"low\n', 'p"ath')('i"d\u2028', '2026', 'ab')
    expect(JSON.parse(line)).toEqual({ flow: 'F"low\n', id: 'i"d\u2028', modified_at: '2026', sha256: 'ab', entry: 'p"ath' })
    expect(Object.keys(JSON.parse(recordLines('f', 'e')('x', undefined, 'ab')) as object)).toEqual(['flow', 'id', 'sha256', 'entry'])
    expect(line.indexOf('\n')).toBe(line.length - 1)
  })
})
