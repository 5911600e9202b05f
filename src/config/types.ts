import type { Secret } from './secret.js'

export const CATEGORY_NAMES = ['usersAndGroups', 'transactions', 'attachments', 'auditLogs'] as const
export type CategoryName = (typeof CATEGORY_NAMES)[number]

export const FLOW_TYPES = ['process', 'board', 'form', 'dataset', 'project'] as const
export type FlowType = (typeof FLOW_TYPES)[number]

export const OCCASIONS = ['started', 'completed', 'incomplete', 'failed', 'canceled', 'overdue'] as const
export type Occasion = (typeof OCCASIONS)[number]

export interface AccountConfig {
  /** Scheme, host and port, no slash at the end. */
  baseUrl: string
  /** The account is on this machine: plain http and any rate are allowed. */
  isLoopback: boolean
  /** What backup folders are named after: the subdomain, with `baseUrl` its host and port made safe (details.md 1). */
  subdomain: string
  accountId: string
  accessKeyId: Secret
  accessKeySecret: Secret
}

export interface FlowsConfig {
  /** Patterns of ids and names, ignoring case. */
  include: string[]
  /** Wins over `include`. */
  exclude: string[]
  types: FlowType[]
}

export interface LinkConfig {
  /** At most seven days. */
  expiresSeconds: number
  /** Also link parts that are not encrypted. */
  plain: boolean
}

export interface LocalStorageConfig {
  mode: 'local'
  /** Absolute. */
  path: string
}

export interface S3StorageConfig {
  mode: 's3'
  bucket: string
  /** Without slashes at either end; empty for the bucket's root. */
  prefix: string
  region?: string
  /** URL of an S3-compatible server. */
  endpoint?: string
  forcePathStyle: boolean
  profile?: string
  storageClass?: string
  sse?: 'AES256' | 'aws:kms' | 'aws:kms:dsse'
  kmsKeyId?: string
  lock?: { mode: 'governance' | 'compliance'; days: number }
  link?: LinkConfig
  verifyAfterUpload: boolean
}

export interface GcsStorageConfig {
  mode: 'gcs'
  bucket: string
  /** Without slashes at either end; empty for the bucket's root. */
  prefix: string
  /** Absolute; without it the ambient credentials serve. */
  keyFile?: string
  endpoint?: string
  link?: LinkConfig
  verifyAfterUpload: boolean
}

export interface DriveOAuthConfig {
  clientId: string
  clientSecret: Secret
  refreshToken: Secret
}

export interface DriveStorageConfig {
  mode: 'drive'
  /** A folder's id, or its path. */
  folder: string
  /** Absolute. Exactly one of `keyFile` and `oauth` is set. */
  keyFile?: string
  oauth?: DriveOAuthConfig
  endpoint?: string
  verifyAfterUpload: boolean
}

export type StorageConfig = LocalStorageConfig | S3StorageConfig | GcsStorageConfig | DriveStorageConfig

/** What may open backups made with earlier settings. */
export interface ReadingKeys {
  /** In the order to try them: KFBACKUP_PASSPHRASE or its file, the current one, the old ones. Only their bytes are checked, not the rule for new ones. */
  passphrases: Secret[]
  /** An age key file, absolute. */
  identity?: string
}

export type EncryptionConfig = { reading: ReadingKeys } & (
  | { format: 'none' }
  /** The passphrase of new backups; it keeps the passphrase rule, or `resolve` throws. */
  | { format: 'openssl'; passphrase: Secret }
  | { format: 'age'; recipients: string[] }
)

export interface ApiConfig {
  /** `unlimited` only for an account on this machine. */
  callsPerMinute: number | 'auto' | 'unlimited'
  concurrency: number
  pageSize: number
  /** Calls a minute left to people under `auto`. */
  reserve: number
  /** Path templates by endpoint name; the names are those of the endpoint table. */
  endpoints: Record<string, string>
}

export interface EmailConfig {
  smtp: Secret
  from: string
  to: string[]
}

export interface WebhookConfig {
  url: Secret
  format: 'slack' | 'json'
}

export interface KissflowNoticeConfig {
  type: 'process' | 'form'
  flow: string
  /** Text by field id. */
  fields: Record<string, string>
}

export interface NotificationsConfig {
  on: Occasion[]
  email?: EmailConfig
  webhooks: WebhookConfig[]
  healthchecks?: Secret
  kissflow?: KissflowNoticeConfig
  /** Names of flows and items, not only counts. */
  detail: boolean
}

/** Programs with their arguments, run without a shell. */
export interface CommandsConfig {
  before?: string[]
  after?: string[]
  onError?: string[]
}

export interface RetentionConfig {
  keepLast?: number
  keepDaily?: number
  keepWeekly?: number
  keepMonthly?: number
  keepYearly?: number
  keepWithinMs?: number
  /** Share of records, 0 to 1, the newest backup may have lost before prune stops. */
  guard: number
  /** Prune after each good run. */
  afterRun: boolean
}

export interface ScheduleConfig {
  /** As written: `6 months`, `1 day`. */
  every: string
  everyMs: number
  /** Local time, `HH:MM`. */
  at: string
}

/**
 * The whole configuration, checked and normalized: sizes in bytes, durations in milliseconds, paths absolute. A section that needs an
 * environment variable which is not set throws a ConfigError when it is read, so only the commands that use it fail.
 */
export interface Config {
  account: AccountConfig
  categories: CategoryName[]
  flows: FlowsConfig
  storage: StorageConfig
  zip: { sizeBytes: number }
  encryption: EncryptionConfig
  api: ApiConfig
  accept: string[]
  notifications: NotificationsConfig
  commands: CommandsConfig
  metrics: { prometheusFile?: string }
  retention: RetentionConfig
  schedule?: ScheduleConfig
  resume: { withinMs: number }
}

export type Section = keyof Config
