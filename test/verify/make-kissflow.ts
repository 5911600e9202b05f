import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import yazl from 'yazl'
import { hasProgram } from '../helpers/programs.js'

const date = (text: string) => ({ v: { $date: text }, dv: text.replace(/\.\d+/, ''), tz: 'GMT', td: '' })
const person = (id: string, name: string) => ({ _id: id, Name: name, Kind: 'User' })

export type KissflowFiles = Record<string, Record<string, string | Buffer>>

/** Kissflow's own backup to the letter of its article, extended-JSON dates included: ZIP name to its files. */
export function kissflowFiles(): KissflowFiles {
  const record = (index: number) => ({
    _id: `Pk${index}`,
    Name: `Leave ${index}`,
    _status: 'Completed',
    _stage: 'Completed',
    _current_step: null,
    _current_assigned_to: [],
    _request_number: `LR-${index}`,
    _submitted_at: date('2022-01-11T07:09:09.857Z'),
    _completed_at: date('2022-01-12T07:09:09.000Z'),
    _created_by: person('Us1', 'Ann'),
    Days: 12345678901234567890n.toString(),
  })
  const array = (from: number, to: number) => JSON.stringify(Array.from({ length: to - from }, (_, i) => record(from + i)))
  const rows = [
    ['1', 'Leave, "long"\r\nand short', 'Leave_A00', 'Process', 'TransactionalData/TransactionalData-0000'],
    ['2', 'Leave, "long"\r\nand short', 'Leave_A00', 'Process', 'TransactionalData/TransactionalData-0001'],
    ['3', 'Tasks', 'Tasks_B00', 'Board', 'TransactionalData/TransactionalData-0001'],
  ]
  const csv = [['S. No', 'Flow name', 'Flow ID', 'Flow type', 'File location'], ...rows]
    .map((row) => row.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(','))
    .join('\r\n')
  const members = JSON.stringify([{ ...person('Us1', 'Ann'), Role: 'Admin' }])
  return {
    UserAndGroup: {
      'UserAndGroup.json': JSON.stringify([
        person('Us1', 'Ann'),
        { ...person('Us2', 'Gone'), _is_deleted: true },
        { _id: 'Gr1', Name: 'All', Kind: 'Group', Descendants: [person('Us1', 'Ann')] },
      ]),
      'flows.csv': `${csv}\r\n`,
      'Readme.txt': 'openssl enc -aes-256-cbc -d -salt -iter 10 …\n',
    },
    'TransactionalData-0000': {
      'TransactionalData-0000/Process/Leave_A00/Leave_A00.json': array(0, 40),
      'TransactionalData-0000/Process/Leave_A00/Leave_A00_Users.json': members,
      'TransactionalData-0000/Process/Leave_A00/Comment/Comment.json': JSON.stringify([
        { _id: 'Pk1', Comments: [{ _created_at: date('2022-01-11T07:09:09.857Z') }] },
      ]),
      'TransactionalData-0000/Process/Leave_A00/Attachments/Pk1/In1/At1/what? a: name.txt': 'an attachment',
    },
    'TransactionalData-0001': {
      'TransactionalData-0001/Process/Leave_A00/Leave_A00.json': array(40, 60),
      'TransactionalData-0001/Board/Tasks_B00/Tasks_B00.json': '[]',
    },
    'AuditLogs-0000': {
      'AuditLogs-0000/AuditLog_000000000000.json': `${JSON.stringify({ AuditID: 'a', Timestamp: date('2022-01-11T07:09:09.857Z'), Object: 'Leave_A00 -- Leave' })}\n{"AuditID":"b"}\n`,
    },
  }
}

/** Zips a folder with the stock zip where there is one; the same entries, those of folders too, where not. */
async function zipFolder(tree: string, zip: string): Promise<void> {
  if (hasProgram('zip')) {
    execFileSync('zip', ['-q', '-r', zip, '.'], { cwd: tree })
    return
  }
  const made = new yazl.ZipFile()
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    const path = relative(tree, join(entry.parentPath, entry.name))
    if (entry.isDirectory()) made.addEmptyDirectory(path)
    else made.addFile(join(tree, path), path)
  }
  made.end()
  await pipeline(made.outputStream, createWriteStream(zip))
}

/** Writes it and, with a passphrase, encrypts it by the very openssl command Kissflow names, turned around. */
export async function makeKissflow(
  folder: string,
  { files = kissflowFiles(), passphrase }: { files?: KissflowFiles; passphrase?: string } = {},
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const work = mkdtempSync(join(tmpdir(), 'kfbackup-kissflow-'))
  for (const [name, entries] of Object.entries(files)) {
    const tree = join(work, name)
    for (const [path, content] of Object.entries(entries)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true })
      writeFileSync(join(tree, path), content)
    }
    const zip = join(passphrase === undefined ? folder : work, `${name}.zip`)
    await zipFolder(tree, zip)
    if (passphrase === undefined) continue
    writeFileSync(join(work, 'secret'), passphrase)
    execFileSync('openssl', [
      'enc',
      '-aes-256-cbc',
      '-salt',
      '-iter',
      '10',
      '-in',
      zip,
      '-out',
      join(folder, `${name}.aes256cbc`),
      '-pass',
      `file:${join(work, 'secret')}`,
    ])
  }
  rmSync(work, { recursive: true })
}
