import { createHash } from 'node:crypto'
import { storedPartAt } from './stored-backup.js'
import type { PartsContext } from './verify-parts.js'

/** The parts' SHA-256 alone, for want of a key. Of a sample, whole parts are read. Returns the bytes read. */
export async function verifyCiphertext(
  { source, backup, files, findings, reading, random }: PartsContext,
  signal: AbortSignal,
): Promise<number> {
  const total = backup.parts.reduce((sum, part) => sum + part.bytes, 0)
  let chosen = backup.parts
  if (reading.kind === 'slice') chosen = backup.parts.filter((_, index) => index % reading.of === reading.index - 1)
  if (reading.kind === 'sample') {
    const shuffled = backup.parts.map((part) => ({ part, key: random() })).sort((a, b) => a.key - b.key)
    let bytes = 0
    chosen = shuffled
      .filter(({ part }) => {
        const wanted = bytes === 0 || bytes < total * reading.share
        if (wanted) bytes += part.bytes
        return wanted
      })
      .map(({ part }) => part)
  }
  let bytesRead = 0
  const bytesWanted = chosen.reduce((sum, part) => sum + part.bytes, 0)
  for (const part of chosen) {
    const file = files.get(part.name)
    if (file === undefined) continue
    const hash = createHash('sha256')
    if (file.bytes > 0) {
      for await (const chunk of await storedPartAt(source, file).read({ start: 0, end: file.bytes - 1 }, signal)) {
        signal.throwIfAborted()
        hash.update(chunk)
        bytesRead += chunk.length
        findings.progress(bytesRead, bytesWanted, part.name)
      }
    }
    if (hash.digest('hex') !== part.sha256) findings.damage('its SHA-256 is not the one in backup.json', { part: part.name })
  }
  return bytesRead
}
