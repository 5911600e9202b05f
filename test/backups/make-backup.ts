import { createHash } from 'node:crypto'
import type { Storage } from '../../src/storage/storage.js'
import { store } from '../storage/contract.js'

export interface MadeBackup {
  id: string
  subdomain?: string
  accountId?: string
  status?: 'completed' | 'incomplete'
  /** Content by file name; a name in `missing` stands in backup.json only. */
  parts?: Record<string, string>
  missing?: string[]
  /** Replaces fields of backup.json. */
  fields?: Record<string, unknown>
}

export const ACME = { subdomain: 'acme', accountId: 'Ac1' }

/** An id of that time: `2026-11-20T02:30:00Z`. */
export function idAt(time: string, random = '0a1b2c3d'): string {
  return `${time.replace(/[-:]/g, '').slice(0, 15)}Z-${random}`
}

/** Writes a small but complete backup to a storage, backup.json last, and returns its folder. */
export async function makeBackup(storage: Storage, made: MadeBackup): Promise<string> {
  const { id, subdomain = ACME.subdomain, accountId = ACME.accountId, status = 'completed' } = made
  const folder = `kfbackup-${subdomain}-${id}`
  const parts = made.parts ?? { 'UserAndGroup.zip': 'users', 'TransactionalData-0000.zip': 'records', 'Index.zip': 'index' }
  for (const [name, content] of Object.entries(parts)) {
    if (!made.missing?.includes(name)) await store(storage, `${folder}/${name}`, Buffer.from(content))
  }
  const backup = {
    formatVersion: 1,
    id,
    tool: { name: 'kfbackup', version: '0.1.0' },
    account: { subdomain, accountId },
    createdAt: '2026-11-20T02:30:00Z',
    completedAt: '2026-11-20T02:40:00Z',
    status,
    storageMode: 'local',
    categories: ['usersAndGroups', 'transactions'],
    zipSize: 4_000_000_000,
    encryption: { format: 'none' },
    parts: Object.entries(parts).map(([name, content]) => ({
      name,
      bytes: Buffer.byteLength(content),
      sha256: createHash('sha256').update(content).digest('hex'),
    })),
    files: [],
    ...made.fields,
  }
  await store(storage, `${folder}/backup.json`, Buffer.from(JSON.stringify(backup)))
  return folder
}
