import * as nodeFiles from 'node:fs/promises'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FileOperations, LocalStorage } from '../../src/storage/local.js'
import { load, paths, storageContract, store } from './contract.js'

const never = new AbortController().signal

storageContract('local', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'kfbackup-local-'))
  return { storage: new LocalStorage(join(parent, 'backups')), dispose: () => rm(parent, { recursive: true, force: true }) }
})

describe('a local destination', () => {
  let parent: string
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'kfbackup-local-'))
  })
  afterEach(() => rm(parent, { recursive: true, force: true }))

  it('makes files only the owner reads, in folders only the owner enters', async () => {
    const storage = new LocalStorage(join(parent, 'backups'))
    await store(storage, 'kfbackup-a/part.zip', Buffer.from('x'))
    expect((await stat(join(parent, 'backups'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(parent, 'backups/kfbackup-a'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(parent, 'backups/kfbackup-a/part.zip'))).mode & 0o777).toBe(0o600)
  })

  it('makes a file of this machine the beginning of another, by a rename', async () => {
    const storage = new LocalStorage(join(parent, 'backups'))
    await writeFile(join(parent, 'waiting'), 'early, ', { mode: 0o600 })
    const upload = await storage.putFile('k/part.zip', join(parent, 'waiting'), never)
    if (upload === undefined) throw new Error('not taken')
    expect(await readdir(parent)).toEqual(['backups'])
    expect(await readdir(join(parent, 'backups/k'))).toEqual(['part.zip.partial'])
    await pipeline(Readable.from([Buffer.from('late')]), upload.stream)
    expect(await upload.commit()).toMatchObject({ path: 'k/part.zip', bytes: 11 })
    expect(await readdir(join(parent, 'backups/k'))).toEqual(['part.zip'])
    expect(await readFile(join(parent, 'backups/k/part.zip'), 'utf8')).toBe('early, late')
  })

  it('leaves a file alone that a rename does not bring here, and nothing of one that cannot be opened then', async () => {
    const fail = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))
    await writeFile(join(parent, 'waiting'), 'early')
    const apart = new LocalStorage(join(parent, 'backups'), { files: { ...nodeFiles, rename: fail('EXDEV') } })
    expect(await apart.putFile('k/part.zip', join(parent, 'waiting'), never)).toBeUndefined()
    expect(await readFile(join(parent, 'waiting'), 'utf8')).toBe('early')
    const shut = new LocalStorage(join(parent, 'backups'), { files: { ...nodeFiles, open: fail('EMFILE') } })
    await expect(shut.putFile('k/part.zip', join(parent, 'waiting'), never)).rejects.toThrow(/part\.zip/)
    expect(await readdir(join(parent, 'backups/k'))).toEqual([])
  })

  it('takes the place of a .partial file that a killed run left', async () => {
    const storage = new LocalStorage(parent)
    await mkdir(join(parent, 'k'))
    await writeFile(join(parent, 'k/part.zip.partial'), 'a much longer rest of an earlier run')
    await store(storage, 'k/part.zip', Buffer.from('new'))
    expect(await readdir(join(parent, 'k'))).toEqual(['part.zip'])
    expect(await readFile(join(parent, 'k/part.zip'), 'utf8')).toBe('new')
  })

  it('says that the disk may not be mounted when the parent of the folder is missing', async () => {
    const storage = new LocalStorage(join(parent, 'mnt/usb/backups'))
    await expect(storage.put('k/f', never)).rejects.toMatchObject({
      code: 'E_STORAGE_MISSING',
      exitCode: 14,
      hint: expect.stringMatching(/mount/),
    })
    await expect(paths(storage, '')).rejects.toMatchObject({ code: 'E_STORAGE_MISSING' })
    expect(await readdir(parent)).toEqual([])
  })

  it('lists nothing where no backup has been made yet', async () => {
    expect(await paths(new LocalStorage(join(parent, 'backups')), '')).toEqual([])
  })

  it('refuses a destination that is a file', async () => {
    await writeFile(join(parent, 'backups'), 'a file')
    const storage = new LocalStorage(join(parent, 'backups'))
    await expect(storage.put('k/f', never)).rejects.toMatchObject({ code: 'E_STORAGE_NOT_A_FOLDER', exitCode: 14 })
    await expect(paths(storage, '')).rejects.toMatchObject({ code: 'E_STORAGE_NOT_A_FOLDER', exitCode: 14 })
  })

  it('never writes or removes through a symbolic link below the folder', async () => {
    const outside = join(parent, 'outside')
    await mkdir(outside)
    await writeFile(join(outside, 'precious'), 'precious')
    await mkdir(join(parent, 'backups'))
    await symlink(outside, join(parent, 'backups/k'))
    const storage = new LocalStorage(join(parent, 'backups'))
    await expect(storage.put('k/f', never)).rejects.toMatchObject({ code: 'E_STORAGE_SYMLINK', exitCode: 14 })
    await expect(storage.remove('k/precious', never)).rejects.toMatchObject({ code: 'E_STORAGE_SYMLINK' })
    await expect(storage.removeFolder('k', never)).rejects.toMatchObject({ code: 'E_STORAGE_SYMLINK' })
    expect(await readdir(outside)).toEqual(['precious'])

    await mkdir(join(parent, 'backups/real'))
    await symlink(join(outside, 'precious'), join(parent, 'backups/real/f'))
    await symlink(join(outside, 'precious'), join(parent, 'backups/real/f.partial'))
    await store(storage, 'real/f', Buffer.from('new'))
    expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('precious')
    expect((await lstat(join(parent, 'backups/real/f'))).isFile()).toBe(true)
  })

  it('keeps a folder that still holds a file', async () => {
    const storage = new LocalStorage(parent)
    await store(storage, 'k/deep/f', Buffer.from('x'))
    await storage.removeFolder('k', never)
    expect(await paths(storage, '')).toEqual(['k/deep/f'])
    await storage.remove('k/deep/f', never)
    await storage.removeFolder('k', never)
    expect(await readdir(parent)).toEqual([])
  })

  it('refuses to read what is not a file instead of waiting for it', async () => {
    await mkdir(join(parent, 'k'))
    await expect(new LocalStorage(parent).read('k', undefined, never)).rejects.toMatchObject({ exitCode: 14 })
  })

  it('says so when the disk is full while it writes', async () => {
    const full = await nodeFiles.open('/dev/full', 'w')
    const storage = new LocalStorage(parent, { files: { ...nodeFiles, open: async () => full } })
    const upload = await storage.put('k/f', never)
    await expect(pipeline(Readable.from([Buffer.alloc(100)]), upload.stream)).rejects.toMatchObject({
      code: 'E_STORAGE_NO_SPACE',
      exitCode: 14,
      message: expect.stringMatching(/no space left/),
    })
    await upload.abort()
    expect(await paths(storage, '')).toEqual([])
  })

  const faults: { operation: string; code: string; bytes?: number; expected: { code: string; exitCode: number } }[] = [
    { operation: 'open', code: 'EACCES', expected: { code: 'E_STORAGE_PERMISSION', exitCode: 14 } },
    { operation: 'open', code: 'EROFS', expected: { code: 'E_STORAGE_READ_ONLY', exitCode: 14 } },
    { operation: 'mkdir', code: 'ENOSPC', expected: { code: 'E_STORAGE_NO_SPACE', exitCode: 14 } },
    { operation: 'mkdir', code: 'EDQUOT', expected: { code: 'E_STORAGE_NO_SPACE', exitCode: 14 } },
    { operation: 'write', code: 'EIO', expected: { code: 'E_STORAGE_IO', exitCode: 75 } },
    { operation: 'write', code: 'EFBIG', expected: { code: 'E_STORAGE_FILE_TOO_LARGE', exitCode: 14 } },
    { operation: 'sync', code: 'EIO', expected: { code: 'E_STORAGE_IO', exitCode: 75 } },
    { operation: 'sync', code: 'ENOSPC', expected: { code: 'E_STORAGE_NO_SPACE', exitCode: 14 } },
    { operation: 'datasync', code: 'EIO', bytes: 40 * 2 ** 20, expected: { code: 'E_STORAGE_IO', exitCode: 75 } },
    { operation: 'close', code: 'EDQUOT', expected: { code: 'E_STORAGE_NO_SPACE', exitCode: 14 } },
    { operation: 'rename', code: 'EACCES', expected: { code: 'E_STORAGE_PERMISSION', exitCode: 14 } },
    { operation: 'rename', code: 'ESTALE', expected: { code: 'E_STORAGE_UNREACHABLE', exitCode: 75 } },
  ]
  it.each(faults)(
    'maps $code at $operation, keeps the old file and leaves nothing half-made',
    async ({ operation, code, bytes, expected }) => {
      await store(new LocalStorage(join(parent, 'b')), 'k/f', Buffer.from('old'))
      const storage = new LocalStorage(join(parent, 'b'), { files: failing(operation, code) })
      const attempt = async (): Promise<void> => {
        const upload = await storage.put('k/f', never)
        try {
          await pipeline(Readable.from([Buffer.alloc(bytes ?? 3)]), upload.stream)
          await upload.commit()
        } catch (error) {
          await upload.abort()
          throw error
        }
      }
      await expect(attempt()).rejects.toMatchObject(expected)
      expect(await paths(storage, '')).toEqual(['k/f'])
      expect(String(await load(storage, 'k/f'))).toBe('old')
    },
  )
})

