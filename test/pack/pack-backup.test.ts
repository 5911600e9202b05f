import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseBackupJson } from '../../src/archive/backup-json.js'
import type { EntryLine, RecordLine } from '../../src/archive/index-lines.js'
import { noise, stock, temporaryFolder, text, unzipTest } from '../archive/zip-helpers.js'
import { type FakeAccount, type FakeFlow, fakeSource } from './fake-source.js'
import { FOLDER, jsonLines, pack, tree, unpack } from './pack-helpers.js'
import { FolderStorage } from './test-storage.js'

const temporary = temporaryFolder()
afterAll(() => temporary.remove())
let runs = 0

const sha256 = (content: Buffer | string): string => createHash('sha256').update(content).digest('hex')

function record(flow: string, index: number, bytes = 300): FakeFlow['records'][number] {
  const id = `Pk${flow}${index}`
  const filler = text(bytes, index + 1).toString('latin1')
  return {
    id,
    json: JSON.stringify({ _id: id, Big: 1, Name: `Größe ${index}`, Text: filler }).replace('"Big":1', '"Big":12345678901234567890'),
    modifiedAt: `2026-01-01T00:00:${String(index % 60).padStart(2, '0')}Z`,
  }
}

/** Mixed data of about 4 MB: rows, comments, activity, files small and large. */
function account(): FakeAccount {
  return {
    users: Array.from({ length: 50 }, (_, index) => JSON.stringify({ _id: `Us${index}`, Name: `User ${index}`, Kind: 'User' })),
    flows: [
      {
        id: 'Leave_Request_A00',
        name: 'Leave, "Request"',
        records: Array.from({ length: 4000 }, (_, index) => record('L', index)),
        comments: Array.from({ length: 2000 }, (_, index) => ({
          recordId: `PkL${index}`,
          rows: [JSON.stringify({ _id: `C${index}`, RawContent: noise(300, index + 7).toString('base64') }), '{"_id":"x"}'],
        })),
        users: '[{"_id":"Us1","Kind":"User"}]',
        fields: '[{"Id":"Name","Type":"Text"}]',
        files: Array.from({ length: 60 }, (_, index) => ({
          recordId: `PkL${index >> 1}`,
          attachmentId: `Attach_${index}`,
          name: `scan ${index}.pdf`,
          content: index % 3 === 0 ? noise(40_000 + index, index + 1) : text(30_000 + index, index + 1),
        })),
      },
      { id: 'Empty_Flow', name: '=cmd()', records: [], fields: undefined },
      {
        id: 'Tickets',
        type: 'board',
        records: Array.from({ length: 300 }, (_, index) => record('T', index)),
        activity: Array.from({ length: 300 }, (_, index) => ({
          recordId: `PkT${index}`,
          rows: [JSON.stringify({ _event_type: 'comment', text: noise(900, index + 1).toString('base64') })],
        })),
        files: [
          { recordId: 'PkT1', name: 'movie.mp4', attachmentId: 'A1', content: noise(1_700_000) },
          { recordId: 'PkT1', name: 'log.txt', attachmentId: 'A2', content: text(2_600_000) },
          { recordId: 'PkT2', name: 'photo.png', tableId: 'Items', rowId: 'R1', fieldId: 'Photo', content: noise(5000, 9) },
        ],
      },
    ],
    audit: Array.from({ length: 5000 }, (_, index) =>
      JSON.stringify({ AuditID: `A${index}`, Event: 'AC_Login', data: noise(120, index + 1).toString('base64') }),
    ),
    gaps: [
      {
        class: 'notOffered',
        category: 'usersAndGroups',
        flow: null,
        item: null,
        field: null,
        file: null,
        code: 'service_accounts',
        http_status: null,
        message: 'not offered',
        accepted: true,
      },
    ],
  }
}

const ACCOUNT = account()

interface PackedBackup {
  backup: string
  storage: FolderStorage
  warnings: string[]
}

async function packed(zipSizeBytes: number, source = ACCOUNT): Promise<PackedBackup> {
  const root = join(temporary.path, `run-${runs++}`)
  const storage = new FolderStorage(join(root, 'store'))
  const { warnings } = await pack(fakeSource(source), { storage, workFolder: join(root, 'work') }, { zipSizeBytes })
  return { backup: join(root, 'store', FOLDER), storage, warnings }
}

const once = new Map<number, Promise<PackedBackup & { files: Map<string, Buffer>; out: string }>>()

