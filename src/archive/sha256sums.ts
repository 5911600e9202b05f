import { DamagedError } from '../errors.js'

/** SHA256SUMS as `sha256sum -c` reads it. */
export function formatSha256Sums(files: Iterable<{ name: string; sha256: string }>): Buffer {
  return Buffer.from([...files].map((file) => `${file.sha256}  ${file.name}\n`).join(''))
}

/** Reads SHA256SUMS: file name to hex digest. Throws DamagedError at a line that is none. */
export function parseSha256Sums(text: string): Map<string, string> {
  const sums = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const match = /^([0-9a-f]{64}) [ *](.+)$/.exec(line)
    if (match?.[1] === undefined || match[2] === undefined) throw new DamagedError(`SHA256SUMS has a line that is none: ${line}`)
    sums.set(match[2], match[1])
  }
  return sums
}
