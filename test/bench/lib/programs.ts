import { execFileSync } from 'node:child_process'

/** The stock programs that are measured against, and how each tells its version. */
const PROGRAMS = {
  curl: ['--version'],
  zip: ['-v'],
  unzip: ['-v'],
  openssl: ['version'],
  sha256sum: ['--version'],
} as const

export type Program = keyof typeof PROGRAMS

/** First line of what each program says of itself; undefined for one that is missing. */
export function versions(): Record<Program, string | undefined> {
  const found = {} as Record<Program, string | undefined>
  for (const [program, args] of Object.entries(PROGRAMS) as [Program, readonly string[]][]) found[program] = versionOf(program, args)
  return found
}

function versionOf(program: string, args: readonly string[]): string | undefined {
  try {
    const lines = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')
    return (lines.find((line) => /\d+\.\d+/.test(line)) ?? lines[0])?.trim()
  } catch {
    return undefined
  }
}

/** Throws an error that names what is missing. */
export function need(...programs: Program[]): void {
  const known = versions()
  const missing = programs.filter((program) => known[program] === undefined)
  if (missing.length > 0)
    throw new Error(`this benchmark needs ${missing.join(' and ')}, which ${missing.length > 1 ? 'are' : 'is'} not installed`)
}
