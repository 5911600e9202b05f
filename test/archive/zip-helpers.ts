import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ZipWriter } from '../../src/archive/zip-writer.js'

export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'kfbackup-pack-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Writes a ZIP file through the real pipeline; returns its path. */
export async function writeZip(file: string, fill: (zip: ZipWriter) => Promise<void>): Promise<string> {
  const zip = new ZipWriter({ directoryFile: `${file}.directory` })
  const written = pipeline(zip.output, createWriteStream(file))
  try {
    await fill(zip)
    await zip.finish()
    await written
  } finally {
    zip.dispose()
  }
  return file
}

/** Runs a stock program; throws with its output when it fails. */
export function stock(program: string, args: string[], options: { cwd?: string; input?: Buffer | string; encoding?: 'utf8' } = {}): string {
  return execFileSync(program, args, {
    cwd: options.cwd,
    input: options.input,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
    maxBuffer: 2 ** 30,
    stdio: ['pipe', 'pipe', 'pipe'],
  }).toString('utf8')
}

/** `unzip -t` as a test: whole and without a single warning. */
export function unzipTest(file: string): string {
  const output = stock('sh', ['-c', 'unzip -t "$1" 2>&1', 'sh', file])
  if (!/^Archive: .*\nNo errors detected in compressed data of .*\.\n$/.test(output.replace(/ {4}testing: .* OK\n/g, '')))
    throw new Error(output)
  return output
}

/** Deterministic text that deflates about eight times. */
export function text(bytes: number, seed = 1): Buffer {
  const parts: string[] = []
  let state = seed >>> 0 || 1
  let length = 0
  while (length < bytes) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const line = `{"_id":"Pk${state.toString(36)}","Name":"Leave request ${state % 9973}","Status":"${['Draft', 'InProgress', 'Completed'][state % 3]}"},`
    parts.push(line)
    length += line.length
  }
  return Buffer.from(parts.join('')).subarray(0, bytes)
}

/** Deterministic bytes that do not deflate. */
export function noise(bytes: number, seed = 1): Buffer {
  const out = Buffer.alloc(bytes)
  let state = Math.imul(seed, 2654435761) >>> 0 || 1
  for (let at = 0; at < bytes; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    out[at] = (state >>> 11) & 0xff
  }
  return out
}

export async function* chunksOf(content: Buffer, size = 65_536): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}
