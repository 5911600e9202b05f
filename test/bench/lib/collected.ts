import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configFor, ENCRYPTED, startAccount } from './account.js'
import { kfbackup, measure, ROOT } from './process.js'

const STORAGE_REFUSED = 14

export interface MixedAccount {
  rows?: number
  rowBytes?: number
  records?: number
  /** Files of each record, and their mean size. */
  files?: number
  fileBytes?: number
  kinds?: string
}

/** 1 GB: 400 MB of rows, 600 MB of files, of which nothing but the text in the PDFs can be compressed further. */
export const ONE_GIGABYTE: MixedAccount = {
  rows: 100_000,
  rowBytes: 4_000,
  records: 400,
  files: 5,
  fileBytes: 300_000,
  kinds: 'pdf,png,zip',
}

export interface Packed {
  wallMs: number
  /** The backup's folder. */
  backup: string
}

/** An account that was read to its end and not packed. */
export interface Collected {
  folder: string
  env: NodeJS.ProcessEnv
  flags: string[]
  /** Packs a copy of what was collected: a run that is continued and has no call left to make. */
  pack: () => Promise<Packed>
}

/** Reads an account into a folder and lets the run fail at the moment it begins to pack. */
export async function collectOnly(folder: string, account: MixedAccount, options: { encrypted: boolean }): Promise<Collected> {
  mkdirSync(folder, { recursive: true })
  const flag = (name: string, value: number | string | undefined): string[] => (value === undefined ? [] : [`--${name}`, String(value)])
  const server = await startAccount([
    join(import.meta.dirname, 'mixed-account.js'),
    ...flag('rows', account.rows),
    ...flag('row-bytes', account.rowBytes),
    ...flag('records', account.records),
    ...flag('files', account.files),
    ...flag('file-bytes', account.fileBytes),
    ...flag('kinds', account.kinds),
  ])
  try {
    const config = configFor(server, folder, {
      categories: ['transactions', 'attachments'],
      accept: ['comments'],
      ...(options.encrypted ? ENCRYPTED : {}),
    })
    const { flags, env, state, backups } = config
    // The first file it opens to pack cannot be opened: what was collected is saved, and no clock decides how far packing came.
    const plan = { roots: [state, backups], action: 'fail', phase: 'pack', ops: ['open'], nth: 1, code: 'ENOSPC' }
    const injected = { KFBACKUP_TEST_FS: JSON.stringify(plan), NODE_OPTIONS: `--import=${join(ROOT, 'test', 'helpers', 'fs-preload.mjs')}` }
    await kfbackup(['run', '-q', ...flags], { env: { ...env, ...injected }, ok: [STORAGE_REFUSED] })
    const kept = `${state}.collected`
    cpSync(state, kept, { recursive: true })
    return {
      folder,
      env,
      flags,
      pack: async () => {
        rmSync(state, { recursive: true, force: true })
        rmSync(backups, { recursive: true, force: true })
        await measure('cp', ['-r', kept, state])
        await measure('sync', [])
        const { wallMs } = await kfbackup(['run', '-q', ...flags], { env })
        const name = readdirSync(backups).find((entry) => entry.startsWith('kfbackup-')) ?? ''
        return { wallMs, backup: join(backups, name) }
      },
    }
  } finally {
    await server.close()
  }
}

let shared: { folder: string; collected: Promise<Collected> } | undefined

/** The 1 GB spool of several benchmarks, collected once. */
export function oneGigabyte(): Promise<Collected> {
  if (shared === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'kfbackup-bench-1GB-'))
    shared = { folder, collected: collectOnly(folder, ONE_GIGABYTE, { encrypted: true }) }
  }
  return shared.collected
}

/** Removes what benchmarks shared. */
export function removeShared(): void {
  if (shared !== undefined) rmSync(shared.folder, { recursive: true, force: true })
  shared = undefined
}
