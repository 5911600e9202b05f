import { spawnSync } from 'node:child_process'

/** Whether a program is on this machine: `npm test` leaves out what is about others than openssl and unzip, `npm run test:integration` installs them. */
export function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined
}
