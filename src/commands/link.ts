import { loadConfigIfAny } from '../config/load.js'
import type { LinkConfig } from '../config/types.js'
import { locateBackup } from '../core/backups/locate.js'
import { EXIT, type ExitCode, NotFoundError, UsageError } from '../errors.js'
import { createReporter } from '../ui/reporter.js'
import { rfc3339, systemClock } from '../util/clock.js'
import { parseDuration } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { locateOptions } from './locate-options.js'
import { resultOptions } from './result-options.js'

export interface LinkOptions {
  backup: string
  expires?: string
  plain?: boolean
}

const MAX_SECONDS = 7 * 86_400

/** `link <backup>`: fresh signed download links for every part of a backup in s3 or gcs. They are stored nowhere. */
export async function linkCommand(context: CommandContext, options: LinkOptions): Promise<ExitCode> {
  const { flags, signal, stdout } = context
  const settings = await linkSettings(context)
  const expiresSeconds = secondsOf(options.expires) ?? settings?.expiresSeconds ?? MAX_SECONDS
  const { storage, backup, folder } = await locateBackup(options.backup, locateOptions(context, 'link'), signal)
  try {
    if (storage.link === undefined) {
      throw new UsageError(`There are no download links for ${storage.location}.`, { hint: 'Links exist for storage of mode s3 and gcs.' })
    }
    if (backup?.backup === undefined) throw new NotFoundError(`${options.backup} has no backup.json that can be read.`)
    const isEncrypted = backup.backup.encryption.format !== 'none'
    if (!isEncrypted && options.plain !== true && settings?.plain !== true) {
      throw new UsageError(`${backup.id} is not encrypted: whoever gets a link reads the data.`, {
        hint: 'Say --plain, or set storage.link.plain to true.',
      })
    }
    // It cuts long lines, and a link with a session token is one: links go past it, but it minds a reader that goes away.
    const reporter = await createReporter({ ...resultOptions(context), command: 'link' })
    const expiresAt = rfc3339(systemClock.now() + expiresSeconds * 1000)
    for (const { name, bytes } of backup.backup.parts) {
      const url = await storage.link(`${folder}/${name}`, expiresSeconds, signal)
      stdout.write(
        flags.json === true ? `${JSON.stringify({ message_type: 'link', name, bytes, url, expires_at: expiresAt })}\n` : `${url}\n`,
      )
    }
    const links = backup.backup.parts.length
    reporter.json('summary', { command: 'link', backup_id: backup.id, links, expires_at: expiresAt, exit_code: EXIT.ok })
    if (flags.json !== true && flags.quiet !== true) context.stderr.write(`${links} links, good until ${expiresAt} at the latest.\n`)
    return EXIT.ok
  } finally {
    await storage.close()
  }
}

async function linkSettings({ flags, env, cwd }: CommandContext): Promise<LinkConfig | undefined> {
  const storage = (await loadConfigIfAny({ flags, env, cwd, purpose: 'read' }))?.config.storage
  return storage !== undefined && 'link' in storage ? storage.link : undefined
}

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms === undefined || ms < 1000 || ms > MAX_SECONDS * 1000) {
    throw new UsageError(`--expires ${text} is no time from 1s to 7d.`, { hint: 'For example --expires 24h.' })
  }
  return Math.floor(ms / 1000)
}
