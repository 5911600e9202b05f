import type { SandboxOptions } from '../../src/sandbox/options.js'
import { type Sandbox, startSandbox } from '../../src/sandbox/server.js'
import type { TruthLine } from '../../src/sandbox/truth.js'

/** A day on which every account of the tests lives. */
export const TODAY = Date.UTC(2026, 10, 23)

export interface Answer {
  status: number
  type: string
  headers: Headers
  text: string
}

export interface Client {
  sandbox: Sandbox
  /** Path behind the account id may be written with `{a}`. */
  get: (path: string, init?: RequestInit) => Promise<Answer>
  json: (path: string, init?: RequestInit) => Promise<unknown>
  truth: () => Promise<TruthLine[]>
}

/** Runs `use` with a sandbox that is closed afterwards, whatever happens. */
export async function withSandbox<T>(options: SandboxOptions, use: (client: Client) => Promise<T>): Promise<T> {
  const sandbox = await startSandbox({ nowMs: TODAY, ...options })
  const get = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const headers = { 'X-Access-Key-Id': sandbox.accessKeyId, 'X-Access-Key-Secret': sandbox.accessKeySecret, ...init.headers }
    const response = await fetch(sandbox.baseUrl + path.replace('{a}', sandbox.accountId), { redirect: 'manual', ...init, headers })
    return {
      status: response.status,
      type: response.headers.get('content-type') ?? '',
      headers: response.headers,
      text: await response.text(),
    }
  }
  const json = async (path: string, init?: RequestInit): Promise<unknown> => {
    const answer = await get(path, init)
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status} ${answer.text.slice(0, 100)}`)
    return JSON.parse(answer.text)
  }
  const truth = async (): Promise<TruthLine[]> => {
    const lines: TruthLine[] = []
    for await (const line of sandbox.truth()) lines.push(line)
    return lines
  }
  try {
    return await use({ sandbox, get, json, truth })
  } finally {
    await sandbox.close()
  }
}
