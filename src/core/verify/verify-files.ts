import { type BackupJson, checksumOf, formatBackupJson } from '../../archive/backup-json.js'
import { PLAIN_FILES } from '../../archive/layout.js'
import { parseSha256Sums } from '../../archive/sha256sums.js'
import { DamagedError } from '../../errors.js'
import type { Findings } from './findings.js'
import { type BackupSource, type FoundFile, readSmallFile, sha256Of } from './stored-backup.js'

/** flows.csv grows with the account; the others are a page. */
const MAX_PLAIN_FILE_BYTES = 256 * 2 ** 20

/** What stands around the parts: everything present, of the right size, and nothing besides; the plain files' content. */
export async function verifyFiles(
  source: BackupSource,
  {
    backup,
    raw,
    files,
    expectedSha256,
  }: { backup: BackupJson; raw: Buffer; files: Map<string, FoundFile>; expectedSha256: string | undefined },
  findings: Findings,
  signal: AbortSignal,
): Promise<void> {
  if (expectedSha256 !== undefined && sha256Of(raw) !== expectedSha256) {
    findings.damage('it is not the one the local history noted when the backup was made: an older, edited or swapped one', {
      part: PLAIN_FILES.backup,
    })
  } else if (!raw.equals(formatBackupJson(backup))) {
    findings.damage('its bytes are not as they were written', { part: PLAIN_FILES.backup })
  } else if (backup.checksum !== checksumOf(backup)) {
    findings.damage('its checksum is missing or wrong: it was changed since it was written', { part: PLAIN_FILES.backup })
  }
  const named = new Set<string>([PLAIN_FILES.backup])
  for (const file of [...backup.parts, ...backup.files]) {
    if (named.has(file.name)) findings.damage('backup.json names it twice', { part: file.name })
    named.add(file.name)
    const found = files.get(file.name)
    if (found === undefined) findings.damage('the file is missing', { part: file.name })
    else if (found.bytes !== file.bytes) findings.damage(`the file has ${found.bytes} bytes instead of ${file.bytes}`, { part: file.name })
  }
  for (const name of files.keys()) {
    if (!named.has(name)) findings.warning('unexpected_file', `${name} does not belong to the backup`)
  }
  for (const file of backup.files) {
    if (!files.has(file.name)) continue
    const content = await readSmallFile(source, { name: file.name, maxBytes: MAX_PLAIN_FILE_BYTES }, signal)
    if (sha256Of(content) !== file.sha256) findings.damage('its SHA-256 is not the one in backup.json', { part: file.name })
    else if (file.name === PLAIN_FILES.sums) verifySums(content, backup, findings)
  }
}

function verifySums(content: Buffer, backup: BackupJson, findings: Findings): void {
  let sums: Map<string, string>
  try {
    sums = parseSha256Sums(content.toString('utf8'))
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    findings.damage(error.message, { part: PLAIN_FILES.sums })
    return
  }
  for (const file of [...backup.parts, ...backup.files]) {
    if (file.name === PLAIN_FILES.sums) continue
    if (sums.get(file.name) !== file.sha256)
      findings.damage(`it has no line, or another digest, for ${file.name}`, { part: PLAIN_FILES.sums })
    sums.delete(file.name)
  }
  for (const name of sums.keys()) findings.damage(`it names ${name}, which is no file of the backup`, { part: PLAIN_FILES.sums })
}
