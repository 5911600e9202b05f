import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { HOSTILE_NAMES } from '../../src/sandbox/hostile.js'
import { LocalStorage } from '../../src/storage/local.js'
import { makeDice } from '../helpers/dice.js'
import { readUnpacked, sha256, unzipAll } from '../helpers/unpacked.js'
import { type FakeFile, fakeSource } from '../pack/fake-source.js'
import { FOLDER, pack } from '../pack/pack-helpers.js'

const folder = mkdtempSync(join(tmpdir(), 'kfbackup-hostile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PIECES = [
  '..',
  '/',
  '\\',
  '\u0000',
  '\n',
  '\u001b[2J',
  '\u202e',
  '~2',
  '.',
  ' ',
  'CON',
  'é',
  'e\u0301',
  '🚒',
  '長',
  '\ud800',
  ':',
  '*',
  '"',
  '|',
  '%2e',
  'a',
  'A',
  '-',
  "'",
  'x'.repeat(250),
  '.txt',
  '.PDF',
]

/** A thousand names, those of the sandbox first, then any mixture of what breaks archivers; many collide. */
function names(): string[] {
  const dice = makeDice(7)
  const made = Array.from({ length: 1000 - HOSTILE_NAMES.length }, () =>
    Array.from({ length: 1 + dice.below(4) }, () => dice.pick(PIECES)).join(''),
  )
  return [...HOSTILE_NAMES, ...made]
}

it('a thousand hostile names, as file, attachment and record names, unpack inside the folder, each file once with its own bytes', async () => {
  const given = names()
  const files = given.map((name, index): FakeFile => {
    // A record's files come together; ids are other people's text, too.
    const recordId = given[Math.floor(index / 50)] ?? ''
    return { recordId, fieldId: given[index % 7] ?? '', attachmentId: given[index % 3] ?? '', name, content: Buffer.from(`file ${index}`) }
  })
  const source = fakeSource({
    users: [],
    flows: [{ id: '../../Leave', records: [{ id: 'Pk1', json: '{"_id":"Pk1"}' }], files }],
    audit: [],
  })
  await pack(source, { storage: new LocalStorage(join(folder, 'backups')), workFolder: join(folder, 'work') })
  const outside = join(folder, 'outside')
  writeFileSync(outside, 'untouched')
  const unpacked = unzipAll(join(folder, 'backups', FOLDER), join(folder, 'unpacked'))
  // readUnpacked fails on a file that is missing, altered, or named nowhere.
  const held = readUnpacked(unpacked)
  expect([...held.files.values()].reduce((sum, count) => sum + count, 0)).toBe(1000)
  const expected = files.map((file, index) => `${JSON.stringify(file.name)} ${sha256(`file ${index}`)}`)
  const there = [...held.files.keys()].map((key) => key.slice(key.indexOf(' "') + 1))
  // What is broken Unicode stands as such in no JSON file: the replacement tells it.
  expect(there.map((key) => key.slice(-64)).sort()).toEqual(expected.map((key) => key.slice(-64)).sort())
  expect(readdirSync(folder).sort()).toEqual(['backups', 'outside', 'unpacked', 'work'])
  for (const path of readdirSync(unpacked, { recursive: true, encoding: 'utf8' })) {
    for (const segment of path.split('/')) {
      expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(210)
      expect(segment).not.toMatch(/^\.{1,2}$|^(?:con|nul|aux|prn|com\d|lpt\d)(?:\..*)?$/i)
      expect(segment).not.toMatch(/[\u0000-\u001f\u007f\\:*?"<>|\u202a-\u202e\u2066-\u2069]|[. ]$/)
    }
  }
})
