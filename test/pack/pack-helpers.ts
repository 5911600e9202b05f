import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PackCheckpoint } from '../../src/core/pack/checkpoint.js'
import { packBackup } from '../../src/core/pack/pack-backup.js'
import type { PackDeps, PackOptions, PackResult } from '../../src/core/pack/pack-types.js'
import type { PackSource } from '../../src/core/pack/source.js'
import type { Storage } from '../../src/storage/storage.js'
import { stock } from '../archive/zip-helpers.js'

export const FOLDER = 'kfbackup-acme-20261123T020000Z-0011aabb'

export function packOptions(more: Partial<PackOptions> = {}): PackOptions {
  return {
    backupId: '20261123T020000Z-0011aabb',
    folder: FOLDER,
    account: { subdomain: 'acme', accountId: 'Ac1' },
    createdAt: '2026-11-23T02:00:00Z',
    completedAt: () => '2026-11-23T03:00:00Z',
    tool: { name: 'kfbackup', version: '0.1.0' },
    categories: ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'],
    storageMode: 'local',
    zipSizeBytes: 4e9,
    encryption: undefined,
    manifest: async () => ({ apiCalls: 17, flows: [{ id: 'Leave', proven: true }] }),
    status: () => 'completed',
    ...more,
  }
}

export interface Packed {
  result: PackResult
  checkpoints: PackCheckpoint[]
  warnings: string[]
}

/** One process's attempt: what it left in `attempt` stands there also when it throws. */
export async function pack(
  source: PackSource,
  where: { storage: Storage; workFolder: string },
  options: Partial<PackOptions> = {},
  more: Partial<PackDeps> & { signal?: AbortSignal; attempt?: { checkpoints: PackCheckpoint[]; warnings: string[] } } = {},
): Promise<Packed> {
  const { signal = new AbortController().signal, attempt = { checkpoints: [], warnings: [] }, ...deps } = more
  const result = await packBackup(
    source,
    packOptions(options),
    {
      ...where,
      now: () => 0,
      emit: (event) => {
        if (event.type === 'warning') attempt.warnings.push(`${event.code}: ${event.message}`)
      },
      onProgress: () => {},
      onPartStored: async (checkpoint) => {
        attempt.checkpoints.push(JSON.parse(JSON.stringify(checkpoint)) as PackCheckpoint)
      },
      ...deps,
    },
    signal,
  )
  return { result, ...attempt }
}

/** Unpacks every ZIP of a backup with stock unzip; returns the folder. */
export function unpack(backup: string, to: string): string {
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(backup).filter((file) => file.endsWith('.zip'))) {
    const said = stock('sh', ['-c', 'unzip -o -q "$1" -d "$2" 2>&1', 'sh', join(backup, name), to])
    if (said !== '') throw new Error(said)
  }
  return to
}

/** Every file below a folder, by path. */
export function tree(folder: string): Map<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
  const paths = files.map((file) => join(file.parentPath, file.name)).sort()
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path)]))
}

export function jsonLines<T>(content: Buffer): T[] {
  return content
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
