import { z } from 'zod'
import { duration, object, secret, text, whole } from './schema-parts.js'

const link = z
  .union([duration(), object({ expires: duration(), plain: z.boolean().default(false) })], {
    error: 'must be a duration such as "7d", or {"expires": "7d", "plain": true}',
  })
  .meta({ description: 'Signed download links in the completion mail, at most 7 days; plain: also for parts that are not encrypted.' })

const local = object({
  mode: z.literal('local'),
  path: text().default('./backups').meta({ description: 'Folder, relative to this file.' }),
})

const s3 = object({
  mode: z.literal('s3'),
  url: text().meta({ description: 's3://bucket/prefix' }),
  region: text().optional(),
  endpoint: text().optional().meta({ description: 'URL of an S3-compatible server.' }),
  forcePathStyle: z.boolean().default(false),
  profile: text().optional().meta({ description: "Profile of the AWS SDK's credential files." }),
  storageClass: text().optional(),
  sse: z.enum(['AES256', 'aws:kms', 'aws:kms:dsse']).optional(),
  kmsKeyId: text().optional(),
  lock: object({ mode: z.enum(['governance', 'compliance']), days: whole(1, 36500) }).optional(),
  link: link.optional(),
  verifyAfterUpload: z.boolean().default(false),
})

const gcs = object({
  mode: z.literal('gcs'),
  url: text().meta({ description: 'gs://bucket/prefix' }),
  keyFile: text().optional().meta({ description: 'Service account key (JSON); without it the ambient credentials serve.' }),
  endpoint: text().optional(),
  link: link.optional(),
  verifyAfterUpload: z.boolean().default(false),
})

const drive = object({
  mode: z.literal('drive'),
  folder: text().meta({ description: 'A folder id, or a path of folder names.' }),
  keyFile: text().optional().meta({ description: 'Service account key (JSON) with access to a shared drive.' }),
  oauth: object({ clientId: text(), clientSecret: secret(), refreshToken: secret() }).optional(),
  endpoint: text().optional(),
  verifyAfterUpload: z.boolean().default(false),
})

/** The storage modes by name. */
export const STORAGE_MODES = { local, s3, gcs, drive }

export const storage = z.discriminatedUnion('mode', [local, s3, gcs, drive]).prefault({ mode: 'local' })
export type StorageSettings = z.output<typeof storage>
