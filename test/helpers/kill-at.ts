import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Sandbox } from '../../src/sandbox/server.js'
import type { Ended, FsPlan, StartOptions, Workspace } from './workspace.js'

/** Where a killed process stood. */
export interface KillPlace {
  op: string
  path: string
  when: string
  phase: string
  nth: number
  /** Killed while it took up an unfinished run: it had not made a call yet. */
  resuming?: boolean
}

/** Runs until the chosen operation is reached, then kills: the process has said that it stands there, and does not move. */
export async function runAndKill(
  workspace: Workspace,
  plan: Omit<FsPlan, 'action'>,
  args: readonly string[] = ['run'],
  options: StartOptions = {},
): Promise<{ place: KillPlace | undefined; ended: Ended }> {
  let place: KillPlace | undefined
  const { ended } = workspace.start(args, {
    ...options,
    files: { ...plan, action: 'kill' },
    onControl: (message, child) => {
      if (message['at'] === undefined) return
      place = message['at'] as KillPlace
      void quiet(workspace.sandbox).then(() => child.kill('SIGKILL'))
    },
  })
  return { ended: await ended, place }
}

/** Runs until the chosen operation is reached, does `meanwhile` while the process stands there, then lets it go on. */
export async function runAndPause(
  workspace: Workspace,
  plan: Omit<FsPlan, 'action' | 'go'>,
  meanwhile: (child: ChildProcess, place: KillPlace) => Promise<void> | void,
  args: readonly string[] = ['run'],
): Promise<{ place: KillPlace | undefined; ended: Ended }> {
  let place: KillPlace | undefined
  const go = join(workspace.folder, `go-${Date.now()}`)
  const { ended } = workspace.start(args, {
    files: { ...plan, action: 'pause', go },
    onControl: (message, child) => {
      if (message['at'] === undefined) return
      place = message['at'] as KillPlace
      void Promise.resolve(meanwhile(child, place)).finally(() => writeFileSync(go, ''))
    },
  })
  return { ended: await ended, place }
}

/** Resolves when every call that a stopped process sent has arrived: a dying socket would take them along, and nobody could tell whether they were made. */
async function quiet(sandbox: Sandbox): Promise<void> {
  for (let calls = -1, same = 0; same < 10; ) {
    const now = sandbox.log().length
    same = now === calls ? same + 1 : 0
    calls = now
    await nextTurn()
  }
}

/** Where a process was killed, in one word. */
export function kindOfPlace({ phase, resuming }: KillPlace): string {
  return resuming === true ? 'resume' : phase
}
