import { detectFormat, openUnsealedPart } from '../../crypto/open-unsealed.js'
import type { BackupSecrets, PlainPart, StoredPart } from '../../crypto/plain-part.js'
import { DamagedError, NotFoundError } from '../../errors.js'
import type { Findings } from './findings.js'
import { type BackupSource, type FoundFile, findFiles, pathIn, storedPartAt } from './stored-backup.js'

/** Files that no backup.json describes: Kissflow's own backup, or parts that stand alone. */
export interface LooseSource extends BackupSource {
  /** The one file that is meant; undefined: every file in the folder. */
  file?: string | undefined
}

export interface LooseFile {
  /** File name without `.zip`, `.aes256cbc`, `.age`. */
  name: string
  stored: StoredPart
  format: 'none' | 'openssl' | 'age'
}

/** What Kissflow and people put beside the ZIPs. */
const BESIDE = /^(?:readme.*|flows\.csv|SHA256SUMS|backup\.json)$/i

/** The ZIPs and encrypted files, told by their content and not by their names, users first. Throws NotFoundError when there is none. */
export async function findLooseFiles(source: LooseSource, findings: Findings, signal: AbortSignal): Promise<LooseFile[]> {
  const loose: LooseFile[] = []
  for (const file of await candidates(source, signal)) {
    const stored = storedPartAt(source, file)
    const format = await detectFormat(stored, signal)
    const name = file.name.replace(/\.(?:zip|aes256cbc|age)$/i, '').replace(/\.zip$/i, '')
    if (format !== undefined) loose.push({ name, stored, format })
    else if (/\.(?:zip|aes256cbc|age)$/i.test(file.name)) findings.damage('it is neither a ZIP nor an encrypted file', { part: file.name })
    else if (!BESIDE.test(file.name)) findings.warning('unexpected_file', `${file.name} is neither a ZIP nor an encrypted file`)
  }
  if (loose.length === 0 && findings.damages === 0) {
    throw new NotFoundError(
      `There is no backup at ${[source.storage.location, pathIn(source, source.file ?? '')].join('/').replace(/\/+$/, '')}.`,
      {
        hint: "Name a backup's folder, or the folder or file of Kissflow's own backup.",
      },
    )
  }
  const rank = (file: LooseFile): string => (file.name.startsWith('UserAndGroup') ? `0${file.name}` : `1${file.name}`)
  return loose.sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}

async function candidates(source: LooseSource, signal: AbortSignal): Promise<FoundFile[]> {
  if (source.file === undefined) return [...(await findFiles(source, signal)).values()].filter((file) => !file.name.includes('/'))
  const found = await source.storage.stat(pathIn(source, source.file), signal)
  return found === undefined ? [] : [{ name: source.file, bytes: found.bytes }]
}

/** Opens one of them. Undefined, with damage reported, when it is damaged. Throws WrongKeyError. */
export async function openLooseFile(
  file: LooseFile,
  { secrets, findings }: { secrets: BackupSecrets; findings: Findings },
  signal: AbortSignal,
): Promise<PlainPart | undefined> {
  try {
    return await openUnsealedPart(file.stored, secrets, signal)
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    findings.damage(error.message, { part: file.name })
    return undefined
  }
}
