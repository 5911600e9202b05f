import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { BIN } from './process.js'

/** An account to back up, served by a process of its own. */
export interface Account {
  baseUrl: string
  accountId: string
  keyId: string
  keySecret: string
  close: () => Promise<void>
}

export interface SandboxStats {
  calls: number
  callsByClass: Record<string, number>
  throttled: number
  answersByStatus: Record<string, number>
}

/** A sandbox with what its control plane tells. */
export interface SandboxAccount extends Account {
  stats: () => Promise<SandboxStats>
  reset: () => Promise<void>
  /** JSON Lines of `/_sandbox/log` or `/_sandbox/truth`. */
  lines: <Line>(what: 'log' | 'truth') => AsyncGenerator<Line>
}

interface Announced {
  base_url: string
  account_id: string
  access_key_id: string
  access_key_secret: string
}

/** Starts a program that announces an account on its first line of output. */
export async function startAccount(args: readonly string[]): Promise<Account> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const [first] = (await Promise.race([once(lines, 'line'), failure(child, args)])) as [string]
  const said = JSON.parse(first) as Announced
  const ended = once(child, 'close')
  return {
    baseUrl: said.base_url,
    accountId: said.account_id,
    keyId: said.access_key_id,
    keySecret: said.access_key_secret,
    close: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function failure(child: ChildProcess, args: readonly string[]): Promise<never> {
  const [code] = (await once(child, 'close')) as [number | null]
  throw new Error(`${args.join(' ')} ended with ${code} before it had announced anything`)
}

/** Starts `kfbackup sandbox`. */
export async function startSandbox(flags: readonly string[]): Promise<SandboxAccount> {
  const account = await startAccount([BIN, 'sandbox', '--json', ...flags])
  const ask = async (what: string, init?: RequestInit): Promise<Response> => {
    const answer = await fetch(`${account.baseUrl}/_sandbox/${what}`, init)
    if (!answer.ok) throw new Error(`/_sandbox/${what} answered ${answer.status}`)
    return answer
  }
  return {
    ...account,
    stats: async () => (await (await ask('stats')).json()) as SandboxStats,
    reset: async () => void (await (await ask('control', { method: 'POST', body: '{"resetStats":true}' })).json()),
    lines: async function* <Line>(what: 'log' | 'truth') {
      const { body } = await ask(what)
      let rest = ''
      for await (const chunk of (body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
        const found = (rest + chunk).split('\n')
        rest = found.pop() ?? ''
        for (const line of found) yield JSON.parse(line) as Line
      }
    },
  }
}

export const PASSPHRASE = 'Bench-Passphrase-1'

/** Writes a config for an account into `folder` and returns the flags and the environment that use it. */
export function configFor(
  account: Account,
  folder: string,
  more: Record<string, unknown> = {},
): { flags: string[]; env: NodeJS.ProcessEnv; backups: string; state: string } {
  const { baseUrl, accountId } = account
  const config = {
    account: { baseUrl, accountId, accessKeyId: '${KISSFLOW_ACCESS_KEY_ID}', accessKeySecret: '${KISSFLOW_ACCESS_KEY_SECRET}' },
    storage: { mode: 'local', path: './backups' },
    ...more,
  }
  const path = join(folder, 'kfbackup.config.json')
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 })
  const state = join(folder, 'state')
  const env = {
    ...process.env,
    KISSFLOW_ACCESS_KEY_ID: account.keyId,
    KISSFLOW_ACCESS_KEY_SECRET: account.keySecret,
    KFBACKUP_PASSPHRASE: PASSPHRASE,
  }
  return { flags: ['-c', path, '--state-dir', state], env, backups: join(folder, 'backups'), state }
}

export const ENCRYPTED = { encryption: { format: 'openssl', passphrase: '${KFBACKUP_PASSPHRASE}' } }
