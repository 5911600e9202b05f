import { open } from 'node:fs/promises'
import { ConfigError } from '../errors.js'

/** Reads a secret file; also a pipe such as a shell's `<(…)`, hence no look at its size. Throws ConfigError naming key and file. */
export async function readSecretFile(path: string, key: string, maxBytes: number): Promise<Buffer> {
  try {
    const handle = await open(path, 'r')
    try {
      const buffer = Buffer.alloc(maxBytes + 1)
      let length = 0
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null)
        if (bytesRead === 0) return buffer.subarray(0, length)
        length += bytesRead
        if (length > maxBytes) throw new ConfigError(`${key}: ${path} is larger than ${maxBytes} bytes; that is no secret.`)
      }
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const why =
      code === 'ENOENT' ? 'does not exist' : code === 'EACCES' ? 'may not be read' : code === 'EISDIR' ? 'is a folder' : 'could not be read'
    throw new ConfigError(`${key}: the file ${path} ${why}.`, {
      cause: error,
      hint: 'Write the secret into it, mode 0600, or name another file.',
    })
  }
}
