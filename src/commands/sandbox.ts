import { once } from 'node:events'
import { EXIT, type ExitCode, UsageError } from '../errors.js'
import { type Sandbox, startSandbox } from '../sandbox/server.js'
import { formatCount, parseDuration, parseSize } from '../util/units.js'
import type { CommandContext } from './command-context.js'

/** Options of `kfbackup sandbox`, as typed. */
export interface SandboxCommandOptions {
  port?: string
  items?: string
  rateLimit?: string
  latency?: string
  faults?: string
  seed?: string
  fileSize?: string
  recordCalls?: boolean
}

function wholeNumber(text: string | undefined, flag: string, most = Number.MAX_SAFE_INTEGER): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text.replaceAll(/[_,]/g, ''))
  if (/^\d[\d_,]*$/.test(text) && value <= most) return value
  throw new UsageError(
    most === Number.MAX_SAFE_INTEGER
      ? `${flag} ${text} is not a whole number.`
      : `${flag} ${text} is not a whole number up to ${formatCount(most)}.`,
  )
}

function milliseconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : parseDuration(text)
  if (value === undefined)
    throw new UsageError(`--latency ${text} is no duration.`, { hint: 'Write 20ms, 1s, or a number of milliseconds.' })
  return value
}

function bytes(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = parseSize(text)
  if (value === undefined) throw new UsageError(`--file-size ${text} is no size.`, { hint: 'Write 5GB, 100MB, or a number of bytes.' })
  return value
}

function defined<T extends object>(options: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

function settingsText(sandbox: Sandbox): string {
  const config = {
    account: {
      baseUrl: sandbox.baseUrl,
      accountId: sandbox.accountId,
      accessKeyId: `\${KISSFLOW_ACCESS_KEY_ID}`,
      accessKeySecret: `\${KISSFLOW_ACCESS_KEY_SECRET}`,
    },
    storage: { mode: 'local', path: './backups' },
  }
  return [
    `A Kissflow account is running at ${sandbox.baseUrl} until Ctrl-C. Its files come from ${sandbox.filesUrl}.`,
    '',
    `export KISSFLOW_BASE_URL=${sandbox.baseUrl}`,
    `export KISSFLOW_ACCOUNT_ID=${sandbox.accountId}`,
    `export KISSFLOW_ACCESS_KEY_ID=${sandbox.accessKeyId}`,
    `export KISSFLOW_ACCESS_KEY_SECRET=${sandbox.accessKeySecret}`,
    '',
    'A kfbackup.config.json for it:',
    JSON.stringify(config, undefined, 2),
    '',
    `What clients did:  curl -s ${sandbox.baseUrl}/_sandbox/stats`,
    `What it holds:     curl -s ${sandbox.baseUrl}/_sandbox/truth`,
    '',
  ].join('\n')
}

function settingsLine(sandbox: Sandbox): string {
  return `${JSON.stringify({
    message_type: 'sandbox',
    base_url: sandbox.baseUrl,
    files_url: sandbox.filesUrl,
    account_id: sandbox.accountId,
    access_key_id: sandbox.accessKeyId,
    access_key_secret: sandbox.accessKeySecret,
  })}\n`
}

/** Runs a Kissflow account on this machine until Ctrl-C or SIGTERM, which is how it is meant to end: exit 0. Its keys are no secret. */
export async function sandboxCommand({ flags, stdout, signal }: CommandContext, options: SandboxCommandOptions): Promise<ExitCode> {
  const sandbox = await startSandbox(
    defined({
      port: wholeNumber(options.port, '--port', 65_535),
      items: wholeNumber(options.items, '--items'),
      seed: wholeNumber(options.seed, '--seed', 0xffff_ffff),
      rateLimitPerMinute: wholeNumber(options.rateLimit, '--rate-limit'),
      latencyMs: milliseconds(options.latency),
      faults: options.faults,
      fileSizeBytes: bytes(options.fileSize),
      recordCalls: options.recordCalls,
    }),
  )
  stdout.write(flags.json === true ? settingsLine(sandbox) : settingsText(sandbox))
  if (!signal.aborted) await once(signal, 'abort')
  await sandbox.close()
  if (flags.json === true) stdout.write(`${JSON.stringify({ message_type: 'summary', command: 'sandbox', exit_code: EXIT.ok })}\n`)
  return EXIT.ok
}
