import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../../../src/sandbox/server.js'
import { differences, readContent } from '../../helpers/backup-content.js'
import { type Baseline, makeBaseline } from '../../helpers/crash.js'
import { runAndKill } from '../../helpers/kill-at.js'
import { makeWorkspace, SMALL, type Workspace } from '../../helpers/workspace.js'

/** Why a small filesystem cannot be made here; undefined when it can. */
function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root to mount a small filesystem'
  const folder = mkdtempSync(join(tmpdir(), 'kfbackup-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'kfbackup-test', folder], { stdio: 'pipe' })
    execFileSync('umount', [folder], { stdio: 'pipe' })
    return undefined
  } catch (error) {
    return `mount is not allowed here: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const reason = whyNot()
const CONFIG = { zip: { size: '1MB' } }

let sandbox: Sandbox
let baseline: Baseline
let mounted: string[] = []

beforeAll(async () => {
  if (reason !== undefined) return
  sandbox = await startSandbox({ ...SMALL, fileSizeBytes: 1_500_000, recordCalls: true })
  baseline = await makeBaseline(sandbox, CONFIG)
})
afterEach(() => {
  for (const folder of mounted) execFileSync('umount', [folder])
  mounted = []
})
afterAll(() => sandbox?.close())

function mountSmall(folder: string, size: string): void {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'kfbackup-test', folder])
  mounted.push(folder)
}

function makeRoom(folder: string): void {
  execFileSync('mount', ['-o', 'remount,size=64m', folder])
}

async function completes(workspace: Workspace): Promise<void> {
  const next = await workspace.run()
  expect(next.summary).toMatchObject({ status: 'completed', resumed: true, exit_code: 0 })
  const folders = workspace.backupFolders()
  expect(folders).toHaveLength(1)
  expect(differences(await readContent(folders[0] ?? ''), baseline.content)).toEqual([])
}

it.skipIf(reason !== undefined)(
  `a state folder that is really full: exit 14 names it, and with more room the run goes on${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async () => {
    const workspace = makeWorkspace(sandbox, CONFIG)
    try {
      mountSmall(workspace.stateDir, '1200k')
      const full = await workspace.run()
      expect(full.code).toBe(14)
      expect(full.error?.message).toContain(workspace.stateDir)
      expect(full.error?.message).toMatch(/space/i)
      expect(full.error?.hint).toMatch(/room|space/i)
      expect(workspace.backupFolders()).toEqual([])
      // Still full: the same again, and nothing that was saved is lost.
      expect((await workspace.run()).code).toBe(14)
      makeRoom(workspace.stateDir)
      await completes(workspace)
    } finally {
      for (const folder of mounted.splice(0)) execFileSync('umount', [folder])
      await workspace.close()
    }
  },
)

it.skipIf(reason !== undefined)(
  `a destination that is really full: exit 14 names it, nothing half-made has a final name, and with more room packing goes on without a call${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async () => {
    const workspace = makeWorkspace(sandbox, CONFIG)
    try {
      mountSmall(workspace.backups, '1m')
      const full = await workspace.run()
      expect(full.code).toBe(14)
      expect(full.error?.message).toContain(workspace.backups)
      expect(full.error?.message).toMatch(/space/i)
      const calls = sandbox.stats().calls
      makeRoom(workspace.backups)
      await completes(workspace)
      expect(sandbox.stats().calls).toBe(calls)
    } finally {
      for (const folder of mounted.splice(0)) execFileSync('umount', [folder])
      await workspace.close()
    }
  },
)

it.skipIf(reason !== undefined)(
  `a state folder that became read-only: exit 14 names it, no backup is made, and once it may be written the run goes on${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  async () => {
    const workspace = makeWorkspace(sandbox, CONFIG)
    try {
      mountSmall(workspace.stateDir, '64m')
      const { place } = await runAndKill(workspace, { phase: 'collect', nth: 900, when: 'after' })
      expect(place).toBeDefined()
      execFileSync('mount', ['-o', 'remount,ro', workspace.stateDir])
      const refused = await workspace.run()
      expect(refused.code).toBe(14)
      expect(refused.error?.message).toContain(workspace.stateDir)
      expect(refused.error?.hint).toMatch(/read-only.*--state-dir/)
      expect(workspace.backupFolders()).toEqual([])
      execFileSync('mount', ['-o', 'remount,rw', workspace.stateDir])
      await completes(workspace)
    } finally {
      for (const folder of mounted.splice(0)) execFileSync('umount', [folder])
      await workspace.close()
    }
  },
)
