import { type BackupError, ConfigError, KeysRefusedError, TryLaterError, WrongHostError } from '../../errors.js'
import { errorCode, HttpStatusError, isTransient } from '../../http/http-error.js'
import { createTransport, readBody, type WireResponse } from '../../http/transport.js'
import { ApiError } from '../../kissflow/api-error.js'
import { buildPath } from '../../kissflow/endpoints.js'
import type { Clock } from '../../util/clock.js'
import type { AccountOptions } from '../run/session.js'

/** What the first call to an account told. */
export interface Contact {
  /** Why nothing more can be asked of it; undefined when it answers to these keys. */
  error: BackupError | undefined
  /** Everything up to the keys is right: host and account exist. */
  isHostRight: boolean
  /** The server's clock less this machine's, in milliseconds; undefined when no answer told. Good to about a second. */
  clockOffsetMs: number | undefined
  /** Of the call that was answered. */
  elapsedMs: number
  calls: number
}

const ATTEMPTS = 3
const PAUSE_MS = 700
const ANSWER_IN_MS = 12_000
const MAX_BODY_BYTES = 4 * 1024 * 1024

/**
 * Asks for one user, outside the retry owner: a doctor wants to know now, not after eight attempts. Never throws but for `signal`. Trouble that may pass is tried
 * three times.
 */
export async function contactHost(
  account: AccountOptions,
  { env, clock }: { env: NodeJS.ProcessEnv; clock: Clock },
  signal: AbortSignal,
): Promise<Contact> {
  const transport = await createTransport({ connections: 1, env })
  const url = new URL(account.baseUrl)
  const query = { page_number: '1', page_size: '1' }
  const path = url.pathname.replace(/\/+$/, '') + buildPath('users.list', { account: account.accountId }, account.endpoints, query)
  const headers = { 'x-access-key-id': account.accessKeyId, 'x-access-key-secret': account.accessKeySecret, accept: 'application/json' }
  const contact: Contact = { error: undefined, isHostRight: false, clockOffsetMs: undefined, elapsedMs: 0, calls: 0 }
  try {
    for (;;) {
      contact.calls++
      const startedMs = clock.now()
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_IN_MS)])
      let failure: unknown
      try {
        const response = await transport.request({ origin: url.origin, path }, { method: 'GET', headers }, inTime)
        contact.elapsedMs = clock.now() - startedMs
        contact.clockOffsetMs = offsetOf(response, (startedMs + clock.now()) / 2)
        failure = await problemOf(response, url.origin)
        if (failure === undefined) return { ...contact, isHostRight: true }
      } catch (error) {
        signal.throwIfAborted()
        failure = error
      }
      if (contact.calls < ATTEMPTS && (isTransient(failure) || failure instanceof PageInsteadError)) {
        await clock.sleep(PAUSE_MS, signal)
        continue
      }
      const error = explain(failure, account)
      return { ...contact, error, isHostRight: error === undefined || error instanceof KeysRefusedError }
    }
  } finally {
    await transport.close()
  }
}

/** An answer with status 200 that is no JSON: a sign-in page, a proxy's page. */
class PageInsteadError extends Error {}

function offsetOf(response: WireResponse, nowMs: number): number | undefined {
  const serverMs = Date.parse(response.header('date') ?? '')
  // The header has whole seconds, cut off.
  return Number.isNaN(serverMs) ? undefined : serverMs + 500 - nowMs
}

async function problemOf(response: WireResponse, origin: string): Promise<Error | undefined> {
  if (response.status >= 300 && response.status < 400) {
    const location = response.header('location') ?? ''
    const target = URL.canParse(location, origin) ? new URL(location, origin).origin : 'elsewhere'
    await response.body.dump({ limit: MAX_BODY_BYTES })
    return new WrongHostError(`${origin} sends its callers to ${target}.`, {
      hint: 'Set account.subdomain and account.domain, or account.baseUrl, to the address the account really has.',
    })
  }
  const body = (await readBody(response.body, MAX_BODY_BYTES))?.toString('utf8') ?? ''
  if (response.status >= 400) {
    return new HttpStatusError('the first call', {
      status: response.status,
      isChallenge: response.header('cf-mitigated') === 'challenge',
      body,
    })
  }
  try {
    JSON.parse(body)
    return undefined
  } catch {
    return new PageInsteadError('no JSON')
  }
}

/** What the failure of the first call means; undefined when the account answers although not with users. */
function explain(failure: unknown, { baseUrl, accountId }: AccountOptions): BackupError | undefined {
  const compare = 'Compare account.subdomain, account.domain and account.accountId with the address in the browser and the id in Kissflow.'
  if (failure instanceof WrongHostError) return failure
  if (failure instanceof PageInsteadError)
    return new WrongHostError(`${baseUrl} answers with a web page, not as Kissflow's API.`, { hint: compare })
  if (failure instanceof HttpStatusError) {
    const answer = new ApiError('GET users', failure)
    if (failure.isChallenge || isTransient(failure)) {
      const code = failure.status === 429 ? 'E_THROTTLED' : 'E_UNREACHABLE'
      const why = failure.status === 429 ? 'refuses calls for now: too many in a minute' : `is in trouble (${failure.status})`
      return new TryLaterError(`${baseUrl} ${why}.`, { code, hint: 'Wait some minutes, then run kfbackup doctor again.' })
    }
    if (failure.status === 401) {
      return new KeysRefusedError(`Kissflow refused the access keys of account ${accountId} (401).`, {
        hint: 'Copy both again, or make new ones: Kissflow, Account Administration, Service account, Create access key. Keys expire.',
      })
    }
    if (answer.type.startsWith('DomainMiss'))
      return new WrongHostError(`${baseUrl} is not the host of account ${accountId}.`, { hint: compare })
    if (failure.status === 404) return new WrongHostError(`${baseUrl} knows no account ${accountId}.`, { hint: compare })
    return failure.status === 403 ? undefined : new WrongHostError(`${baseUrl} answered ${failure.status}.`, { hint: compare })
  }
  const code = errorCode(failure)
  if (code === 'ENOTFOUND') {
    return new WrongHostError(`There is no host named ${new URL(baseUrl).hostname}.`, {
      hint: 'Check account.subdomain and account.domain, and that this machine can look up names.',
    })
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return new ConfigError(`The certificate of ${baseUrl} is not trusted: ${code}.`, {
      code: 'E_CERTIFICATE',
      hint: 'For a certificate authority of your own set NODE_EXTRA_CA_CERTS to its file.',
    })
  }
  const why = failure instanceof Error && failure.name === 'TimeoutError' ? 'no answer in time' : code || 'the connection failed'
  return new TryLaterError(`${baseUrl} cannot be reached (${why}).`, {
    code: 'E_UNREACHABLE',
    hint: 'Check the network, the firewall and HTTPS_PROXY of this machine.',
  })
}
