import { GAP_CODES } from '../../core/gap-codes.js'
import { EXIT } from '../../errors.js'

const MEANINGS = {
  ok: 'done, nothing missing (or only gaps that "accept" names)',
  failed: 'failed; no backup was made',
  usage: 'usage or config',
  incomplete: 'backup made but incomplete; prune could not remove, or its guard stopped it',
  damaged: 'verify found damage',
  overdue: 'overdue (status --max-age)',
  notFound: 'no such backup',
  locked: 'another run holds the lock',
  wrongKey: 'wrong passphrase or key',
  keysRefused: 'Kissflow refused the keys',
  storageRefused:
    'storage refused what waiting will not mend: credentials, missing bucket or folder, permission, no space there or in the state folder',
  tryLater: 'Kissflow or the storage unreachable, throttled or failing after all retries: progress is saved, run again later',
  interrupted: 'stopped by Ctrl-C',
  terminated: 'stopped by SIGTERM',
} satisfies Record<keyof typeof EXIT, string>

const CLASSES = {
  lost: 'this one thing could not be had after every retry',
  unavailable: 'this account or key could have given it and did not',
  changed: 'appeared, moved or went away while the backup was made',
  notOffered: 'the API offers it to no key',
} as const

const WIDTH = 79

/** `text` in lines that keep to the left margin after the first. */
function wrap(first: string, text: string): string {
  const margin = ' '.repeat(first.length)
  const lines: string[] = []
  let line = first
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH && line.trim() !== '' && line !== first) {
      lines.push(line.trimEnd())
      line = margin
    }
    line += `${word} `
  }
  lines.push(line.trimEnd())
  return lines.join('\n')
}

/** The topic, made from the tables the program itself uses. */
export function exitCodesTopic(): string {
  const lines = ['Exit codes', '']
  for (const [name, meaning] of Object.entries(MEANINGS)) {
    lines.push(wrap(`${String(EXIT[name as keyof typeof EXIT]).padStart(5)}  `, meaning))
  }
  lines.push('', 'An unknown code means failure. With --json the last line on stderr is then', '"exit_error" with code, message and hint.')
  lines.push('', 'Codes in gaps.json', '')
  lines.push(
    wrap(
      '',
      'Every gap of a backup has a class and a code. "lost" always makes a run incomplete, "unavailable" does unless "accept" names it; "changed" and "notOffered" are recorded and change nothing.',
    ),
  )
  for (const [gapClass, meaning] of Object.entries(CLASSES)) {
    lines.push('', `${gapClass}: ${meaning}`)
    for (const [code, entry] of Object.entries(GAP_CODES)) {
      if (entry.class === gapClass) lines.push(wrap(`  ${code.padEnd(19)} `, entry.meaning))
    }
  }
  return `${lines.join('\n')}\n`
}
