import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

const LINE_FEED = Buffer.of(0x0a)

function digest(line: Buffer): string {
  return createHash('sha256').update(line).digest('hex')
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  let from = 0
  for (let at = bytes.indexOf(0x0a); at !== -1; at = bytes.indexOf(0x0a, from)) {
    lines.push(bytes.subarray(from, at))
    from = at + 1
  }
  if (from < bytes.length) lines.push(bytes.subarray(from))
  return lines
}

function keptBefore(path: string): Set<string> {
  const known = new Set<string>()
  const prefix = `${basename(path)}.damaged-`
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(prefix)) continue
    for (const line of splitLines(readFileSync(join(dirname(path), name)))) known.add(digest(line))
  }
  return known
}

/**
 * Copies damaged lines into `<path>.damaged-<time>`, those not kept before. Returns that file's path, undefined when nothing was new or the folder does not
 * let it: reading the history must not fail for it.
 */
export function keepDamagedLines(path: string, lines: readonly Buffer[], nowMs: number): string | undefined {
  if (lines.length === 0) return undefined
  try {
    const known = keptBefore(path)
    const fresh = lines.filter((line) => !known.has(digest(line)))
    if (fresh.length === 0) return undefined
    const stamp = new Date(nowMs)
      .toISOString()
      .replace(/[-:]/g, '')
      .replace(/\.\d{3}Z$/, 'Z')
    const target = `${path}.damaged-${stamp}`
    writeFileSync(target, Buffer.concat(fresh.flatMap((line) => [line, LINE_FEED])), { flag: 'a', mode: 0o600 })
    return target
  } catch {
    return undefined
  }
}
