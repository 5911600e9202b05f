import {
  bytesOf,
  millisecondsOf,
  normalizeAccept,
  normalizeApi,
  normalizeMetrics,
  normalizeNotifications,
  normalizeRetention,
  normalizeSchedule,
} from './normalize.js'
import { normalizeAccount } from './normalize-account.js'
import { normalizeEncryption } from './normalize-encryption.js'
import { normalizeStorage } from './normalize-storage.js'
import type { MorePassphrases } from './passphrase-overlay.js'
import type { Problem, Report } from './problems.js'
import type { Settings } from './schema.js'
import type { SecretContext } from './secret-source.js'
import type { Config } from './types.js'

export interface NormalizedSections {
  sections: Partial<Config>
  problems: Problem[]
}

/** Every section that passed the schema, ready for use, and what is wrong beyond the schema. `more` as in `normalizeEncryption`. */
export function normalizeSections(settings: Partial<Settings>, more: MorePassphrases, context: SecretContext): NormalizedSections {
  const problems: Problem[] = []
  const sections: Partial<Config> = {}
  const report: Report = (path, text) => problems.push({ path, text })

  const { account, storage, encryption, api, zip, schedule, retention, notifications, metrics, resume } = settings
  const known = account === undefined ? undefined : normalizeAccount(account, context, report)
  const place = storage === undefined ? undefined : normalizeStorage(storage, context, report)
  const seal = encryption === undefined ? undefined : normalizeEncryption(encryption, more, context, report)
  if (known !== undefined) sections.account = known
  if (place !== undefined) sections.storage = place
  if (seal !== undefined) sections.encryption = seal
  if (place !== undefined && 'link' in place && place.link?.plain === false && seal?.format === 'none') {
    report(
      ['storage', 'link'],
      'the parts are not encrypted, so whoever has a link can read them; turn encryption on, or set "plain": true',
    )
  }
  if (settings.categories !== undefined) sections.categories = [...new Set(settings.categories)]
  if (settings.flows !== undefined) sections.flows = { ...settings.flows, types: [...new Set(settings.flows.types)] }
  if (settings.accept !== undefined) sections.accept = normalizeAccept(settings.accept, report)
  if (settings.commands !== undefined) sections.commands = settings.commands as Config['commands']
  if (zip !== undefined) sections.zip = { sizeBytes: bytesOf(zip.size) }
  if (api !== undefined) sections.api = normalizeApi(api, known, report)
  if (notifications !== undefined) sections.notifications = normalizeNotifications(notifications, context)
  if (metrics !== undefined) sections.metrics = normalizeMetrics(metrics, context)
  if (retention !== undefined) sections.retention = normalizeRetention(retention, report)
  if (schedule !== undefined) sections.schedule = normalizeSchedule(schedule, report)
  if (resume !== undefined) sections.resume = { withinMs: millisecondsOf(resume.within) }
  return { sections, problems }
}
