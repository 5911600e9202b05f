import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { homeOf } from '../../config/find-config.js'
import { CrontabError } from '../../core/schedule/crontab-block.js'
import type { SystemdPlace } from '../../core/schedule/systemd.js'

export type Scheduler = 'cron' | 'systemd'

const RUNTIME_FOLDER = '/run/systemd/system'
const SYSTEM_UNITS = '/etc/systemd/system'

/** Where units of the system, or of the user's own manager, stand. */
export function systemdPlace(scope: 'system' | 'user', env: NodeJS.ProcessEnv): SystemdPlace {
  if (scope === 'system') return { scope, unitFolder: SYSTEM_UNITS, runtimeFolder: RUNTIME_FOLDER }
  const config = env.XDG_CONFIG_HOME?.startsWith('/') === true ? env.XDG_CONFIG_HOME : join(homeOf(env), '.config')
  return { scope, unitFolder: join(config, 'systemd', 'user'), runtimeFolder: RUNTIME_FOLDER }
}

/** True when a program of this name stands in PATH. */
export function isInPath(program: string, env: NodeJS.ProcessEnv): boolean {
  return (env.PATH ?? '').split(':').some((folder) => {
    if (folder === '') return false
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** systemd for root, else cron where it is there, else systemd. Throws when there is neither. */
export function chooseScheduler(env: NodeJS.ProcessEnv, isRoot: boolean): Scheduler {
  const hasSystemd = existsSync(RUNTIME_FOLDER)
  if (isRoot && hasSystemd) return 'systemd'
  if (isInPath('crontab', env)) return 'cron'
  if (hasSystemd) return 'systemd'
  throw new CrontabError('This machine has neither cron nor systemd.', {
    hint: 'Let whatever starts jobs here call "kfbackup run --if-due" once a day; examples/ has files for containers, Kubernetes and CI.',
  })
}
