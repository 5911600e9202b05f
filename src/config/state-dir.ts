import { isAbsolute, join, resolve } from 'node:path'
import { homeOf } from './find-config.js'

export interface StateDirOptions {
  cwd: string
  platform: NodeJS.Platform
}

/**
 * The folder of runs, locks, history and preferences (product.md, State): `flag` (--state-dir), KFBACKUP_STATE_DIR, systemd's STATE_DIRECTORY, else
 * the user's place for state. Absolute; it need not exist.
 */
export function stateDir(env: NodeJS.ProcessEnv, flag: string | undefined, options: StateDirOptions): string {
  const { cwd, platform } = options
  const named = [flag, env.KFBACKUP_STATE_DIR].find((path) => path !== undefined && path !== '')
  if (named !== undefined) return resolve(cwd, named)
  // systemd lists every StateDirectory= of the unit, separated by colons.
  const systemd = env.STATE_DIRECTORY?.split(':')[0]
  if (systemd !== undefined && isAbsolute(systemd)) return systemd
  const home = homeOf(env)
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'kfbackup')
  if (platform === 'win32') return join(env.LOCALAPPDATA ?? join(home, 'AppData', 'Local'), 'kfbackup', 'State')
  const xdg = env.XDG_STATE_HOME
  // The XDG rules: a relative path there is to be ignored.
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(home, '.local', 'state'), 'kfbackup')
}
