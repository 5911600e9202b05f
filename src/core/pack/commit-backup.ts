import { createHash, hash } from 'node:crypto'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  addChecksum,
  BACKUP_FORMAT_VERSION,
  type BackupFile,
  type BackupJson,
  type BackupPart,
  formatBackupJson,
} from '../../archive/backup-json.js'
import { flowsCsv } from '../../archive/flows-csv.js'
import { PLAIN_FILES } from '../../archive/layout.js'
import { readmeText } from '../../archive/readme.js'
import { formatSha256Sums } from '../../archive/sha256sums.js'
import { assertStored, endUnfinished } from './destination.js'
import { partExtension } from './open-part.js'
import type { PackSession } from './pack-session.js'
import type { PackResult } from './pack-types.js'

/** Writes the plain files and, when all else is durable, backup.json: from then on the backup exists. */
export async function commitBackup(session: PackSession): Promise<PackResult> {
  const { options, deps, logs, signal } = session
  const parts: BackupPart[] = []
  for await (const part of logs.parts()) parts.push(part)
  const files: BackupFile[] = []
  if (options.encryption === undefined) files.push(await putFile(session, PLAIN_FILES.flows, flowsCsv(logs.flowRows())))
  files.push(await putFile(session, PLAIN_FILES.readme, [readme(session, parts)]))
  files.push(await putFile(session, PLAIN_FILES.sums, [formatSha256Sums([...parts, ...files])]))
  await assertStored(deps.storage, options.folder, [...parts, ...files], signal)
  await endUnfinished(deps, options.folder, signal)
  const content = formatBackupJson(backupJson(session, parts, files))
  await putFile(session, PLAIN_FILES.backup, [content])
  return {
    status: options.status(),
    folder: options.folder,
    parts,
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    backupJsonSha256: hash('sha256', content, 'hex'),
    counts: session.state.counts,
  }
}

function readme({ options, state }: PackSession, parts: BackupPart[]): Buffer {
  const { encryption, folder, account, createdAt, tool } = options
  return readmeText({
    ...{ folder, account, createdAt, tool, categories: [...options.categories], counts: state.counts },
    parts: parts.map((part) => part.name),
    encryption: encryption && { format: encryption.format, extension: partExtension(encryption), describe: encryption.describe() },
  })
}

function backupJson({ options }: PackSession, parts: BackupPart[], files: BackupFile[]): Record<string, unknown> {
  const { encryption } = options
  const backup = addChecksum({
    formatVersion: BACKUP_FORMAT_VERSION,
    id: options.backupId,
    tool: options.tool,
    account: options.account,
    createdAt: options.createdAt,
    completedAt: options.completedAt(),
    status: options.status(),
    storageMode: options.storageMode,
    categories: [...options.categories],
    zipSize: options.zipSizeBytes,
    encryption: encryption?.describe() ?? { format: 'none' },
    parts,
    files,
  } satisfies Omit<BackupJson, 'checksum'>)
  return encryption?.sealBackupJson(backup) ?? backup
}

/** Puts one plain file under its final name. */
async function putFile(session: PackSession, name: string, content: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<BackupFile> {
  const { deps, options, signal } = session
  const digest = createHash('sha256')
  let bytes = 0
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      bytes += chunk.length
      digest.update(chunk)
      callback(null, chunk)
    },
  })
  const upload = await deps.storage.put(`${options.folder}/${name}`, signal)
  try {
    await pipeline(Readable.from(content, { objectMode: false }), meter, upload.stream, { signal })
    await deps.beforeCommit?.()
    await upload.commit()
  } catch (error) {
    await upload.abort()
    throw error
  }
  return { name, bytes, sha256: digest.digest('hex') }
}
