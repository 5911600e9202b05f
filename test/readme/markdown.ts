/** One table of a Markdown text: cells as written, without the blanks around them. */
export interface Table {
  header: string[]
  rows: string[][]
}

function cellsOf(line: string): string[] {
  return line
    .replace(/^\|/, '')
    .replace(/\|\s*$/, '')
    .split('|')
    .map((cell) => cell.trim())
}

/** Every table, in order. */
export function tablesOf(markdown: string): Table[] {
  const tables: Table[] = []
  let isInside = false
  for (const line of markdown.split('\n')) {
    if (!line.startsWith('|')) {
      isInside = false
      continue
    }
    if (/^[|\s:-]+$/.test(line)) continue
    if (isInside) tables.at(-1)?.rows.push(cellsOf(line))
    else tables.push({ header: cellsOf(line), rows: [] })
    isInside = true
  }
  return tables
}

/** The table whose first column has this heading. Throws when there is none. */
export function tableOf(markdown: string, heading: string): Table {
  const table = tablesOf(markdown).find(({ header }) => header[0] === heading)
  if (table === undefined) throw new Error(`README has no table whose first column is "${heading}".`)
  return table
}

/** What stands between backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '')
}

/** Fenced blocks of a language, also those within a list; without the indentation. */
export function blocksOf(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)]
    .filter(([, , name]) => name === language)
    .map(([, indent = '', , text = '']) => text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''))
}

/** README's table of rights at S3. */
export function rightsTable(markdown: string): { commands: string; needs: string[]; uses: string[] }[] {
  return tablesOf(markdown)
    .filter(({ header }) => header[1] === 'needs')
    .flatMap(({ rows }) =>
      rows.map(([commands = '', needs = '', uses = '']) => ({
        commands: codeIn(commands).join(', '),
        needs: codeIn(needs),
        uses: codeIn(uses),
      })),
    )
}
