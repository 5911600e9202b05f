import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/types.js'
import type { PruneOutcome } from '../core/backups/prune.js'
import type { Emit, Gap } from '../core/events.js'
import type { RunResult } from '../core/run/run-types.js'
import { BackupError, EXIT } from '../errors.js'
import type { DownloadLink, NotifiedGap } from '../notify/message.js'
import { runFolder } from '../state/history.js'
import type { Storage } from '../storage/storage.js'
import { systemClock } from '../util/clock.js'
import { counted, formatBytes } from '../util/units.js'
import type { CommandContext } from './command-context.js'
import { guardMessage, pruneDestination, pruneExitCode } from './prune-destination.js'
import { gapExamples } from './run-message.js'
import { stateDirOf } from './state-target.js'

/** Signed links to every part, for the completion mail alone; none where the config asks for none. */
export async function downloadLinks(
  config: Config,
  storage: Storage,
  { made, emit }: { made: RunResult; emit: Emit },
  signal: AbortSignal,
): Promise<DownloadLink[]> {
  const settings = 'link' in config.storage ? config.storage.link : undefined
  if (settings === undefined || storage.link === undefined) return []
  if (!made.summary.encrypted && !settings.plain) return []
  const expiresAtMs = systemClock.now() + settings.expiresSeconds * 1000
  const links: DownloadLink[] = []
  try {
    for (const { folder, name } of made.parts) {
      links.push({ name, url: await storage.link(`${folder}/${name}`, settings.expiresSeconds, signal), expiresAtMs })
    }
  } catch (error) {
    // The backup is made; kfbackup link makes the links once whatever is wrong is mended.
    emit({
      type: 'warning',
      code: 'links',
      message: `No download links could be made: ${error instanceof Error ? error.message : String(error)}`,
    })
  }
  return links
}

/** The gravest open gaps of a run, for its messages. */
export function gapsOfRun(context: CommandContext, made: RunResult): NotifiedGap[] {
  const folder = runFolder(stateDirOf(context), made.summary.backupId)
  try {
    const gaps = JSON.parse(readFileSync(join(folder, 'gaps.json'), 'utf8')) as Gap[]
    const { flows } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as { flows: { id: string; name: string }[] }
    return gapExamples(gaps, new Map(flows.map(({ id, name }) => [id, name])))
  } catch {
    // A message with counts alone is better than none.
    return []
  }
}

/**
 * Applies `retention` after a good run when the config says so; what could not be removed makes the run end with 3. Never fails a backup that was made:
 * being stopped meanwhile, too, is something that could not be removed.
 */
export async function pruneAfterRun(
  context: CommandContext,
  config: Config,
  parts: { storage: Storage; made: RunResult; emit: Emit },
): Promise<void> {
  const { storage, made, emit } = parts
  if (!config.retention.afterRun || made.summary.status !== 'completed') return
  const warn = (code: string, message: string): void => emit({ type: 'warning', code, message })
  try {
    const removed: string[] = []
    const onBackup = (outcome: PruneOutcome): void => {
      if (outcome.removed) removed.push(outcome.backup.id)
      if (outcome.error !== undefined) warn('prune_failed', `${outcome.backup.id} could not be removed: ${withHint(outcome.error)}`)
    }
    const result = await pruneDestination(context, config, storage, { leftovers: false, dryRun: false, onBackup })
    const { outcomes, failed, bytesFreed, stoppedBy } = result
    const kept = outcomes.length - removed.length - failed
    made.summary.pruned = { removed, kept, failed, bytesFreed, guardStopped: stoppedBy !== undefined }
    if (removed.length > 0) {
      emit({ type: 'milestone', message: `Removed ${counted(removed.length, 'older backup')} by retention, ${formatBytes(bytesFreed)}` })
    }
    if (stoppedBy !== undefined) warn('prune_guard', guardMessage(stoppedBy, config.retention.guard))
    if (pruneExitCode(result) !== EXIT.ok) made.summary.exitCode = EXIT.incomplete
  } catch (error) {
    made.summary.exitCode = EXIT.incomplete
    warn('prune_failed', `The backup is made, but older ones could not be removed: ${withHint(error)}`)
  }
}

function withHint(error: unknown): string {
  if (error instanceof BackupError && error.hint !== undefined) return `${error.message} ${error.hint}`
  return error instanceof Error ? error.message : String(error)
}
