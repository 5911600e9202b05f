import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { TryLaterError } from '../errors.js'
import type { Storage } from './storage.js'

/** Makes every part be read back and compared after its upload (`storage.verifyAfterUpload`): the service's own checks, not taken at their word. */
export function addReadBack<T extends Storage>(storage: T): T {
  const send = storage.uploadFile?.bind(storage)
  if (send === undefined) return storage
  storage.uploadFile = async (path, file, options, signal) => {
    const stored = await send(path, file, options, signal)
    const hash = createHash('sha256')
    await pipeline(await storage.read(path, undefined, signal), hash, { signal })
    if (hash.digest('hex') === options.sha256) return stored
    await storage.remove(path, signal)
    throw new TryLaterError(`${path} reads back from ${storage.location} with other content than was sent.`, {
      code: 'E_STORAGE_TRANSFER',
      hint: 'Run again: the part is sent once more.',
    })
  }
  return storage
}
