import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createAgeEncryption } from '../../src/crypto/age-encryption.js'
import type { BackupEncryption } from '../../src/crypto/encryption.js'
import { createOpensslEncryption } from '../../src/crypto/openssl-encryption.js'
import { noise, temporaryFolder, text } from '../archive/zip-helpers.js'
import { hasProgram } from '../helpers/programs.js'
import { type FakeAccount, fakeSource } from './fake-source.js'
import { FOLDER, pack, packOptions, tree } from './pack-helpers.js'
import { FolderStorage } from './test-storage.js'

const temporary = temporaryFolder()
afterAll(() => temporary.remove())

const PASSPHRASE = 'Wörter & "Zeichen" $HOME 1'
const ACCOUNT: FakeAccount = {
  users: ['{"_id":"Us1"}'],
  flows: [
    {
      id: 'Some_Flow',
      records: Array.from({ length: 900 }, (_, index) => ({
        id: `Pk${index}`,
        json: JSON.stringify({ _id: `Pk${index}`, t: noise(1500, index + 1).toString('base64') }),
      })),
      files: [{ recordId: 'Pk1', attachmentId: 'A', name: 'note.txt', content: text(3000) }],
    },
  ],
}

/** The commands of a Readme.txt: they stand alone, four spaces in. */
function commands(readme: string): string[] {
  return readme
    .split('\n')
    .filter((line) => line.startsWith('    ') && /^ {4}(sha256sum|for |openssl|age|jq)/.test(line))
    .map((line) => line.trim())
}

async function backup(name: string, encryption: BackupEncryption | undefined): Promise<string> {
  const root = join(temporary.path, name)
  mkdirSync(root)
  await pack(
    fakeSource(ACCOUNT),
    { storage: new FolderStorage(join(root, 'store')), workFolder: join(root, 'work') },
    { zipSizeBytes: 1e6, encryption },
  )
  return join(root, 'store', FOLDER)
}

/** Runs what the Readme prints, in its order, in the backup's folder. */
function follow(folder: string): Map<string, Buffer> {
  const readme = readFileSync(join(folder, 'Readme.txt'), 'utf8')
  for (const command of commands(readme)) {
    // Asks on the terminal; its twin with the file is run.
    if (command.startsWith('openssl') && !command.includes('-pass file:')) continue
    execFileSync('bash', ['-c', command], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  }
  return tree(join(folder, 'unpacked'))
}

function expectWhole(folder: string, files: Map<string, Buffer>): void {
  expect(files.has('TransactionalData-0001/Process/Some_Flow/Some_Flow.json')).toBe(true)
  const joined = JSON.parse(readFileSync(join(folder, 'Some_Flow.json'), 'utf8')) as { _id: string }[]
  expect(joined.map((record) => record._id)).toEqual(ACCOUNT.flows[0]?.records.map((record) => record.id))
  expect([...files].find(([path]) => path.endsWith('/Attachments/Pk1/Documents/A/note.txt'))?.[1]).toEqual(text(3000))
  expect(files.has('UserAndGroup.json')).toBe(true)
  expect(files.has('manifest.json')).toBe(true)
}

describe('the commands of Readme.txt, as printed', () => {
  it('open a plain backup', async () => {
    const folder = await backup('plain', undefined)
    expectWhole(folder, follow(folder))
  })

  it('open an encrypted backup with openssl, and tell no counts', async () => {
    const encryption = await createOpensslEncryption({ backupId: packOptions().backupId, passphrase: PASSPHRASE, iterations: 100_000 })
    const folder = await backup('openssl', encryption)
    const readme = readFileSync(join(folder, 'Readme.txt'), 'utf8')
    expect(readme).not.toMatch(/900|Holds/)
    expect(readme).toContain('-iter 100000 -md sha256')
    expect(readme).not.toMatch(/-k |pass:/)
    expect([...tree(folder).keys()]).not.toContain('flows.csv')
    writeFileSync(join(folder, 'passphrase.txt'), `${PASSPHRASE}\n`, { mode: 0o600 })
    expectWhole(folder, follow(folder))
  })

  it.skipIf(!hasProgram('age'))('open a backup encrypted with age', async () => {
    const identity = execFileSync('age-keygen', { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
    const recipient = /public key: (age1\S+)/.exec(identity)?.[1] ?? ''
    const folder = await backup('age', await createAgeEncryption({ recipients: [recipient] }))
    writeFileSync(join(folder, 'key.txt'), identity, { mode: 0o600 })
    expectWhole(folder, follow(folder))
  })
})
