import { rfc3339 } from '../util/clock.js'
import { printable } from '../util/printable.js'
import { formatBytes, formatCount, formatDuration } from '../util/units.js'
import type { BackupCounts, NotificationMessage, NotifiedGap } from './message.js'

/** Longer lists help nobody in a mail; `history show` has them all. */
const MAX_GAPS_SHOWN = 10
const MAX_NAME_CHARS = 200
const MAX_ERROR_CHARS = 1000

/** A message as every channel shows it: safe text, ready but for the escaping of the channel. */
export interface Description {
  subject: string
  /** One sentence: what happened. */
  headline: string
  /** Label and value. */
  facts: [label: string, value: string][]
  gaps: string[]
  gapsOmitted: number
  /** What to do, where there is something to do. */
  advice: string | undefined
}

/** Words for an exit code: without names, so they may stand in a subject even when detail is off. */
const WHY_FAILED: Record<number, string> = {
  1: 'the run failed',
  2: 'the config or the command line is wrong',
  11: 'another run holds the lock',
  12: 'wrong passphrase or key',
  13: 'Kissflow refused the keys',
  14: 'the storage refused',
  75: 'Kissflow or the storage cannot be reached; the next run continues',
}

const CLASS_WORDS: Record<NotifiedGap['class'], string> = {
  lost: 'lost',
  unavailable: 'not available',
  changed: 'changed meanwhile',
  notOffered: 'not offered by the API',
}

function name(text: string): string {
  return printable(text, MAX_NAME_CHARS)
}

function plural(count: number, one: string): string {
  return `${formatCount(count)} ${one}${count === 1 ? '' : 's'}`
}

function sizeWords(counts: BackupCounts): string {
  return `${plural(counts.records, 'record')}, ${formatBytes(counts.bytes)}`
}

function gapWords(message: NotificationMessage): string {
  const open = message.gaps?.open ?? 0
  return open === 0 ? 'nothing missing' : plural(open, 'gap')
}

/** What happened, without the account: the second half of the subject. */
function eventWords(message: NotificationMessage): string {
  const { event, counts } = message
  switch (event) {
    case 'started':
      return message.resumed === true ? 'started, continues the unfinished run' : 'started'
    case 'completed':
    case 'incomplete':
      return [event, ...(counts === undefined ? [] : [sizeWords(counts)]), gapWords(message)].join(', ')
    case 'failed':
      return `failed, no backup made: ${WHY_FAILED[message.exitCode ?? 1] ?? 'the run failed'}`
    case 'canceled':
      return 'canceled, no backup made'
    case 'overdue':
      return message.lastGoodStartedAtMs === undefined
        ? 'overdue, no good backup yet'
        : `overdue, last good backup ${formatDuration(message.atMs - message.lastGoodStartedAtMs)} old`
  }
}

/** `+1,204`, `-3`, `±0`. */
function difference(now: number, before: number, format: (value: number) => string): string {
  if (now === before) return '±0'
  return now > before ? `+${format(now - before)}` : `-${format(before - now)}`
}

function countFacts({ counts, previous }: NotificationMessage): [string, string][] {
  if (counts === undefined) return []
  const rows: [string, keyof BackupCounts, (value: number) => string][] = [
    ['Flows', 'flows', formatCount],
    ['Records', 'records', formatCount],
    ['Comments', 'comments', formatCount],
    ['Attachments', 'attachments', formatCount],
    ['Users', 'users', formatCount],
    ['Groups', 'groups', formatCount],
    ['Audit events', 'auditEvents', formatCount],
    ['Size', 'bytes', formatBytes],
    ['Parts', 'parts', formatCount],
  ]
  return rows.map(([label, key, format]) => {
    const change = previous === undefined ? '' : ` (${difference(counts[key], previous.counts[key], format)})`
    return [label, format(counts[key]) + change]
  })
}

function factsOf(message: NotificationMessage, detail: boolean): [string, string][] {
  const facts: [string, string | undefined][] = [
    ['Account', name(message.account)],
    ['Backup', message.runId],
    ['Requested by', name(message.requester)],
    ['Host', name(message.host)],
    ['Started', message.startedAtMs === undefined ? undefined : rfc3339(message.startedAtMs)],
    ['Duration', message.durationMs === undefined ? undefined : formatDuration(message.durationMs)],
    ['Storage', message.storageMode],
    ['Location', message.location === undefined ? undefined : name(message.location)],
    ['Encrypted', message.encrypted === undefined ? undefined : message.encrypted ? 'yes' : 'no'],
    ...countFacts(message),
    ['Compared with', message.previous?.backupId],
    ['Error', message.error === undefined ? undefined : message.error.code],
    ['Error text', detail && message.error !== undefined ? printable(message.error.message, MAX_ERROR_CHARS) : undefined],
    ['Exit code', message.exitCode === undefined ? undefined : String(message.exitCode)],
  ]
  if (message.event === 'overdue') {
    const last = message.lastGoodStartedAtMs
    facts.push(['Last good backup', last === undefined ? 'none' : rfc3339(last)])
    facts.push(['Allowed age', message.maxAgeMs === undefined ? undefined : formatDuration(message.maxAgeMs)])
  }
  if (message.gaps !== undefined) {
    const { byClass, open, accepted } = message.gaps
    const classes = Object.entries(CLASS_WORDS).flatMap(([key, words]) => {
      const count = byClass[key as NotifiedGap['class']]
      return count > 0 ? [`${formatCount(count)} ${words}`] : []
    })
    facts.push([
      'Gaps',
      `${formatCount(open)} open, ${formatCount(accepted)} accepted${classes.length > 0 ? `: ${classes.join(', ')}` : ''}`,
    ])
  }
  return facts.flatMap(([label, value]): [string, string][] => (value === undefined ? [] : [[label, value]]))
}

function gapLine(gap: NotifiedGap): string {
  const flow = gap.flow === undefined ? '' : ` ${name(gap.flow)}:`
  return `[${CLASS_WORDS[gap.class]}, ${gap.code}]${flow} ${name(gap.message)}`
}

function adviceOf({ event, error, runId, maxAgeMs }: NotificationMessage): string | undefined {
  if (error?.hint !== undefined) return printable(error.hint, MAX_ERROR_CHARS)
  if (event === 'incomplete' && runId !== undefined) return `See "kfbackup history show ${runId}" for every gap.`
  if (event === 'failed') return 'See "kfbackup history show latest"; "kfbackup doctor" names the cause of most failures.'
  if (event === 'canceled') return 'The place is saved where it could be: the next "kfbackup run" continues.'
  if (event === 'overdue' && maxAgeMs !== undefined) return 'See "kfbackup schedule show", "kfbackup history" and "kfbackup doctor".'
  return undefined
}

/** Turns a message into safe text. With `detail` off it holds counts, codes and advice, and no name of a flow. */
export function describe(message: NotificationMessage, detail: boolean): Description {
  const examples = detail ? (message.gaps?.examples ?? []) : []
  const shown = examples.slice(0, MAX_GAPS_SHOWN)
  const words = eventWords(message)
  return {
    subject: `[kfbackup] ${message.sample === true ? 'TEST ' : ''}${name(message.account)}: ${words}`,
    headline: `${message.sample === true ? 'This is a test. ' : ''}Backup of ${name(message.account)}: ${words}.`,
    facts: factsOf(message, detail),
    gaps: shown.map(gapLine),
    // Without an example there is no list that could go on.
    gapsOmitted: shown.length > 0 ? Math.max(0, (message.gaps?.open ?? 0) - shown.length) : 0,
    advice: adviceOf(message),
  }
}
