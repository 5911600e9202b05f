/** Rows of a CSV text (RFC 4180): quoted cells may hold commas, doubled quotes and line ends. Undefined when a quoted cell has no end. */
export function parseCsv(text: string): string[][] | undefined {
  const rows: string[][] = []
  let row: string[] = []
  let at = text.startsWith('\ufeff') ? 1 : 0
  while (at < text.length) {
    let cell = ''
    if (text[at] === '"') {
      for (at++; ; at += 2) {
        const quote = text.indexOf('"', at)
        if (quote < 0) return undefined
        cell += text.slice(at, quote)
        at = quote
        if (text[at + 1] !== '"') break
        cell += '"'
      }
      at++
    }
    const end = endOfCell(text, at)
    row.push(cell + text.slice(at, end))
    at = end + 1
    if (text[end] === ',') {
      if (at === text.length) row.push('')
      continue
    }
    if (text[end] === '\r' && text[at] === '\n') at++
    rows.push(row)
    row = []
  }
  if (row.length > 0) rows.push(row)
  return rows
}

function endOfCell(text: string, from: number): number {
  for (let at = from; at < text.length; at++) if (text[at] === ',' || text[at] === '\n' || text[at] === '\r') return at
  return text.length
}
