import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LocateOptions, locateBackup } from '../../src/core/backups/locate.js'
import { ConfigError } from '../../src/errors.js'
import { GcsStorage } from '../../src/storage/gcs.js'
import { LocalStorage } from '../../src/storage/local.js'
import { googleServer } from '../helpers/google-server.js'
import { store } from '../storage/contract.js'
import { ACME, idAt, makeBackup } from './make-backup.js'

const never = new AbortController().signal
const ID = idAt('2026-11-20T02:30:00Z')
let cwd: string
let options: LocateOptions
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'kfbackup-locate-'))
  options = {
    cwd,
    destination: async () => ({ options: { mode: 'local', path: join(cwd, 'backups') }, account: ACME }),
    configured: async () => undefined,
  }
})
afterEach(() => rm(cwd, { recursive: true, force: true }))

const withoutConfig = (): LocateOptions => ({
  ...options,
  destination: () => Promise.reject(new ConfigError('There is no config.')),
})

describe('locating a backup', () => {
  it('finds an id at the configured destination', async () => {
    await makeBackup(new LocalStorage(join(cwd, 'backups')), { id: ID })
    const found = await locateBackup('latest', options, never)
    expect(found).toMatchObject({ folder: `kfbackup-acme-${ID}`, backup: { id: ID, state: 'good' } })
    await expect(locateBackup('latest', withoutConfig(), never)).rejects.toMatchObject({ exitCode: 2 })
  })

  it('finds a folder by its path, relative to the working directory, without a config', async () => {
    const folder = await makeBackup(new LocalStorage(cwd), { id: ID })
    for (const spec of [folder, `./${folder}`, `${folder}/`, join(cwd, folder)]) {
      const found = await locateBackup(spec, withoutConfig(), never)
      expect(found, spec).toMatchObject({ folder, backup: { id: ID } })
      expect(found.storage.location).toBe(cwd)
    }
  })

  it("finds folders and files of Kissflow's own, which no backup.json describes", async () => {
    await store(new LocalStorage(cwd), 'from-kissflow/TransactionalData-0000.aes256cbc', Buffer.from('x'))
    const folder = await locateBackup('from-kissflow/', withoutConfig(), never)
    expect(folder).toMatchObject({ folder: 'from-kissflow' })
    expect(folder.backup).toBeUndefined()
    const file = await locateBackup('from-kissflow/TransactionalData-0000.aes256cbc', withoutConfig(), never)
    expect(file).toMatchObject({ folder: '', file: 'TransactionalData-0000.aes256cbc' })
    expect(file.storage.location).toBe(join(cwd, 'from-kissflow'))
  })

  it('finds a backup by its URL, with the endpoint of the config', async () => {
    const server = await googleServer()
    try {
      const configured = { mode: 'gcs' as const, bucket: 'other', prefix: 'x', endpoint: server.url }
      const folder = await makeBackup(new GcsStorage({ bucket: 'bucket', prefix: 'acme', endpoint: server.url }), { id: ID })
      const withEndpoint = { ...withoutConfig(), configured: async () => configured }
      const found = await locateBackup(`gs://bucket/acme/${folder}/`, withEndpoint, never)
      expect(found).toMatchObject({ folder, backup: { id: ID, state: 'good' } })
      expect(found.storage.location).toBe('gs://bucket/acme')
      await expect(locateBackup('gs://bucket/acme/nothing', withEndpoint, never)).rejects.toMatchObject({ exitCode: 10 })
    } finally {
      await server.close()
    }
  })

  it('says that nothing is there, 10', async () => {
    await expect(locateBackup('./nowhere', withoutConfig(), never)).rejects.toMatchObject({
      exitCode: 10,
      message: expect.stringContaining(join(cwd, 'nowhere')),
    })
    await expect(locateBackup('20261120', options, never)).rejects.toMatchObject({ exitCode: 10 })
  })
})