/** The account packed and unpacked at this size; several tests look at one. */
function sample(zipSizeBytes: number): Promise<PackedBackup & { files: Map<string, Buffer>; out: string }> {
  const made =
    once.get(zipSizeBytes) ??
    packed(zipSizeBytes).then((result) => {
      const out = unpack(result.backup, join(result.backup, '../../out'))
      return { ...result, out, files: tree(out) }
    })
  once.set(zipSizeBytes, made)
  return made
}

/** Everything the backup holds, whatever parts it is cut into: arrays joined, files by path below the part. */
function content(unpacked: string): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [path, bytes] of tree(unpacked)) {
    if (['manifest.json', 'entries.jsonl', 'records.jsonl', 'flows.csv'].includes(path)) continue
    const below = path.replace(/^(TransactionalData|AuditLogs)-\d{4}\//, '$1/')
    if (/^AuditLogs\//.test(below)) found.audit = [...((found.audit as unknown[]) ?? []), ...jsonLines(bytes)]
    else if (/^TransactionalData\/[^/]+\/[^/]+\/([^/]+|Comment\/Comment|Activity\/Activity)\.json$/.test(below)) {
      found[below] = [...((found[below] as unknown[]) ?? []), ...(JSON.parse(bytes.toString()) as unknown[])]
    } else {
      expect(found[below], below).toBeUndefined()
      found[below] = sha256(bytes)
    }
  }
  return found
}

describe('a packed backup', () => {
  it('has the layout, passes sha256sum and unzip -t, and holds what went in', async () => {
    const { backup, storage, warnings, files } = await sample(4e9)
    expect(readdirSync(backup).sort()).toEqual([
      'AuditLogs-0000.zip',
      'Index.zip',
      'Readme.txt',
      'SHA256SUMS',
      'TransactionalData-0000.zip',
      'UserAndGroup.zip',
      'backup.json',
      'flows.csv',
    ])
    expect(warnings).toEqual([])
    expect(stock('sha256sum', ['-c', 'SHA256SUMS'], { cwd: backup }).match(/: OK/g)).toHaveLength(6)
    for (const name of readdirSync(backup).filter((file) => file.endsWith('.zip'))) unzipTest(join(backup, name))
    const flow = 'TransactionalData-0000/Process/Leave_Request_A00'
    const records = files.get(`${flow}/Leave_Request_A00.json`)?.toString() ?? ''
    expect(records).toContain('"Big":12345678901234567890')
    expect((JSON.parse(records) as unknown[]).length).toBe(4000)
    expect(JSON.parse(files.get(`${flow}/Comment/Comment.json`)?.toString() ?? '')).toHaveLength(2000)
    expect(files.get(`${flow}/Leave_Request_A00_Users.json`)?.toString()).toBe('[{"_id":"Us1","Kind":"User"}]')
    expect(files.get('TransactionalData-0000/Process/Empty_Flow/Empty_Flow.json')?.toString().trim()).toBe('[]')
    expect(files.has('TransactionalData-0000/Process/Empty_Flow/Empty_Flow_Fields.json')).toBe(false)
    expect(files.has('TransactionalData-0000/Process/Empty_Flow/Comment/Comment.json')).toBe(false)
    expect(files.get('TransactionalData-0000/Board/Tickets/Attachments/PkT2/Items~R1~Photo/image/photo.png')).toEqual(noise(5000, 9))
    expect(JSON.parse(files.get('UserAndGroup.json')?.toString() ?? '')).toHaveLength(50)
    expect(files.get('flows.csv')?.toString()).toBe(
      'S. No,Flow name,Flow ID,Flow type,File location\r\n' +
        '1,"Leave, ""Request""",Leave_Request_A00,Process,TransactionalData/TransactionalData-0000\r\n' +
        "2,'=cmd(),Empty_Flow,Process,TransactionalData/TransactionalData-0000\r\n" +
        '3,Tickets,Tickets,Board,TransactionalData/TransactionalData-0000\r\n',
    )
    expect(readFileSync(join(backup, 'flows.csv'))).toEqual(files.get('flows.csv'))
    expect(storage.log.at(-1)).toBe(`commit ${FOLDER}/backup.json`)
  })

  it('lists every entry and every record with its hash', async () => {
    const { backup, files } = await sample(1e6)
    const entries = jsonLines<EntryLine>(files.get('entries.jsonl') ?? Buffer.alloc(0))
    const inParts = new Map<string, string[]>()
    for (const entry of entries) {
      expect(sha256(files.get(entry.path) ?? 'missing'), entry.path).toBe(entry.sha256)
      expect(files.get(entry.path)?.length).toBe(entry.bytes)
      const part = entry.part
      inParts.set(part, inParts.get(part) ?? stock('zipinfo', ['-1', join(backup, `${part}.zip`)]).split('\n'))
      expect(inParts.get(part)).toContain(entry.path)
    }
    const index = ['entries.jsonl', 'records.jsonl', 'gaps.json', 'flows.csv', 'manifest.json']
    expect(entries.map((entry) => entry.path).sort()).toEqual([...files.keys()].filter((path) => !index.includes(path)).sort())
    const records = jsonLines<RecordLine>(files.get('records.jsonl') ?? Buffer.alloc(0))
    const sent = ACCOUNT.flows.flatMap((flow) =>
      flow.records.map((one) => ({ flow: flow.id, id: one.id, modified_at: one.modifiedAt, sha256: sha256(one.json) })),
    )
    expect(records.map(({ entry: _entry, ...line }) => line)).toEqual(sent)
    const idsIn = new Map(
      [...new Set(records.map((line) => line.entry))].map((path) => [
        path,
        new Set((JSON.parse(files.get(path)!.toString()) as { _id: string }[]).map((one) => one._id)),
      ]),
    )
    expect(records.filter((line) => !idsIn.get(line.entry)?.has(line.id))).toEqual([])
  })

  it('tells in the manifest what was packed, in which part, with the hash of every part', async () => {
    const { backup, files } = await sample(1e6)
    const manifest = JSON.parse(files.get('manifest.json')?.toString() ?? '')
    const json = parseBackupJson(readFileSync(join(backup, 'backup.json'), 'utf8'))
    expect(manifest.parts).toEqual(json.parts.filter((part) => part.name !== 'Index.zip'))
    expect(manifest.packed).toMatchObject({
      flows: 3,
      records: 4300,
      comments: 4000,
      activity: 300,
      files: 63,
      usersAndGroups: 50,
      auditEvents: 5000,
    })
    expect(manifest.collected).toEqual({ apiCalls: 17, flows: [{ id: 'Leave', proven: true }] })
    const leave = manifest.flows[0]
    expect(leave.parts.length).toBeGreaterThan(1)
    expect(leave.parts.reduce((sum: number, part: { records: number }) => sum + part.records, 0)).toBe(4000)
    expect(leave.parts.reduce((sum: number, part: { files: number }) => sum + part.files, 0)).toBe(60)
    for (const part of json.parts) {
      const bytes = readFileSync(join(backup, part.name))
      expect([bytes.length, sha256(bytes)]).toEqual([part.bytes, part.sha256])
    }
    expect(JSON.parse(files.get('gaps.json')?.toString() ?? '')).toEqual(ACCOUNT.gaps)
  })

  it('keeps every part within zip.size, except a single larger file in its own part, with a warning', async () => {
    const { backup, warnings } = await sample(1e6)
    const parts = readdirSync(backup).filter((name) => /^(TransactionalData|AuditLogs)/.test(name))
    expect(parts.length).toBeGreaterThan(4)
    const large = parts.filter((name) => statSync(join(backup, name)).size > 1e6)
    expect(large).toHaveLength(1)
    expect(
      stock('zipinfo', ['-1', join(backup, large[0]!)])
        .trim()
        .split('\n')
        .map((path) => path.split('/').at(-1)),
    ).toEqual(['Tickets.json', 'movie.mp4'])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(`part_above_zip_size: ${large[0]} is 1.70 MB`)
    // No part is wasted: each but the last of a series, and those around the large files, is nearly full.
    expect(parts.filter((name) => statSync(join(backup, name)).size < 400_000).length).toBeLessThanOrEqual(3)
  })

  it('holds the same content at 1MB, at 3MB and in one part', async () => {
    const contents = await Promise.all(
      [1e6, 3e6, 4e9].map(async (size) => {
        return content((await sample(size)).out)
      }),
    )
    expect(Object.keys(contents[0]!).length).toBeGreaterThan(70)
    expect(contents[0]).toEqual(contents[2])
    expect(contents[1]).toEqual(contents[2])
  })

  it('goes on in the next part as a whole array, with a row in flows.csv, and _Users only once', async () => {
    const { files } = await sample(1e6)
    const parts = new Set(
      [...files.keys()]
        .map((path) => /^(TransactionalData-\d+)\/Process\/Leave_Request_A00\//.exec(path)?.[1])
        .filter((part) => part !== undefined),
    )
    expect(parts.size).toBeGreaterThan(1)
    for (const part of parts)
      expect(Array.isArray(JSON.parse(files.get(`${part}/Process/Leave_Request_A00/Leave_Request_A00.json`)?.toString() ?? ''))).toBe(true)
    expect([...files.keys()].filter((path) => path.endsWith('Leave_Request_A00_Users.json'))).toHaveLength(1)
    expect([...files.keys()].filter((path) => path.endsWith('Leave_Request_A00_Fields.json'))).toHaveLength(1)
    const rows =
      files
        .get('flows.csv')
        ?.toString()
        .split('\r\n')
        .filter((row) => row.includes('Leave_Request_A00')) ?? []
    expect(rows.map((row) => row.split('/').at(-1))).toEqual([...parts])
  })

  it('gives the same bytes for the same data in every time zone', async () => {
    const one = await sample(1e6)
    const zone = process.env.TZ
    const sums: string[] = []
    for (const tz of ['Asia/Tokyo', 'America/New_York']) {
      process.env.TZ = tz
      expect(new Date(2026, 0, 1).getTimezoneOffset()).not.toBe(0)
      const { backup } = await packed(1e6)
      sums.push(readFileSync(join(backup, 'SHA256SUMS'), 'utf8'))
    }
    process.env.TZ = zone ?? 'UTC'
    expect(sums[0]).toBe(readFileSync(join(one.backup, 'SHA256SUMS'), 'utf8'))
    expect(sums[1]).toBe(sums[0])
  })

  it('splits audit events into files of 100,000 and counts the files on over the parts', async () => {
    const events = Array.from({ length: 250_000 }, (_, index) => `{"AuditID":"A${index}"}`)
    const whole = await packed(4e9, { flows: [], audit: events })
    const files = tree(unpack(whole.backup, join(whole.backup, '../../out')))
    const lengths = [...files].filter(([path]) => path.startsWith('AuditLogs')).map(([path, bytes]) => [path, jsonLines(bytes).length])
    expect(lengths).toEqual([
      ['AuditLogs-0000/AuditLog_000000000000.json', 100_000],
      ['AuditLogs-0000/AuditLog_000000000001.json', 100_000],
      ['AuditLogs-0000/AuditLog_000000000002.json', 50_000],
    ])
    const cut = await packed(1e6, {
      flows: [],
      audit: Array.from({ length: 9000 }, (_, index) =>
        JSON.stringify({ AuditID: `A${index}`, data: noise(150, index + 1).toString('base64') }),
      ),
    })
    const names = [...tree(unpack(cut.backup, join(cut.backup, '../../out'))).keys()].filter((path) => path.startsWith('AuditLogs'))
    expect(names.length).toBeGreaterThan(1)
    expect(names).toEqual(
      names.map((_, index) => `AuditLogs-${String(index).padStart(4, '0')}/AuditLog_${String(index).padStart(12, '0')}.json`),
    )
  })

  it('packs an empty account, and leaves out what was not asked for', async () => {
    const empty = await packed(1e6, { flows: [], users: [], audit: [] })
    expect(readdirSync(empty.backup).sort()).toEqual([
      'AuditLogs-0000.zip',
      'Index.zip',
      'Readme.txt',
      'SHA256SUMS',
      'UserAndGroup.zip',
      'backup.json',
      'flows.csv',
    ])
    const files = tree(unpack(empty.backup, join(empty.backup, '../../out')))
    expect(files.get('UserAndGroup.json')?.toString().trim()).toBe('[]')
    expect(files.get('AuditLogs-0000/AuditLog_000000000000.json')?.length).toBe(0)
    expect(files.get('gaps.json')?.toString().trim()).toBe('[]')
    const bare = await packed(1e6, { flows: [{ id: 'F', records: [] }] })
    expect(readdirSync(bare.backup)).not.toContain('UserAndGroup.zip')
    expect(readdirSync(bare.backup)).not.toContain('AuditLogs-0000.zip')
  })

  it('puts a record larger than zip.size into its own part and goes on', async () => {
    const big = { id: 'PkBig', json: JSON.stringify({ _id: 'PkBig', Text: noise(1_500_000).toString('base64') }) }
    const flow: FakeFlow = { id: 'F', records: [record('A', 1), big, record('A', 2)] }
    const { backup, warnings } = await packed(1e6, { flows: [flow] })
    const files = tree(unpack(backup, join(backup, '../../out')))
    const arrays = [...files]
      .filter(([path]) => path.endsWith('/F.json'))
      .map(([, bytes]) => (JSON.parse(bytes.toString()) as { _id: string }[]).map((one) => one._id))
    expect(arrays).toEqual([['PkA1'], ['PkBig'], ['PkA2']])
    expect(warnings.map((warning) => warning.split(' ')[1])).toEqual(['TransactionalData-0001.zip'])
  })
})
