import { spawn } from 'node:child_process'
import { BackupError } from '../errors.js'
import { rfc3339 } from '../util/clock.js'
import { redact } from '../util/mask-url.js'
import { printable } from '../util/printable.js'
import type { NotificationMessage } from './message.js'

export type HookName = 'before' | 'after' | 'onError'

/** Programs the admin wants run around a backup, each an argv array. */
export interface HookOptions {
  before?: readonly string[] | undefined
  after?: readonly string[] | undefined
  onError?: readonly string[] | undefined
}

export interface HookDeps {
  env: NodeJS.ProcessEnv
  cwd: string
  /** Values no hook may see, resolved secrets of the config; also masked in what it printed. */
  secrets: readonly string[]
  /** Default 15 minutes. */
  timeoutMs?: number
}

export interface HookResult {
  /** `skip`: the `before` hook ended with 75, there is nothing to do now. */
  outcome: 'ok' | 'skip' | 'failed'
  /** One sentence, safe to show. */
  message: string
  /** Last lines the program printed, safe to show; for the log. */
  output: string[]
}

/** The `before` hook said no: the run must not start. */
export class HookFailedError extends BackupError {
  override readonly code: string = 'E_HOOK'
}

// sysexits.h EX_TEMPFAIL, the same word kfbackup itself ends with.
const SKIP_EXIT_CODE = 75
const TIMEOUT_MS = 15 * 60_000
const KILL_AFTER_MS = 5_000
const PIPE_GRACE_MS = 500
const MAX_OUTPUT_CHARS = 8_192
const MAX_OUTPUT_LINES = 20

const SECRET_NAMES = /^(KISSFLOW_ACCESS_KEY_(ID|SECRET)|KFBACKUP_PASSPHRASE(_FILE)?)$/

/** Variables about the run: names in capitals, values without secrets and control characters. */
export function hookVariables(hook: HookName, message: NotificationMessage): Record<string, string> {
  const facts: Record<string, string | number | undefined> = {
    KFBACKUP_HOOK: hook,
    KFBACKUP_EVENT: message.event,
    KFBACKUP_ACCOUNT: message.account,
    KFBACKUP_BACKUP_ID: message.runId,
    KFBACKUP_REQUESTER: message.requester,
    KFBACKUP_STARTED_AT: message.startedAtMs === undefined ? undefined : rfc3339(message.startedAtMs),
    KFBACKUP_DURATION_SECONDS: message.durationMs === undefined ? undefined : Math.round(message.durationMs / 1000),
    KFBACKUP_STORAGE_MODE: message.storageMode,
    KFBACKUP_LOCATION: message.location,
    KFBACKUP_RECORDS: message.counts?.records,
    KFBACKUP_ATTACHMENTS: message.counts?.attachments,
    KFBACKUP_BYTES: message.counts?.bytes,
    KFBACKUP_PARTS: message.counts?.parts,
    KFBACKUP_GAPS: message.gaps?.open,
    KFBACKUP_EXIT_CODE: message.exitCode,
    KFBACKUP_ERROR_CODE: message.error?.code,
    KFBACKUP_ERROR: message.error?.message,
  }
  return Object.fromEntries(
    Object.entries(facts).flatMap(([key, value]) => (value === undefined ? [] : [[key, printable(String(value), 1000)]])),
  )
}

/** The user's environment without the variables that hold one of the config's secrets. */
function environmentFor(hook: HookName, message: NotificationMessage, { env, secrets }: HookDeps): NodeJS.ProcessEnv {
  const worth = secrets.filter((secret) => secret.length >= 6)
  const kept = Object.entries(env).filter(
    ([name, value]) => !SECRET_NAMES.test(name) && !worth.some((secret) => value?.includes(secret) === true),
  )
  const facts = Object.entries(hookVariables(hook, message)).map(([name, value]) => [name, redact(value, secrets)])
  return { ...Object.fromEntries(kept), ...Object.fromEntries(facts) }
}

interface Ended {
  code: number | null
  killedBy: NodeJS.Signals | null
  output: string
  timedOut: boolean
}

function runProgram(argv: readonly string[], env: NodeJS.ProcessEnv, deps: HookDeps, signal: AbortSignal): Promise<Ended> {
  const [program, ...args] = argv
  if (program === undefined) return Promise.reject(new Error('no program named'))
  return new Promise((resolve, reject) => {
    // stdout belongs to the results of kfbackup, so a hook's output is caught and logged.
    const child = spawn(program, args, { cwd: deps.cwd, env, shell: false, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let timedOut = false
    let lastResort: NodeJS.Timeout | undefined
    const stop = (): void => {
      child.kill('SIGTERM')
      lastResort ??= setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
    }
    const timer = setTimeout(() => {
      timedOut = true
      stop()
    }, deps.timeoutMs ?? TIMEOUT_MS)
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-MAX_OUTPUT_CHARS)
    }
    const done = (): void => {
      clearTimeout(timer)
      clearTimeout(lastResort)
      signal.removeEventListener('abort', stop)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    signal.addEventListener('abort', stop, { once: true })
    child.once('error', (error) => {
      done()
      reject(error)
    })
    child.once('exit', (code, killedBy) => {
      done()
      const settle = (): void => {
        clearTimeout(grace)
        child.stdout.destroy()
        child.stderr.destroy()
        resolve({ code, killedBy, output, timedOut })
      }
      // A program left in the background keeps the pipes open and must not hold up the run.
      const grace = setTimeout(settle, PIPE_GRACE_MS)
      child.once('close', settle)
    })
  })
}

/**
 * Runs one hook without a shell. Resolves with `skip` when `before` ends with 75 and with `failed` for any other failure: for `before` the caller throws
 * HookFailedError, for the others it warns. Rejects only when `signal` aborts.
 */
export async function runHook(
  hook: HookName,
  argv: readonly string[],
  message: NotificationMessage,
  deps: HookDeps,
  signal: AbortSignal,
): Promise<HookResult> {
  signal.throwIfAborted()
  const shown = `commands.${hook} (${printable(argv[0] ?? '', 100)})`
  let ended: Ended
  try {
    ended = await runProgram(argv, environmentFor(hook, message, deps), deps, signal)
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return { outcome: 'failed', message: `${shown} could not be started: ${printable(why, 100)}`, output: [] }
  }
  signal.throwIfAborted()
  const lines = ended.output.split(/\r?\n/).filter((line) => line.trim() !== '')
  const output = lines.slice(-MAX_OUTPUT_LINES).map((line) => redact(printable(line), deps.secrets))
  if (ended.timedOut) return { outcome: 'failed', message: `${shown} ran too long and was stopped`, output }
  if (ended.code === 0) return { outcome: 'ok', message: `${shown} done`, output }
  if (ended.code === SKIP_EXIT_CODE && hook === 'before') return { outcome: 'skip', message: `${shown} asked to skip this run`, output }
  return { outcome: 'failed', message: `${shown} ended with ${ended.killedBy ?? ended.code ?? 'no code'}`, output }
}
