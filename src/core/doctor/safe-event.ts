import { ENDPOINTS } from '../../kissflow/endpoints.js'
import type { Tokens } from './tokens.js'

/** Keys whose texts are kfbackup's own words, times or run ids. */
const OWN_WORDS = new Set([
  'type',
  'time',
  'state',
  'phase',
  'code',
  'status',
  'runId',
  'backupId',
  'started_at',
  'finished_at',
  'storage_mode',
  'id',
])
const OWN_WORD = /^[\w .:+-]{1,60}$/
const LITERALS = new Set(Object.values(ENDPOINTS).flatMap(({ path }) => path.split('/').filter((segment) => !segment.includes('{'))))

/**
 * A line of an event log, or of the history, as it may leave the house: numbers and kfbackup's own words stay, every other text becomes a token. Of messages,
 * which quote names, only status and error codes are left.
 */
export function safeEvent(value: unknown, tokens: Tokens, key = ''): unknown {
  if (typeof value === 'string') return safeText(value, tokens, key)
  if (Array.isArray(value)) return value.map((item) => safeEvent(item, tokens, key))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, safeEvent(item, tokens, name)]))
}

function safeText(text: string, tokens: Tokens, key: string): string {
  if ((OWN_WORDS.has(key) || key === 'categories') && OWN_WORD.test(text)) return text
  if (key === 'call') return safeCall(text, tokens)
  if (key === 'message' || key === 'reason' || key === 'error') return safeMessage(text)
  return tokens.of(key === '' ? 'text' : key, text)
}

/** `GET /process/2/…/admin/…/item?page_number=3` with ids as tokens. */
function safeCall(call: string, tokens: Tokens): string {
  const [, method = '', path = '', query = ''] = /^(?:([A-Z]+) )?([^?]*)\??(.*)$/s.exec(call) ?? []
  const segments = path.split('/').map((segment) => (segment === '' || LITERALS.has(segment) ? segment : tokens.of('id', segment)))
  const pairs = query.split('&').filter((pair) => /^\w+=([\d-]+|true|false)$/.test(pair))
  return `${method} ${segments.join('/')}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`.trim()
}

function safeMessage(text: string): string {
  const found = text.match(
    /\banswered \d{3}\b|\b(?:KISSFLOW_ERROR_\d+|UND_ERR_[A-Z_]+|E_?[A-Z][A-Z_]{3,})\b|\battempt \d+|\b\d+ (?:records|files|attempts)\b/g,
  )
  return found === null ? '(text left out)' : `(text left out) ${[...new Set(found)].join(', ')}`
}
