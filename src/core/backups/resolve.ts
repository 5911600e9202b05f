import { FOLDER_START, parseBackupFolder } from '../../archive/layout.js'
import { NotFoundError, UsageError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import { type AccountRef, type ListedBackup, listBackups } from './list.js'

/** How a `<backup>` argument is written. */
export type SpecKind = 'latest' | 'id' | 'path' | 'url'

/** An id, a unique beginning of one, a folder's name or `latest` is looked for at the destination; a path or URL says itself where it is. */
export function specKind(spec: string): SpecKind {
  if (/^(s3|gs):\/\//.test(spec)) return 'url'
  if (spec === 'latest') return 'latest'
  if (/^[0-9][0-9A-Za-z-]*$/.test(spec) || (parseBackupFolder(spec) !== undefined && !spec.includes('/'))) return 'id'
  return 'path'
}

/** The backup an id, a unique beginning of one, a folder's name or `latest` means at a destination. Throws NotFoundError, with what comes near. */
export async function resolveBackup(
  storage: Storage,
  spec: string,
  account: AccountRef | undefined,
  signal: AbortSignal,
): Promise<ListedBackup> {
  if (spec === '') throw new UsageError('No backup was named.', { hint: 'Name an id, the beginning of one, a path, a URL, or latest.' })
  const all = await listBackups(storage, account, signal)
  const existing = all.filter(({ state }) => state !== 'leftover')
  if (spec === 'latest') {
    const latest = existing.find(({ isOwn }) => isOwn)
    if (latest !== undefined) return latest
    throw new NotFoundError(`There is no backup of this account at ${storage.location}.`, {
      hint: 'kfbackup list shows what is there; kfbackup run makes one.',
    })
  }
  const id = parseBackupFolder(spec)?.id ?? spec
  const matches = existing.filter((backup) => backup.id === id || (id.length >= 4 && backup.id.startsWith(id)))
  const exact = matches.filter((backup) => backup.id === id)
  const [only, ...more] = exact.length > 0 ? exact : matches
  if (only !== undefined && more.length === 0) return only
  if (only !== undefined) {
    throw new NotFoundError(`${spec} is the beginning of ${more.length + 1} backups.`, {
      hint: `Write more of one: ${names([only, ...more])}.`,
    })
  }
  if (all.some((backup) => backup.state === 'leftover' && backup.id === id)) {
    throw new NotFoundError(`${id} was never finished: it has no backup.json.`, {
      hint: 'kfbackup run continues it if it can; prune --leftovers removes it.',
    })
  }
  const near = nearest(id, existing)
  const hint = near.length > 0 ? `Do you mean ${names(near)}?` : 'kfbackup list shows what is there.'
  throw new NotFoundError(`There is no backup ${spec.startsWith(FOLDER_START) ? id : spec} at ${storage.location}.`, { hint })
}

function names(backups: readonly ListedBackup[]): string {
  const shown = backups.slice(0, 5).map(({ id }) => id)
  return backups.length > shown.length ? `${shown.join(', ')} …` : shown.join(', ')
}

/** Backups whose id begins alike for at least the day, or ends alike: the part people copy wrongly is in the middle. */
function nearest(id: string, backups: readonly ListedBackup[]): ListedBackup[] {
  return backups
    .map((backup) => ({ backup, common: commonStart(id, backup.id) + (backup.id.endsWith(id.slice(-8)) ? 8 : 0) }))
    .filter(({ common }) => common >= 6)
    .sort((a, b) => b.common - a.common)
    .map(({ backup }) => backup)
}

function commonStart(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}
