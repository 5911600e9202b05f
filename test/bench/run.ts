import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { removeShared } from './lib/collected.js'
import { machine, renderTable } from './lib/table.js'
import { type Bench, isMet, type Row } from './lib/types.js'

const MODULES = [
  '01-calls',
  '02-rate',
  '03-collect',
  '04-pack',
  '05-memory',
  '06-start-up',
  '07-verify',
  '08-resume',
  '09-linear',
  '10-small-files',
]

const HELP = `npm run bench -- [numbers] [--json] [--full]

  numbers   only these benchmarks, as: npm run bench -- 4 7
  --json    the figures as JSON on stdout, instead of the table
  --full    number 5 with the comments and files of a million records (half an hour)

Exit 1 when a target is missed or a benchmark fails.
`

interface Done {
  number: number
  rows: Row[]
  error?: string
}

async function runOne(bench: Bench, full: boolean): Promise<Done> {
  const folder = mkdtempSync(join(tmpdir(), `kfbackup-bench-${bench.number}-`))
  const began = performance.now()
  const say = (text: string): void => void process.stderr.write(`${bench.number}  ${text}\n`)
  say(bench.title)
  try {
    const rows = await bench.run({ folder, say, full })
    say(`took ${((performance.now() - began) / 1000).toFixed(0)} s`)
    return { number: bench.number, rows }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    say(`failed: ${message}`)
    return { number: bench.number, rows: [], error: message }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean' }, full: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  })
  if (values.help === true) {
    process.stdout.write(HELP)
    return 0
  }
  const wanted = new Set(positionals.map(Number))
  for (const number of wanted) {
    if (Number.isInteger(number) && number >= 1 && number <= MODULES.length) continue
    process.stderr.write(`There is no benchmark ${number}.\n\n${HELP}`)
    return 2
  }
  const done: Done[] = []
  for (const [index, module] of MODULES.entries()) {
    if (wanted.size > 0 && !wanted.has(index + 1)) continue
    const { bench } = (await import(`./${module}.js`)) as { bench: Bench }
    done.push(await runOne(bench, values.full === true))
  }
  const rows = done.flatMap(({ number, rows: own }) => own.map((row) => ({ number, row })))
  const failed = done.flatMap(({ number, error }) => (error === undefined ? [] : [`${number}: ${error}`]))
  const missed = rows.filter(({ row }) => !isMet(row))
  if (values.json === true) {
    const figures = rows.map(({ number, row }) => ({ number, ...row, met: isMet(row) }))
    process.stdout.write(`${JSON.stringify({ machine: machine(), rows: figures, failed }, null, 2)}\n`)
  } else {
    const { programs, ...host } = machine()
    process.stdout.write(`${renderTable(rows)}\n\n`)
    process.stdout.write(
      `${host.date}, ${host.cpu}, ${host.cores} cores, ${(host.memoryBytes / 1e9).toFixed(0)} GB, ${host.system}, Node ${host.node}\n`,
    )
    for (const [name, version] of Object.entries(programs)) process.stdout.write(`${name}: ${version}\n`)
    for (const text of failed) process.stdout.write(`failed: ${text}\n`)
    if (missed.length > 0) process.stdout.write(`${missed.length} of ${rows.length} targets missed\n`)
  }
  return failed.length > 0 || missed.length > 0 ? 1 : 0
}

try {
  process.exitCode = await main()
} finally {
  removeShared()
}
