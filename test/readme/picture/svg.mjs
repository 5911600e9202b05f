import { Terminal } from './terminal.mjs'

const CELL = { width: 8.4, height: 19 }
const PAD = { x: 18, top: 52, bottom: 18 }
const FILL = {
  '': '#d6dde6',
  red: '#ff7b72',
  green: '#56d364',
  yellow: '#e3b341',
  blue: '#79c0ff',
  magenta: '#d2a8ff',
  cyan: '#39c5cf',
  white: '#f0f6fc',
  gray: '#8b949e',
  black: '#484f58',
}
/** A recording is shown so many times faster than it was made, and nothing stands still for longer than this. */
const PACE = { times: 2, longestSeconds: 1.2, stepSeconds: 0.4 }

const number = (value) => String(Math.round(value * 100) / 100)
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** One row: runs of the same style; blocks of bars are drawn, since few fonts have them at the width of a letter. */
function rowSvg(cells) {
  const parts = []
  for (let at = 0; at < cells.length; ) {
    const { style, text } = cells[at]
    const isPlain = (cell) => cell.style === style && /^[\u0020-\u007e]$/.test(cell.text)
    const same = (cell) => (text === '█' || text === '░' ? cell.text === text && cell.style === style : isPlain(cell))
    let end = at + 1
    if (same(cells[at])) while (end < cells.length && same(cells[end])) end++
    else while (end < cells.length && cells[end].text === '') end++
    const words = style.split(' ')
    const fill = FILL[words.find((word) => word in FILL && word !== '') ?? '']
    const opacity = words.includes('dim') ? ' opacity=".6"' : ''
    if (text === '█' || text === '░') {
      const width = number((end - at) * CELL.width)
      parts.push(
        `<rect x="${number(at * CELL.width)}" y="-12" width="${width}" height="14" fill="${fill}"${text === '░' ? ' opacity=".22"' : ''}/>`,
      )
    } else {
      const whole = cells
        .slice(at, end)
        .map((cell) => cell.text)
        .join('')
      const run = whole.trim()
      const x = number((at + whole.length - whole.trimStart().length) * CELL.width)
      const width = number((end - at - (whole.length - run.length)) * CELL.width)
      const bold = words.includes('bold') ? ' font-weight="bold"' : ''
      if (run !== '')
        parts.push(`<text xml:space="preserve" x="${x}" textLength="${width}" fill="${fill}"${bold}${opacity}>${escaped(run)}</text>`)
    }
    at = end
  }
  return parts.join('')
}

/** The screens of a recording with the seconds each is shown; the last stays. */
function framesOf(recording) {
  const [head, ...lines] = recording
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const terminal = new Terminal({ columns: head.width, rows: head.height })
  const frames = []
  let shownAt = Number.NEGATIVE_INFINITY
  for (const [index, [time, , text]] of lines.entries()) {
    terminal.write(text)
    const next = lines[index + 1]?.[0] ?? Number.POSITIVE_INFINITY
    // Bytes that come close together are one picture.
    if (next - time < 0.03 || (time - shownAt < PACE.stepSeconds * PACE.times && next !== Number.POSITIVE_INFINITY)) continue
    frames.push({ time, screen: terminal.screen() })
    shownAt = time
  }
  return {
    head,
    frames: frames.map(({ time, screen }, index) => {
      const next = frames[index + 1]?.time ?? time
      return { screen, seconds: Math.min(PACE.longestSeconds, (next - time) / PACE.times) }
    }),
  }
}

/**
 * The picture of a recorded terminal session (asciicast v2): plays once and rests on the last screen, which is also what a viewer without animation
 * shows. The same recording gives the same bytes.
 */
export function sessionSvg(recording) {
  const { head, frames } = framesOf(recording)
  const width = number(head.width * CELL.width + 2 * PAD.x)
  const height = number(head.height * CELL.height + PAD.top + PAD.bottom)
  const total = frames.reduce((sum, { seconds }) => sum + seconds, 0)
  const rows = new Map()
  const drawn = frames.map(({ screen }) =>
    screen
      .map((cells, y) => {
        const svg = rowSvg(cells)
        if (svg === '') return ''
        if (!rows.has(svg)) rows.set(svg, `r${rows.size}`)
        return `<use href="#${rows.get(svg)}" y="${number(y * CELL.height)}"/>`
      })
      .join(''),
  )
  let from = 0
  const styles = []
  const groups = drawn.map((svg, index) => {
    const isLast = index === drawn.length - 1
    const start = number((from / total) * 100)
    from += frames[index].seconds
    const end = number((from / total) * 100)
    const hide = 'visibility:hidden'
    const show = 'visibility:visible'
    const stop = isLast ? `${start}%,100%{${show}}` : `${start}%{${show}}${end}%,100%{${hide}}`
    styles.push(`@keyframes f${index}{0%{${start === '0' ? show : hide}}${stop}}#f${index}{animation:f${index} ${number(total)}s step-end}`)
    return `<g id="f${index}"${isLast ? '' : ' visibility="hidden"'}>${svg}</g>`
  })
  const dots = ['#ff5f57', '#febc2e', '#28c840']
    .map((fill, index) => `<circle cx="${22 + index * 20}" cy="20" r="6" fill="${fill}"/>`)
    .join('')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(head.title)}</title>`,
    `<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}${styles.join('')}@media (prefers-reduced-motion:reduce){g{animation:none!important}}</style>`,
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>${dots}`,
    `<defs>${[...rows].map(([svg, id]) => `<g id="${id}">${svg}</g>`).join('\n')}</defs>`,
    `<g transform="translate(${PAD.x} ${PAD.top})">`,
    ...groups,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}
