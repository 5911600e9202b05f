import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { probeStorage } from '../../src/core/doctor/probe-storage.js'
import { StorageRefusedError, TryLaterError } from '../../src/errors.js'
import { LocalStorage } from '../../src/storage/local.js'

const never = new AbortController().signal

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'kfbackup-probe-'))
}

it('writes, reads back, deletes, and leaves nothing', async () => {
  const path = folder()
  await probeStorage(new LocalStorage(path), never)
  expect(readdirSync(path)).toEqual([])
})

it('takes its file away also when it is stopped between writing and deleting', async () => {
  const path = folder()
  const stop = new AbortController()
  const storage = new LocalStorage(path)
  const read = storage.read.bind(storage)
  storage.read = async (...args) => {
    expect(readdirSync(path)).toHaveLength(1)
    stop.abort(new Error('stopped'))
    return await read(...args)
  }
  await expect(probeStorage(storage, stop.signal)).rejects.toThrow('stopped')
  expect(readdirSync(path)).toEqual([])
})

it('says which step failed, with the exit code and the fix of what failed', async () => {
  const path = folder()
  const readsWrong = new LocalStorage(path)
  readsWrong.read = async () => Readable.from([Buffer.from('something else')])
  await expect(probeStorage(readsWrong, never)).rejects.toMatchObject({
    step: 'read',
    exitCode: 14,
    message: expect.stringContaining('other bytes'),
  })
  const keeps = new LocalStorage(path)
  keeps.remove = async () => {
    throw new StorageRefusedError('delete is not allowed.', { code: 'E_LOCKED_BUCKET', hint: 'Allow it.' })
  }
  await expect(probeStorage(keeps, never)).rejects.toMatchObject({ step: 'delete', code: 'E_LOCKED_BUCKET', hint: 'Allow it.' })
  const slow = new LocalStorage(path)
  slow.put = async () => {
    throw new TryLaterError('nobody answers.')
  }
  await expect(probeStorage(slow, never)).rejects.toMatchObject({ step: 'write', exitCode: 75 })
})
