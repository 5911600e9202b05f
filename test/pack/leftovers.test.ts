import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { removeLeftovers } from '../../src/core/pack/destination.js'
import { temporaryFolder } from '../archive/zip-helpers.js'
import { FolderStorage } from './test-storage.js'

const temporary = temporaryFolder()
afterAll(() => temporary.remove())

it('what a killed commit left goes in an order in which nothing looks whole and no sum names what is gone', async () => {
  const folder = join(temporary.path, 'backup')
  mkdirSync(folder)
  for (const name of ['Index.zip', 'Readme.txt', 'SHA256SUMS', 'UserAndGroup.zip', 'backup.json', 'flows.csv'])
    writeFileSync(join(folder, name), name)
  const storage = new FolderStorage(temporary.path)
  await removeLeftovers({ storage, emit: () => {} }, 'backup', new Set(['UserAndGroup.zip']), new AbortController().signal)
  expect(storage.log.slice(0, 2)).toEqual(['remove backup/backup.json', 'remove backup/SHA256SUMS'])
  expect(storage.log.slice(2).sort()).toEqual(['remove backup/Index.zip', 'remove backup/Readme.txt', 'remove backup/flows.csv'])
})
