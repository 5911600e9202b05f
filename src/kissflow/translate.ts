import { ConfigError, KeysRefusedError, TryLaterError, WrongHostError } from '../errors.js'
import { ServerDownError } from '../http/caller.js'
import { errorCode, HttpStatusError, RetriesExhaustedError } from '../http/http-error.js'
import { ApiError } from './api-error.js'

/** Whose answer it was, for messages. */
export interface AccountPlace {
  origin: string
  accountId: string
  /** True once the account has answered anything. */
  wasHeard: boolean
}

/** Turns what ends a run into the errors that say so, a final answer into ApiError; everything else stays as it is. */
export function translate(error: unknown, name: string, account: AccountPlace): unknown {
  if (error instanceof HttpStatusError) return statusError(error, name, account)
  if (error instanceof RetriesExhaustedError && error.waitTooLong) {
    return new TryLaterError('Kissflow asks for a wait of more than 15 minutes. Progress is saved.', {
      cause: error,
      code: 'E_THROTTLED',
      hint: 'Run the same command again later.',
    })
  }
  if (error instanceof ServerDownError) return downError(error, account)
  if (isCertificateError(error)) {
    return new ConfigError(`The certificate of ${account.origin} is not trusted: ${errorCode(error)}.`, {
      cause: error,
      code: 'E_CERTIFICATE',
      hint: 'For a certificate authority of your own set NODE_EXTRA_CA_CERTS to its file.',
    })
  }
  return error
}

function statusError(error: HttpStatusError, name: string, { origin, accountId }: AccountPlace): Error {
  const answer = new ApiError(name, error)
  if (error.status === 401) {
    return new KeysRefusedError(`Kissflow refused the access keys of account ${accountId} (401).`, {
      cause: answer,
      hint: 'Check KISSFLOW_ACCESS_KEY_ID and KISSFLOW_ACCESS_KEY_SECRET, or make a new key: Kissflow, Settings, API authentication.',
    })
  }
  if (answer.type.startsWith('DomainMiss')) {
    return new WrongHostError(`${origin} is not the host of account ${accountId}.`, {
      cause: answer,
      hint: 'Compare account.subdomain, account.domain and account.accountId with the address in the browser.',
    })
  }
  return answer
}

function downError(error: ServerDownError, { origin, wasHeard }: AccountPlace): Error {
  if (errorCode(error) === 'ENOTFOUND' && !wasHeard) {
    return new WrongHostError(`There is no host named ${new URL(origin).hostname}.`, {
      cause: error,
      hint: 'Check account.subdomain and account.domain, and that this machine can look up names.',
    })
  }
  return new TryLaterError(`Kissflow at ${origin} does not answer. Progress is saved.`, {
    cause: error,
    code: 'E_UNREACHABLE',
    hint: 'Run the same command again later; it continues where it stopped.',
  })
}

/** True for OpenSSL's verdicts on a certificate and Node's on its name. */
export function isCertificateError(error: unknown): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|HOSTNAME_MISMATCH/.test(errorCode(error))
}