/** The real file operations, of which one fails with the code once. */
function failing(operation: string, code: string): FileOperations {
  let failed = false
  const fail = (name: string): void => {
    if (name !== operation || failed) return
    failed = true
    throw Object.assign(new Error(`${code}: injected at ${name}`), { code })
  }
  return {
    ...nodeFiles,
    open: async (...args: Parameters<typeof nodeFiles.open>) => {
      fail('open')
      const handle = await nodeFiles.open(...args)
      const wrapped: Record<string, unknown> = {
        write: async (chunk: Buffer, offset: number, length: number) => {
          fail('write')
          return handle.write(chunk, offset, length)
        },
        datasync: async () => {
          fail('datasync')
          return handle.datasync()
        },
        sync: async () => {
          fail('sync')
          return handle.sync()
        },
        close: async () => {
          await handle.close()
          fail('close')
        },
      }
      return wrapped as unknown as nodeFiles.FileHandle
    },
    mkdir: (async (...args: Parameters<typeof nodeFiles.mkdir>) => {
      fail('mkdir')
      return nodeFiles.mkdir(...args)
    }) as typeof nodeFiles.mkdir,
    rename: async (...args: Parameters<typeof nodeFiles.rename>) => {
      fail('rename')
      return nodeFiles.rename(...args)
    },
  }
}
