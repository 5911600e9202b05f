import { showCron } from '../../core/schedule/crontab.js'
import { installedUnit } from '../../core/schedule/systemd.js'
import { BackupError } from '../../errors.js'
import { runProgram } from '../../util/run-program.js'
import type { CommandContext } from '../command-context.js'
import { isInPath, systemdPlace } from '../schedule/scheduler.js'

/** Where a timer for this config is installed: `crontab`, names of units. A crontab that may not be read counts as none. */
export async function installedTimers({ env, signal }: CommandContext, configFile: string): Promise<string[]> {
  const found: string[] = []
  if (isInPath('crontab', env)) {
    try {
      if ((await showCron(configFile, { run: runProgram, env }, signal)) !== undefined) found.push('crontab')
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof BackupError)) throw error
    }
  }
  for (const scope of ['user', 'system'] as const) {
    const unit = installedUnit(configFile, systemdPlace(scope, env))
    if (unit !== undefined) found.push(`${unit}.timer`)
  }
  return found
}
