import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { SandboxOptions } from '../../src/sandbox/options.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'

/** The day on which every account of the tests lives: that of the clock, since the binary asks for the audit log of the year before it. */
export const TODAY_MS = new Date().setUTCHours(0, 0, 0, 0)
export const BINARY = new URL('../../bin/kfbackup.js', import.meta.url).pathname

/** How a process of the real binary ended. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  /** The JSON lines of stdout. */
  lines: Record<string, unknown>[]
  /** The last line of stdout when it is a summary. */
  summary: Record<string, unknown> | undefined
  /** The `exit_error` line of stderr. */
  error: { code: string; exit_code: number; message: string; hint: string | null } | undefined
}

export interface StartOptions {
  /** Modules loaded before the binary. */
  preloads?: readonly string[]
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** What stands between the binary and its files; see fs-preload.mjs. */
  files?: FsPlan
  /** Hears the lines that fs-preload.mjs says. */
  onControl?: (message: Record<string, unknown>, child: ChildProcess) => void
}

/** Options under which the binary's time goes a hundred times as fast: no test waits. */
export const FAST_TIME: StartOptions = {
  preloads: [new URL('fast-time.mjs', import.meta.url).pathname],
  env: { KFBACKUP_TEST_SPEED: '100' },
}

/** What fs-preload.mjs is told. */
export interface FsPlan {
  action: 'count' | 'kill' | 'pause' | 'fail'
  /** A paused process goes on when this file is there. */
  go?: string
  phase: 'all' | 'collect' | 'pack' | 'commit'
  nth: number
  ops?: readonly string[]
  /** Regular expression on the operation's path. */
  path?: string
  when?: 'before' | 'half' | 'after'
  code?: string
  stays?: boolean
}

const FS_PRELOAD = new URL('fs-preload.mjs', import.meta.url).pathname

/** A process of the real binary. */
export interface Started {
  child: ChildProcess
  ended: Promise<Ended>
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line)
      return typeof value === 'object' && value !== null ? [value as Record<string, unknown>] : []
    } catch {
      return []
    }
  })
}

/** Starts the real binary. */
export function start(
  args: readonly string[],
  options: StartOptions & { env: NodeJS.ProcessEnv; cwd: string; roots?: readonly string[] },
): Started {
  const { files, roots = [] } = options
  const preloads = [...(options.preloads ?? []), ...(files === undefined ? [] : [FS_PRELOAD])]
  const imports = preloads.flatMap((path) => ['--import', path])
  const control = files === undefined ? {} : { KFBACKUP_TEST_FS: JSON.stringify({ ...files, roots }) }
  const child = spawn(process.execPath, [...imports, BINARY, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], ...options.env, ...control },
    stdio: ['ignore', 'pipe', 'pipe', ...(files === undefined ? [] : (['pipe'] as const))],
  })
  let said = ''
  child.stdio[3]?.on('data', (bytes: Buffer) => {
    said += bytes.toString('utf8')
    const end = said.lastIndexOf('\n') + 1
    for (const message of jsonLines(said.slice(0, end))) options.onControl?.(message, child)
    said = said.slice(end)
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const lines = jsonLines(stdout)
      const last = lines.at(-1)
      const error = jsonLines(stderr).findLast((line) => line['message_type'] === 'exit_error')
      resolve({
        ...{ code, signal, stdout, stderr, lines },
        summary: last?.['message_type'] === 'summary' ? last : undefined,
        error: error as unknown as Ended['error'],
      })
    })
  })
  return { child, ended }
}

