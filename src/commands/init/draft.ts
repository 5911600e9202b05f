import { destinationOf } from '../../config/destination.js'
import type { Config } from '../../config/types.js'
import { formatTable } from '../../ui/table.js'
import type { AccountAnswers } from './ask-account.js'
import type { ContentAnswers } from './ask-contents.js'
import type { EncryptionAnswers } from './ask-encryption.js'
import type { ScheduleAnswers } from './ask-schedule.js'
import type { StorageAnswers } from './ask-storage.js'

/** Everything that was answered. */
export interface Answers {
  account: AccountAnswers
  contents: ContentAnswers
  storage: StorageAnswers
  zipSize: string
  encryption: EncryptionAnswers
  notifications: Record<string, unknown> | undefined
  schedule: ScheduleAnswers | undefined
}

/** The config as its file will say it; secrets stand in it by name only. */
export function configOf({ account, contents, storage, zipSize, encryption, notifications, schedule }: Answers): Record<string, unknown> {
  const { categories, exclude, accept } = contents
  return {
    account: {
      ...account.address.account,
      accountId: account.accountId,
      accessKeyId: account.keyId.config,
      accessKeySecret: account.keySecret.config,
    },
    categories,
    ...(exclude.length === 0 ? {} : { flows: { exclude } }),
    storage,
    zip: { size: zipSize },
    ...(encryption.section === undefined ? { encryption: { format: 'none' } } : { encryption: encryption.section }),
    ...(accept.length === 0 ? {} : { accept }),
    ...(notifications === undefined ? {} : { notifications }),
    ...(schedule === undefined ? {} : { schedule }),
  }
}

/** What was answered, to be looked through; no secret. */
export function reviewText(
  answers: Answers,
  { file, secrets, config }: { file: string; secrets: string; config: Partial<Config> },
): string {
  const { account, contents, zipSize, encryption, notifications, schedule } = answers
  const rows: [string, string][] = [
    ['Account', `${account.address.baseUrl}, ${account.accountId}`],
    ['Backs up', contents.categories.join(', ')],
    ['Leaves out', contents.exclude.length === 0 ? 'nothing' : contents.exclude.join(', ')],
    ['Accepts as missing', contents.accept.length === 0 ? 'nothing' : contents.accept.join(', ')],
    ['Into', config.storage === undefined ? String(answers.storage.mode) : destinationOf(config.storage)],
    ['ZIPs of at most', zipSize],
    ['Encryption', encryption.section === undefined ? 'none' : String(encryption.section.format)],
    ['Tells', notifications === undefined ? 'nobody' : Object.keys(notifications).join(', ')],
    ['Makes backups', schedule === undefined ? 'by hand' : `every ${schedule.every} at ${schedule.at}`],
    ['Config file', file],
    ['Secrets', secrets],
  ]
  return formatTable([{ header: '' }, { header: '' }], rows).trimStart()
}

/** What is worth offering again next time; nothing secret. */
export function memorable({ account, contents, storage, zipSize, encryption, notifications, schedule }: Answers): Record<string, unknown> {
  const email = notifications?.email as { from: string; to: string[] } | undefined
  return {
    address: account.address.baseUrl,
    accountId: account.accountId,
    categories: contents.categories,
    storage: storage.mode,
    ...(typeof storage.path === 'string' ? { path: storage.path } : {}),
    zipSize,
    encryption: encryption.section === undefined ? 'none' : String(encryption.section.format),
    ...(email === undefined ? {} : { email: email.to.join(', '), emailFrom: email.from }),
    ...(schedule === undefined ? {} : { every: schedule.every, at: schedule.at }),
  }
}
