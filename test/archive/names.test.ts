import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { AttachmentPaths, type AttachmentPlace } from '../../src/archive/attachment-paths.js'
import { prepareEntry } from '../../src/archive/prepare-entry.js'
import { foldCase, safeSegment } from '../../src/archive/safe-segment.js'
import { UniqueNames } from '../../src/archive/unique-names.js'
import { stock, temporaryFolder, writeZip } from './zip-helpers.js'

const folder = temporaryFolder()
afterAll(() => folder.remove())

/** Names people and attackers give to files. */
const HOSTILE = [
  '',
  '.',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  'C:\\Windows\\system32',
  'a\0b',
  'a\nb\r\x1b[31mred',
  'nul',
  'CON.txt',
  'com1',
  'LPT¹.doc',
  'aux .txt',
  'trailing. . .',
  'x'.repeat(300),
  `${'é'.repeat(200)}.pdf`,
  `${'😀'.repeat(80)}.png`,
  '\u202egnp.exe',
  '\ud800lone',
  'Report.PDF',
  'report.pdf',
  'Ünïcödé.txt'.normalize('NFD'),
  'Ünïcödé.txt',
  '*?"<>|:',
  '~2',
  'a.b~2',
  '   leading',
  'emoji 👨‍👩‍👧‍👦 family.txt',
  '-rf',
  '[ab]*.txt',
  '__proto__',
  'constructor',
]
const anyName = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.string({ unit: fc.constantFrom('a', 'A', 'ß', 'SS', '.', ' ', '~', '2', '/', '\ud83d', 'İ', 'ı'), maxLength: 8 }),
)

describe('a safe segment', () => {
  it.each([
    ['Leave Request.pdf', 'Leave Request.pdf'],
    ['日本語.txt', '日本語.txt'],
    ['a/b\\c:d*e?f"g<h>i|j', 'a_b_c_d_e_f_g_h_i_j'],
    ['a\u202eb\u2066c\u200fd', 'a_b_c_d'],
    ['tab\there\u0085', 'tab_here_'],
    ['name. . ', 'name'],
    ['...', '_'],
    ['', '_'],
    ['CON', '_CON'],
    ['nul.tar.gz', '_nul.tar.gz'],
    ['console.log', 'console.log'],
    ['a\ud800b', 'a_b'],
    ['e\u0301', 'é'],
    ['\u212a.txt', 'K.txt'],
  ])('of %j is %j', (original, expected) => expect(safeSegment(original)).toBe(expected))

  it('is cut before the extension, between two characters, and told apart by a hash', () => {
    const long = safeSegment(`${'ü'.repeat(150)}.tar.gz`)
    expect(long).toMatch(/^ü+~[0-9a-f]{8}\.gz$/)
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(200)
    expect(Buffer.byteLength(long)).toBeGreaterThan(195)
    expect(safeSegment(`${'ü'.repeat(151)}.tar.gz`)).not.toBe(long)
    expect(safeSegment('x'.repeat(200))).toBe('x'.repeat(200))
    expect(safeSegment(`${'x'.repeat(250)}.id`, { extension: false })).toMatch(/^x+~[0-9a-f]{8}$/)
  })

  it('keeps every rule for every name, and stays as it is when made safe again', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        const safe = safeSegment(name)
        expect(safe).not.toMatch(/[\u0000-\u001f\u007f-\u009f\\/:*?"<>|\u202a-\u202e\u2066-\u2069]|[. ]$|^$/)
        expect(safe.isWellFormed()).toBe(true)
        expect(safe.normalize('NFC')).toBe(safe)
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(200)
        expect(safeSegment(safe)).toBe(safe)
      }),
      { numRuns: 500 },
    )
  })
})

