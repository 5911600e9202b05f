import { spawn } from 'node:child_process'
import { ConfigError } from '../errors.js'

export interface SecretCommandOptions {
  /** The config key, for messages. */
  key: string
  /** Where relative program paths begin: the config file's folder. */
  cwd: string
  /** Already without other secrets. */
  env: NodeJS.ProcessEnv
  timeoutMs: number
  maxBytes: number
}

/**
 * Runs a program without a shell and returns what it prints. Throws ConfigError naming the key and the program, never what it printed:
 * that may be part of the secret.
 */
export async function runSecretCommand(argv: readonly string[], options: SecretCommandOptions, signal: AbortSignal): Promise<Buffer> {
  const [program = '', ...args] = argv
  const { key, cwd, env, timeoutMs, maxBytes } = options
  signal.throwIfAborted()
  const isPosix = process.platform !== 'win32'
  // A group of its own, so that what the program started ends with it.
  const child = spawn(program, args, { cwd, env, shell: false, stdio: ['ignore', 'pipe', 'ignore'], detached: isPosix, windowsHide: true })
  const stop = (): void => {
    if (child.pid === undefined) return
    try {
      process.kill(isPosix ? -child.pid : child.pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
    child.stdout.destroy()
  }
  return await new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const fail = (what: string, hint: string): void => {
      stop()
      settle()
      reject(new ConfigError(`${key}: the command ${program} ${what}`, { hint }))
    }
    const onAbort = (): void => {
      stop()
      settle()
      reject(signal.reason)
    }
    const timer = setTimeout(
      () => fail(`did not end within ${Math.round(timeoutMs / 1000)} s.`, 'It must not ask for anything.'),
      timeoutMs,
    )
    const settle = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > maxBytes) fail(`printed more than ${maxBytes} bytes.`, 'It should print the secret and nothing else.')
    })
    child.once('error', (error: NodeJS.ErrnoException) => {
      fail(`could not be started (${error.code ?? error.message}).`, 'Give the program and its arguments as a list, with a full path.')
    })
    child.once('close', (code, by) => {
      if (code === 0) {
        settle()
        resolve(Buffer.concat(chunks))
        return
      }
      fail(`ended with ${by ?? `exit code ${code}`}.`, 'Run it by hand to see why; kfbackup hides what it prints.')
    })
  })
}
