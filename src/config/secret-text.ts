import { isLoopback } from '../util/loopback.js'
import { checkPassphrase, passphraseBytesProblem } from './passphrase.js'

export type SecretKind = 'access key' | 'new passphrase' | 'old passphrase' | 'smtp address' | 'web address' | 'token'

/** The text as it will be used, or what is wrong with it; the problem never repeats the text. */
export type CheckedText = { text: string } | { problem: string }

const CHECKS: Record<SecretKind, (text: string) => CheckedText> = {
  'access key': oneWord,
  token: oneWord,
  'new passphrase': (text) => passphrase(text, checkPassphrase(text)),
  'old passphrase': (text) => passphrase(text, passphraseBytesProblem(text)),
  'smtp address': (text) => {
    const url = addressOf(text)
    if (url === undefined || !['smtp:', 'smtps:'].includes(url.protocol) || url.hostname === '') {
      return {
        problem: 'must be smtps://user:password@host or smtp://host; special characters in the password are written as %40 and so on',
      }
    }
    return { text: text.trim() }
  },
  'web address': (text) => {
    const url = addressOf(text)
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return { problem: 'must be an address that begins with https://' }
    if (url.protocol === 'http:' && !isLoopback(url.hostname)) return { problem: PLAIN_HTTP }
    return { text: text.trim() }
  },
}

/** What to say of plain http to another machine (details.md 34). */
export const PLAIN_HTTP = 'plain http:// is refused except to this machine; use https://'

/** Checks and trims a secret's text. */
export function checkSecretText(kind: SecretKind, text: string): CheckedText {
  return CHECKS[kind](text)
}

/** Keys go into HTTP headers: pasted spaces and line ends around them are taken off, anything inside is a damaged key. */
function oneWord(text: string): CheckedText {
  const word = text.trim()
  if (word === '') return { problem: 'is empty' }
  if (/[^\x21-\x7e]/.test(word)) {
    return { problem: 'holds a space, a line end or a character no key has; copy it again, in one line and without quotes' }
  }
  return { text: word }
}

function passphrase(text: string, problem: string | undefined): CheckedText {
  return problem === undefined ? { text } : { problem }
}

function addressOf(text: string): URL | undefined {
  return /\s/.test(text.trim()) || !URL.canParse(text.trim()) ? undefined : new URL(text.trim())
}
