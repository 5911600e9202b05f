import { spawn } from 'node:child_process'

export interface ProgramResult {
  /** 128 when a signal killed it. */
  code: number
  stdout: Buffer
  stderr: string
}

export interface ProgramOptions {
  /** Goes to its stdin; without it stdin is empty. */
  input?: Uint8Array | string
  env: NodeJS.ProcessEnv
}

/** Runs a program without a shell and waits for its end; undefined when there is no such program. */
export type RunProgram = (argv: readonly string[], options: ProgramOptions, signal: AbortSignal) => Promise<ProgramResult | undefined>

const KILLED = 128

/** See RunProgram. Rejects with the signal's reason, or with what spawn failed with when that is not a missing program. */
export const runProgram: RunProgram = (argv, { input, env }, signal) =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const [program = '', ...args] = argv
    const child = spawn(program, args, { env, shell: false, stdio: ['pipe', 'pipe', 'pipe'], signal })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    // A program that ends before it has read everything is judged by its exit code.
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
    child.once('error', (error) => {
      if (signal.aborted) reject(signal.reason)
      else if ('code' in error && error.code === 'ENOENT') resolve(undefined)
      else reject(error)
    })
    child.once('close', (code) => {
      resolve({ code: code ?? KILLED, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') })
    })
  })
