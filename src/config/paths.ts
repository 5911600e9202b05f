import { join, resolve } from 'node:path'
import { homeOf } from './find-config.js'

/** `~/backups` as a shell would read it: no config means a folder called `~`. */
export function expandHome(path: string, env: NodeJS.ProcessEnv): string {
  return path === '~' || path.startsWith('~/') ? join(homeOf(env), path.slice(1)) : path
}

/** An absolute path; a relative one begins at `baseDir`. */
export function absolute(path: string, baseDir: string, env: NodeJS.ProcessEnv): string {
  return resolve(baseDir, expandHome(path, env))
}
