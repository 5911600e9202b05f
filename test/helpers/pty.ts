import { spawn } from 'node:child_process'
import { once } from 'node:events'

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** What a terminal shows after these bytes: just the control sequences that ora, cli-progress, readline and inquirer use. Throws on any other. */
export function screenOf(bytes: string, columns = 80): string[] {
  const rows: string[][] = [[]]
  let x = 0
  let y = 0
  const put = (text: string): void => {
    if (x >= columns) {
      x = 0
      y++
    }
    while (rows.length <= y) rows.push([])
    while (rows[y].length < x) rows[y].push(' ')
    rows[y][x++] = text
  }
  const token = /\u001b\[([?0-9;]*)([A-Za-z])|\u001b([78])|([\s\S])/gu
  const pieces = bytes.matchAll(/\u001b\[[?0-9;]*[A-Za-z]|\u001b[78]|[^\u001b]+/gu)
  for (const [piece] of pieces) {
    if (piece.startsWith('\u001b')) {
      const [, parameter = '', letter = ''] = token.exec(piece) ?? []
      token.lastIndex = 0
      const n = Number(parameter) || 1
      while (rows.length <= y) rows.push([])
      if (letter === 'A') y = Math.max(0, y - n)
      else if (letter === 'B') y += n
      else if (letter === 'C') x += n
      else if (letter === 'D') x = Math.max(0, x - n)
      else if (letter === 'E') [x, y] = [0, y + n]
      else if (letter === 'G') x = n - 1
      else if (letter === 'K' && parameter === '2') rows[y] = []
      else if (letter === 'K') rows[y].length = Math.min(rows[y].length, x)
      else if (letter === 'J') rows.splice(y, rows.length, rows[y].slice(0, x))
      else if (!'mhl'.includes(letter) && letter !== '') throw new Error(`unknown sequence ${JSON.stringify(piece)}`)
      continue
    }
    for (const { segment } of GRAPHEMES.segment(piece)) {
      for (const sign of segment === '\r\n' ? ['\r', '\n'] : [segment]) {
        if (sign === '\r') x = 0
        else if (sign === '\n') y++
        else if (sign === '\u0007') continue
        else if (sign === '\b') x = Math.max(0, x - 1)
        else put(sign)
      }
    }
  }
  const lines = Array.from(rows, (row) => row.join('').trimEnd())
  while (lines.at(-1) === '') lines.pop()
  return lines
}

/** One step of a conversation: wait until the output holds `expect`, then type `send`. */
export interface Step {
  expect: string | RegExp
  send: string
}

/** Runs a command on a real pseudo-terminal of 80 columns (util-linux `script`) and talks to it. */
export async function onPty(
  argv: readonly string[],
  options: { steps?: readonly Step[]; env?: NodeJS.ProcessEnv; columns?: number; timeoutMs?: number } = {},
): Promise<{ raw: string; screen: string[]; code: number }> {
  const { steps = [], env = {}, columns = 80, timeoutMs = 20_000 } = options
  const quoted = argv.map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(' ')
  const child = spawn('script', ['-qefc', `stty cols ${columns} rows 30; exec ${quoted}`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm-256color', NO_COLOR: '', CI: '', ...env },
  })
  let raw = ''
  let from = 0
  const waiting = [...steps]
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    raw += chunk
    const step = waiting[0]
    if (step === undefined) return
    const found = typeof step.expect === 'string' ? raw.indexOf(step.expect, from) >= 0 : step.expect.test(raw.slice(from))
    if (!found) return
    waiting.shift()
    from = raw.length
    // A program asks, then begins to listen.
    setTimeout(() => child.stdin.write(step.send), 80)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  if (waiting.length > 0) throw new Error(`never saw ${String(waiting[0].expect)} in:\n${raw}`)
  return { raw, screen: screenOf(raw, columns), code: code ?? -1 }
}
