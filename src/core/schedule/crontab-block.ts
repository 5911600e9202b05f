import { BackupError } from '../../errors.js'
import { printable } from '../../util/printable.js'

/** The crontab is not as kfbackup left it, or cron cannot run a command from it. Nothing was changed. */
export class CrontabError extends BackupError {
  override readonly code: string = 'E_CRONTAB'
}

const EDIT_HINT = 'Put it right with "crontab -e", then install again.'
/** Shells that understand a quoted command line as it is written here. */
const POSIX_SHELL = /\/(ba|da|k|mk|z|a)?sh$/

function markers(name: string): { begin: string; end: string } {
  return { begin: `# kfbackup begin ${name}`, end: `# kfbackup end ${name}` }
}

interface Found {
  /** Indexes of the two marker lines. */
  from: number
  to: number
}

/** Where the block of `name` stands; undefined when there is none. Throws CrontabError when its markers do not make one block. */
function findBlock(lines: readonly string[], name: string): Found | undefined {
  const { begin, end } = markers(name)
  const places = (marker: string): number[] => lines.flatMap((line, index) => (line.trimEnd() === marker ? [index] : []))
  const begins = places(begin)
  const ends = places(end)
  if (begins.length === 0 && ends.length === 0) return undefined
  const [from] = begins
  const [to] = ends
  if (begins.length !== 1 || ends.length !== 1 || from === undefined || to === undefined || to < from) {
    const line = (from ?? to ?? 0) + 1
    throw new CrontabError(
      `The kfbackup lines in the crontab are broken: ${begins.length} "begin" and ${ends.length} "end" (line ${line}).`,
      {
        hint: `Remove every line "${printable(begin)}" and "${printable(end)}" and what stands between them. ${EDIT_HINT}`,
      },
    )
  }
  const stray = lines.slice(from + 1, to).find((line) => /^# kfbackup (begin|end) /.test(line))
  if (stray !== undefined) {
    throw new CrontabError(`Another kfbackup block begins inside this one: ${printable(stray)}.`, { hint: EDIT_HINT })
  }
  return { from, to }
}

/** Lines before the block decide which shell runs it. */
function checkShell(lines: readonly string[]): void {
  const shell = lines.findLast((line) => /^\s*SHELL\s*=/.test(line))
  const value = shell
    ?.slice(shell.indexOf('=') + 1)
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2')
  if (value === undefined || value === '' || POSIX_SHELL.test(value)) return
  throw new CrontabError(`This crontab runs its commands with ${printable(value, 100)}, which is no POSIX shell.`, {
    hint: 'Put "SHELL=/bin/sh" on a line after the ones that need the other shell, or use "--with systemd".',
  })
}

/** The command lines between the markers of `name`; undefined when there is no block. */
export function readBlock(crontab: string, name: string): string[] | undefined {
  const lines = crontab.split('\n')
  const found = findBlock(lines, name)
  return found === undefined ? undefined : lines.slice(found.from + 1, found.to)
}

/** The crontab with the block of `name` put in or replaced; every other byte stays. Throws CrontabError. */
export function withBlock(crontab: string, name: string, content: readonly string[]): string {
  const { begin, end } = markers(name)
  if (crontab.includes('\0')) throw new CrontabError('The crontab holds a NUL byte.', { hint: EDIT_HINT })
  const lines = crontab.split('\n')
  const found = findBlock(lines, name)
  const block = [begin, ...content, end]
  checkShell(found === undefined ? lines : lines.slice(0, found.from))
  if (found !== undefined) return [...lines.slice(0, found.from), ...block, ...lines.slice(found.to + 1)].join('\n')
  const gap = crontab === '' || crontab.endsWith('\n') ? '' : '\n'
  return `${crontab}${gap}${block.join('\n')}\n`
}

/** The crontab without the block of `name`; every other byte stays. The same text when there is none. */
export function withoutBlock(crontab: string, name: string): string {
  const lines = crontab.split('\n')
  const found = findBlock(lines, name)
  return found === undefined ? crontab : [...lines.slice(0, found.from), ...lines.slice(found.to + 1)].join('\n')
}
