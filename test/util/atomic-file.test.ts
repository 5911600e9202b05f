import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { syncFolder, writeFileAtomic } from '../../src/util/atomic-file.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kfbackup-atomic-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a file written in one step', () => {
  it('is the new content, with the mode asked for, and nothing else lies around', () => {
    const path = join(folder, 'a')
    writeFileAtomic(path, 'old')
    writeFileAtomic(path, Buffer.alloc(3_000_000, 7))
    expect(readFileSync(path).equals(Buffer.alloc(3_000_000, 7))).toBe(true)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['a'])
  })

  it('stays the old one when the new one cannot take its place', () => {
    const path = join(folder, 'taken')
    writeFileSync(join(folder, 'keep'), 'old')
    // A folder with something in it cannot be replaced by a file.
    rmSync(path, { force: true })
    writeFileAtomic(join(folder, 'keep'), 'old')
    expect(() => writeFileAtomic(join(folder, 'missing', 'a'), 'x')).toThrow(/ENOENT/)
    expect(() => writeFileAtomic(folder, 'x')).toThrow()
    expect(readFileSync(join(folder, 'keep'), 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['keep'])
  })

  it('asks nothing of a folder that is not there', () => {
    expect(() => syncFolder(join(folder, 'missing'))).not.toThrow()
  })
})