describe('names of one folder', () => {
  it('differ ignoring case, and an id keeps its name', () => {
    fc.assert(
      fc.property(fc.array(anyName, { maxLength: 30 }), (names) => {
        const ids = new UniqueNames({ extension: false })
        const given = new Map(names.map((name) => [name, ids.idFor(name)]))
        expect(new Set([...given.values()].map(foldCase)).size).toBe(given.size)
        for (const [name, id] of given) expect(ids.idFor(name)).toBe(id)
        const again = new UniqueNames({ extension: false })
        for (const [name, id] of given) again.restore(name, id)
        for (const [name, id] of given) expect(again.idFor(name)).toBe(id)
        const files = new UniqueNames({ extension: true })
        const all = names.map((name) => files.nextFor(name))
        expect(new Set(all.map(foldCase)).size).toBe(names.length)
        for (const name of all) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
      }),
    )
  })

  it('stay apart in a folder of 30,000, and get ~2 where they would meet', () => {
    const names = new UniqueNames({ extension: false })
    const given = new Set<string>()
    for (let index = 0; index < 30_000; index++) given.add(names.idFor(`Pk${index}`))
    expect(given.size).toBe(30_000)
    expect(given.has('Pk29999')).toBe(true)
    expect(names.idFor('PK17')).toBe('PK17~2')
    expect(names.idFor('pK17')).toBe('pK17~3')
    expect(names.idFor('PK17')).toBe('PK17~2')
    const files = new UniqueNames({ extension: true })
    expect([files.nextFor('a.png'), files.nextFor('A.PNG'), files.nextFor('a.png')]).toEqual(['a.png', 'A~2.PNG', 'a~3.png'])
  })
})

describe('attachment paths', () => {
  const place = (more: Partial<AttachmentPlace>): AttachmentPlace => ({
    recordId: 'Pk1',
    fieldId: 'Docs',
    tableId: undefined,
    rowId: undefined,
    attachmentId: 'A1',
    name: 'a.pdf',
    ...more,
  })

  it('follow record, field, attachment and name; a child table joins its field', () => {
    const paths = new AttachmentPaths()
    expect(paths.next(place({}))).toEqual({ path: 'Attachments/Pk1/Docs/A1/a.pdf', originalFolders: undefined })
    expect(paths.next(place({ tableId: 'Items', rowId: 'R7' })).path).toBe('Attachments/Pk1/Items~R7~Docs/A1/a.pdf')
    expect(paths.next(place({ attachmentId: undefined, name: 'photo.png' })).path).toBe('Attachments/Pk1/Docs/image/photo.png')
    expect(paths.next(place({})).path).toBe('Attachments/Pk1/Docs/A1/a~2.pdf')
    expect(paths.next(place({ recordId: 'PK1', attachmentId: '../x' }))).toEqual({
      path: 'Attachments/PK1~2/Docs/.._x/a.pdf',
      originalFolders: ['PK1', 'Docs', '../x'],
    })
  })

  it('are the same when another process goes on', () => {
    const anyId = fc.oneof(fc.constantFrom('a', 'A', 'b', 'a~2', '..', 'nul'), fc.string({ maxLength: 5 }))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyId, fc.array(fc.tuple(anyId, anyId, anyName), { minLength: 1, maxLength: 4 })), { maxLength: 8 }),
        fc.nat({ max: 40 }),
        (records, stop) => {
          const seen = new Set<string>()
          const places = records
            .filter(([id]) => !seen.has(id) && seen.add(id))
            .flatMap(([recordId, files]) => files.map(([fieldId, attachmentId, name]) => place({ recordId, fieldId, attachmentId, name })))
          const whole = new AttachmentPaths()
          const expected = places.map((one) => whole.next(one))
          const resumed = new AttachmentPaths()
          const at = Math.min(stop, places.length)
          for (let index = 0; index < at; index++)
            resumed.restore(expected[index]!.path, places[index]!.name, expected[index]!.originalFolders)
          expect(places.slice(at).map((one) => resumed.next(one))).toEqual(expected.slice(at))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('of hostile names are unpacked by stock unzip inside the folder, each to its own file', async () => {
    const paths = new AttachmentPaths()
    const written = new Map<string, string>()
    const file = await writeZip(join(folder.path, 'hostile.zip'), async (zip) => {
      for (const [index, name] of HOSTILE.entries()) {
        for (const one of [place({ name }), place({ name: 'x', attachmentId: name }), place({ name: 'x', fieldId: name })]) {
          const { path } = paths.next(one)
          written.set(path, `${index} ${path}`)
          await zip.addPrepared(Buffer.from(path), await prepareEntry(Buffer.from(written.get(path) ?? '')))
        }
      }
    })
    expect(written.size).toBe(HOSTILE.length * 3)
    const out = join(folder.path, 'inner', 'out')
    mkdirSync(join(folder.path, 'inner'))
    const said = stock('sh', ['-c', 'unzip -q "$1" -d "$2" 2>&1', 'sh', file, out])
    expect(said).toBe('')
    expect(readdirSync(join(folder.path, 'inner'))).toEqual(['out'])
    expect(existsSync('/etc/passwd~2')).toBe(false)
    for (const [path, content] of written) expect(readFileSync(join(out, path), 'utf8')).toBe(content)
  })
})
