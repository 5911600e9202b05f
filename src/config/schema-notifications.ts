import { z } from 'zod'
import { argv, listOf, object, secret, text } from './schema-parts.js'
import { OCCASIONS } from './types.js'

const address = text().regex(/^[^\s@<>]+@[^\s@<>]+$|^[^<>@]*<[^\s@<>]+@[^\s@<>]+>$/, {
  error: 'must be a mail address such as admin@acme.com',
})

export const notifications = object({
  on: z.array(z.enum(OCCASIONS)).default([...OCCASIONS]),
  email: object({
    smtp: secret().meta({ description: 'smtps://user:password@host, a secret.' }),
    from: address,
    to: listOf(address, 'must name at least one address'),
  }).optional(),
  webhooks: z.array(object({ url: secret(), format: z.enum(['slack', 'json']).default('json') })).default([]),
  healthchecks: secret().optional().meta({ description: 'Ping URL, a secret; /start and /fail are added.' }),
  kissflow: object({
    type: z.enum(['process', 'form']),
    flow: text(),
    fields: z.record(text(), z.string()).default({}),
  })
    .optional()
    .meta({ description: 'An item made in this process or form for each message.' }),
  detail: z.boolean().default(false).meta({ description: 'Names of flows in messages, not only counts.' }),
}).prefault({})

export const commands = object({
  before: argv().optional().meta({ description: 'Run before a backup; exit 75 skips it.' }),
  after: argv().optional(),
  onError: argv().optional(),
}).prefault({})
