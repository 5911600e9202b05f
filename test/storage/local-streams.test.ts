import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { FileSink } from '../../src/storage/local-streams.js'

/** Writes pieces through a sink whose file takes at most so many bytes at a time, as files on a network do. */
async function writeShort(pieces: readonly Buffer[], limitBytes: number): Promise<{ found: Buffer; bytes: number; gathered: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'kfbackup-sink-'))
  try {
    const path = join(folder, 'file')
    const handle = await open(path, 'wx')
    const write = handle.write.bind(handle) as (bytes: Uint8Array, offset: number, length: number) => Promise<{ bytesWritten: number }>
    let gathered = 0
    Object.assign(handle, {
      write: (bytes: Uint8Array, offset: number, length: number) => write(bytes, offset, Math.min(length, limitBytes)),
      writev: (buffers: Buffer[]) => {
        gathered++
        const all = Buffer.concat(buffers)
        return write(all, 0, Math.min(all.length, limitBytes))
      },
    })
    const sink = new FileSink(handle, path)
    await pipeline(pieces, sink)
    return { found: readFileSync(path), bytes: sink.bytes, gathered }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('a file that takes fewer bytes than it is given', () => {
  it.each([1, 7, 4096, 10_000, 1_000_000])('gets every byte in order, %i at a time', async (limitBytes) => {
    const pieces = [3000, 1, 5000, 4096, 250, 9000].map((bytes) => randomBytes(bytes))
    const { found, bytes, gathered } = await writeShort(pieces, limitBytes)
    expect(found.equals(Buffer.concat(pieces))).toBe(true)
    expect(bytes).toBe(found.length)
    expect(gathered).toBeGreaterThan(0)
  })
})