/** A sandbox account and a folder with a config, a state folder and a place for backups. */
export interface Workspace {
  sandbox: Sandbox
  folder: string
  stateDir: string
  backups: string
  config: string
  env: NodeJS.ProcessEnv
  /** Writes the config anew; `changes` lie over the sections it was made with. */
  configure: (changes?: Record<string, unknown>) => void
  /** Runs the binary with `--json`, this config and this state folder. */
  run: (args?: readonly string[], options?: StartOptions) => Promise<Ended>
  start: (args?: readonly string[], options?: StartOptions) => Started
  /** Folders of the destination. */
  backupFolders: () => string[]
  /** Ids of the runs in the state folder, oldest first. */
  runs: () => string[]
  /** Names in a run's folder. */
  runFiles: (id: string) => string[]
  /** A run's plan.json; undefined when there is none. */
  plan: (id: string) => Record<string, unknown> | undefined
  close: () => Promise<void>
}

/** The account of most tests: every kind of flow, few people, quick to read. */
export const SMALL: SandboxOptions = { items: 60, users: 6, nowMs: TODAY_MS }

/** Puts a workspace beside a sandbox. */
export function makeWorkspace(sandbox: Sandbox, changes: Record<string, unknown> = {}): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'kfbackup-scenario-'))
  const config = join(folder, 'kfbackup.config.json')
  const stateDir = join(folder, 'state')
  const backups = join(folder, 'backups')
  mkdirSync(join(folder, 'home'))
  const env = {
    HOME: join(folder, 'home'),
    KISSFLOW_ACCESS_KEY_ID: sandbox.accessKeyId,
    KISSFLOW_ACCESS_KEY_SECRET: sandbox.accessKeySecret,
  }
  const configure = (more: Record<string, unknown> = {}): void => {
    const account = {
      baseUrl: sandbox.baseUrl,
      accountId: sandbox.accountId,
      accessKeyId: '${KISSFLOW_ACCESS_KEY_ID}',
      accessKeySecret: '${KISSFLOW_ACCESS_KEY_SECRET}',
    }
    writeFileSync(config, JSON.stringify({ account, storage: { mode: 'local', path: './backups' }, ...changes, ...more }), { mode: 0o600 })
  }
  configure()
  const startHere = (args: readonly string[] = ['run'], options: StartOptions = {}): Started =>
    start([...args, '-c', config, '--state-dir', stateDir, '--json'], {
      cwd: folder,
      roots: [stateDir, backups],
      ...options,
      env: { ...env, ...options.env },
    })
  return {
    ...{ sandbox, folder, stateDir, backups, config, env, configure },
    start: startHere,
    run: (args, options) => startHere(args, options).ended,
    backupFolders: () => {
      try {
        return readdirSync(backups)
          .sort()
          .map((name) => join(backups, name))
      } catch {
        return []
      }
    },
    runs: () => readdirSync(join(stateDir, 'runs')).sort(),
    runFiles: (id) => readdirSync(join(stateDir, 'runs', id)).sort(),
    plan: (id) => {
      const path = join(stateDir, 'runs', id, 'plan.json')
      return existsSync(path) ? readJson(path) : undefined
    },
    close: () => {
      rmSync(folder, { recursive: true, force: true })
      return Promise.resolve()
    },
  }
}

/** Starts a sandbox with a workspace, and ends both after `use`. */
export async function withWorkspace<T>(
  options: SandboxOptions & { config?: Record<string, unknown> },
  use: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const { config, ...sandboxOptions } = options
  const sandbox = await startSandbox({ ...SMALL, ...sandboxOptions })
  const workspace = makeWorkspace(sandbox, config)
  try {
    return await use(workspace)
  } finally {
    await workspace.close()
    await sandbox.close()
  }
}

/** Resolves when the account has had this many calls; throws when the process ends before. */
export async function untilCalls(sandbox: Sandbox, calls: number, started: Started): Promise<void> {
  let ended: Ended | undefined
  void started.ended.then((end) => (ended = end))
  while (sandbox.stats().calls < calls) {
    if (ended !== undefined) throw new Error(`ended after ${sandbox.stats().calls} calls with ${ended.code}: ${ended.stderr}`)
    await wait(2)
  }
}

/** The JSON a file holds. */
export function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
}
