import { printable } from '../../util/printable.js'
import type { RunProgram } from '../../util/run-program.js'
import { CrontabError, readBlock, withBlock, withoutBlock } from './crontab-block.js'

export interface CrontabDeps {
  run: RunProgram
  env: NodeJS.ProcessEnv
}

/** Crontabs are bytes of whatever encoding: as latin1 every byte survives the way through a string. */
function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function asText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

async function crontab(args: string[], input: Buffer | undefined, deps: CrontabDeps, signal: AbortSignal) {
  const env = { ...deps.env, LC_ALL: 'C' }
  const result = await deps.run(['crontab', ...args], input === undefined ? { env } : { env, input }, signal)
  if (result !== undefined) return result
  throw new CrontabError('There is no "crontab" program on this machine.', {
    hint: 'Install cron, or use "kfbackup schedule install --with systemd".',
  })
}

async function readCrontab(deps: CrontabDeps, signal: AbortSignal): Promise<string> {
  const { code, stdout, stderr } = await crontab(['-l'], undefined, deps, signal)
  if (code === 0) return stdout.toString('latin1')
  // "no crontab for root" of vixie cron, cronie and BSD; busybox cannot open the file.
  if (/no crontab for|No such file/i.test(stderr)) return ''
  throw new CrontabError(`"crontab -l" failed: ${printable(stderr.trim(), 200) || `exit ${code}`}`, {
    hint: 'Ask the administrator of this machine for the right to use cron (cron.allow), or use "--with systemd".',
  })
}

async function writeCrontab(content: string, deps: CrontabDeps, signal: AbortSignal): Promise<void> {
  const { code, stderr } = await crontab(['-'], Buffer.from(content, 'latin1'), deps, signal)
  if (code !== 0) throw new CrontabError(`"crontab -" refused the new table: ${printable(stderr.trim(), 200) || `exit ${code}`}`)
  if ((await readCrontab(deps, signal)) !== content) {
    throw new CrontabError('The crontab does not read back as it was written.', { hint: 'Look at it with "crontab -l".' })
  }
}

/** The lines kfbackup put into this user's crontab for this config; undefined when there are none. */
export async function showCron(configPath: string, deps: CrontabDeps, signal: AbortSignal): Promise<string[] | undefined> {
  return readBlock(await readCrontab(deps, signal), asBytes(configPath))?.map(asText)
}

/** Puts `line` into this user's crontab, in a block of its own for this config. Other lines stay byte for byte. */
export async function installCron(configPath: string, line: string, deps: CrontabDeps, signal: AbortSignal): Promise<void> {
  const before = await readCrontab(deps, signal)
  const after = withBlock(before, asBytes(configPath), [asBytes(line)])
  if (after !== before) await writeCrontab(after, deps, signal)
}

/** Takes this config's block out; false when there was none. */
export async function removeCron(configPath: string, deps: CrontabDeps, signal: AbortSignal): Promise<boolean> {
  const before = await readCrontab(deps, signal)
  const after = withoutBlock(before, asBytes(configPath))
  if (after === before) return false
  await writeCrontab(after, deps, signal)
  return true
}
