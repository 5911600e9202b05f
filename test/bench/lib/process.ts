import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const ROOT = findRoot()
export const BIN = join(ROOT, 'bin', 'kfbackup.js')

// Compiled, this file lies deeper than its source.
function findRoot(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    try {
      const { name } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as { name: string }
      if (name === 'kfbackup') return fileURLToPath(folder)
    } catch {
      if (folder.pathname === '/') throw new Error('the repository of kfbackup was not found')
    }
  }
}

export interface Measured {
  wallMs: number
  code: number | null
  /** Highest resident memory; 0 where the system does not tell. */
  peakBytes: number
  stdout: string
  stderr: string
}

export interface MeasureOptions {
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Exit codes that count as success. */
  ok?: readonly (number | null)[]
  onStart?: (child: ChildProcess) => void
}

const SAMPLE_EVERY_MS = 50
const KEPT_CHARS = 1_000_000

/** Runs a program to its end. Rejects with its last words when it fails. */
export async function measure(program: string, args: readonly string[], options: MeasureOptions = {}): Promise<Measured> {
  const began = performance.now()
  // On the fourth test/helpers/fs-preload.mjs tells what it did.
  const child = spawn(program, args, { env: options.env ?? process.env, cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
  options.onStart?.(child)
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      said[name] = (said[name] + chunk.toString()).slice(-KEPT_CHARS)
    })
  }
  ;(child.stdio[3] as Readable | null)?.resume()
  let peakBytes = 0
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakOf(child.pid))
  }, SAMPLE_EVERY_MS)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    const wallMs = performance.now() - began
    if (!(options.ok ?? [0]).includes(code)) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${said.stderr.slice(-2000)}`)
    return { wallMs, code, peakBytes, ...said }
  } finally {
    clearInterval(timer)
  }
}

/** VmHWM is the system's own high-water mark, so that sampling misses no peak but the last 50 ms'. */
function peakOf(pid: number | undefined): number {
  try {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return found === null ? 0 : Number(found[1]) * 1024
  } catch {
    return 0
  }
}

/** Runs kfbackup itself. */
export function kfbackup(args: readonly string[], options: MeasureOptions = {}): Promise<Measured> {
  return measure(process.execPath, [BIN, ...args], options)
}

/** Runs a pipeline of programs, each an argv array, the last one's output into a file; wall time of the whole. */
export async function measurePipe(steps: readonly (readonly string[])[], output: string, cwd?: string): Promise<number> {
  const began = performance.now()
  const children = steps.map(([program = '', ...args]) => spawn(program, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] }))
  const ends = children.map(
    (child, index) =>
      new Promise<void>((resolve, reject) => {
        child.once('error', reject)
        child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${steps[index]?.join(' ')} ended with ${code}`))))
      }),
  )
  children[0]?.stdin.end()
  for (const [index, child] of children.slice(1).entries()) children[index]?.stdout.pipe(child.stdin)
  const last = children.at(-1)
  const written = new Promise<void>((resolve, reject) =>
    last?.stdout.pipe(createWriteStream(output)).once('close', resolve).once('error', reject),
  )
  await Promise.all([...ends, written])
  return performance.now() - began
}
