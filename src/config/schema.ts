import { z } from 'zod'
import { parseSize } from '../util/units.js'
import { commands, notifications } from './schema-notifications.js'
import { duration, listOf, object, secret, size, text, whole } from './schema-parts.js'
import { storage } from './schema-storage.js'
import { CATEGORY_NAMES, FLOW_TYPES } from './types.js'

/** Below this a part would be little more than its own directory (details.md 10). */
const LEAST_ZIP_BYTES = 1_000_000
const ANY = Number.MAX_SAFE_INTEGER

const account = object({
  subdomain: text().optional().meta({ description: 'acme of https://acme.kissflow.com' }),
  domain: text().default('kissflow.com'),
  baseUrl: text().optional().meta({ description: 'Replaces subdomain and domain.' }),
  accountId: text().meta({ description: 'Ac…, as in the address of the REST API.' }),
  accessKeyId: secret().optional(),
  accessKeySecret: secret().optional(),
}).prefault({} as { accountId: string })

const categories = listOf(z.enum(CATEGORY_NAMES), `must name at least one of ${CATEGORY_NAMES.join(', ')}`)
  .refine((names) => !names.includes('attachments') || names.includes('transactions'), {
    error: 'attachments belong to records: add "transactions" or remove "attachments"',
  })
  .default([...CATEGORY_NAMES])

const flows = object({
  include: listOf(text(), 'must hold at least one pattern; ["*"] means every flow').default(['*']),
  exclude: z.array(text()).default([]),
  types: listOf(z.enum(FLOW_TYPES), `must name at least one of ${FLOW_TYPES.join(', ')}`).default([...FLOW_TYPES]),
}).prefault({})

const zip = object({
  size: size()
    .refine((value) => (parseSize(value) ?? ANY) >= LEAST_ZIP_BYTES, { error: 'is below the least size; set "1MB" or more' })
    .default('4GB'),
}).prefault({})

const encryption = object({
  format: z.enum(['none', 'openssl', 'age']).optional(),
  passphrase: secret().optional(),
  recipients: z
    .array(z.string().regex(/^age1[a-z0-9]+$/, { error: 'must be an age public key, age1…' }))
    .optional()
    .meta({ description: 'age public keys; each of their owners can open the backup.' }),
  identity: text().optional().meta({ description: 'age key file, only for reading.' }),
  oldPassphrases: z.array(secret()).default([]).meta({ description: 'Passphrases of older backups, only for reading.' }),
}).prefault({})

const endpoint = z.string().regex(/^\/(?!\/)[^\s\\]*$/, { error: 'must be a path template that begins with one "/", never a URL' })

const RATE = 'must be a whole number from 1 to 400, or "auto"'

const api = object({
  callsPerMinute: z
    .union([z.number().positive({ error: RATE }), z.literal('auto')], { error: RATE })
    .optional()
    .meta({ description: '1 to 400, or "auto" (the default); any number for an account on this machine.' }),
  concurrency: whole(1, 32).default(8),
  pageSize: whole(1, 1000).default(100),
  reserve: whole(0, 399).default(40).meta({ description: 'Calls a minute left to people under "auto".' }),
  endpoints: z.record(z.string(), endpoint).default({}),
}).prefault({})

const keep = whole(0, ANY).optional()
const retention = object({
  keepLast: keep,
  keepDaily: keep,
  keepWeekly: keep,
  keepMonthly: keep,
  keepYearly: keep,
  keepWithin: duration().optional(),
  guard: z
    .string()
    .regex(/^(100|\d{1,2})(\.\d+)?\s*%$/, { error: 'must be a share such as "20%"' })
    .default('20%'),
  afterRun: z.boolean().default(false),
}).prefault({})

const schedule = object({
  every: duration(),
  at: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'must be a time such as "02:30"' })
    .default('02:30'),
}).optional()

/** What `accept` may name beside flow ids. */
export const ACCEPTABLE = ['comments', 'auditLogs', 'projects'] as const

/** Every section of a config file. Each is checked alone, so that one bad section does not hide another's errors. */
export const SECTIONS = {
  account,
  categories,
  flows,
  storage,
  zip,
  encryption,
  api,
  accept: z.array(text()).default([]),
  notifications,
  commands,
  metrics: object({ prometheusFile: text().optional() }).prefault({}),
  retention,
  schedule,
  resume: object({ within: duration().default('7d') }).prefault({}),
}

/** The config as it stands in a file, with the defaults filled in. */
export type Settings = { [Name in keyof typeof SECTIONS]: z.output<(typeof SECTIONS)[Name]> }

/** JSON Schema (draft 2020-12) of a config file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const root = object({ $schema: z.string().optional(), ...SECTIONS })
  return { title: 'kfbackup configuration', ...z.toJSONSchema(root, { io: 'input' }) }
}
