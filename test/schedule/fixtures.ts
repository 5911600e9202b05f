import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram } from '../../src/util/run-program.js'

export const never = new AbortController().signal

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'kfbackup-schedule-'))
}

function script(folder: string, name: string, text: string): void {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
}

/** A `crontab` program that speaks as vixie cron does, on a file of its own. */
export function crontabMachine(content?: string | Buffer) {
  const folder = temporaryFolder()
  const bin = join(folder, 'bin')
  const table = join(folder, 'table')
  mkdirSync(bin)
  script(
    bin,
    'crontab',
    `case "$1" in
-l) if [ -f "${folder}/denied" ]; then echo "You (u) are not allowed to use this program (crontab)" >&2; exit 1; fi
    if [ -f "${table}" ]; then cat "${table}"; else echo "no crontab for u" >&2; exit 1; fi ;;
-) cat > "${table}.new"; if grep -q '^bad' "${table}.new"; then echo "errors in crontab file, can't install." >&2; exit 1; fi
   mv "${table}.new" "${table}"; echo x >> "${folder}/writes" ;;
*) exit 2 ;;
esac`,
  )
  if (content !== undefined) writeFileSync(table, content)
  const path = `${bin}:/usr/bin:/bin`
  return {
    folder,
    bin,
    path,
    deps: { run: runProgram, env: { PATH: path } },
    table: () => readFileSync(table),
    writes: () => (existsSync(join(folder, 'writes')) ? readFileSync(join(folder, 'writes'), 'utf8').length / 2 : 0),
    deny: () => writeFileSync(join(folder, 'denied'), ''),
  }
}

/** A machine that systemd runs, with a `systemctl` that notes what it is asked; \`failure\` is what it fails with. */
export function systemdMachine(failure?: string) {
  const folder = temporaryFolder()
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const log = join(folder, 'log')
  script(bin, 'systemctl', `echo "$*" >> "${log}"${failure === undefined ? '' : `\necho "${failure}" >&2\nexit 1`}`)
  return {
    folder,
    bin,
    place: { scope: 'user' as const, unitFolder: join(folder, 'units'), runtimeFolder: folder },
    deps: { run: runProgram, env: { PATH: `${bin}:/usr/bin:/bin` } },
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []),
  }
}
