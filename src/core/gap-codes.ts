import type { GapClass } from './events.js'

interface GapCodeEntry {
  class: GapClass
  /** One sentence for `help exit-codes`. */
  meaning: string
}

/**
 * Every `code` that gaps.json may hold, with its class and what it means (details.md 32).
 * notOffered: no API gives it. unavailable: this account or key does not give it. lost: it should have come and did not. changed: it moved while the backup was made.
 */
export const GAP_CODES = {
  service_accounts: { class: 'notOffered', meaning: 'Service accounts: the API does not list them.' },
  access_keys: { class: 'notOffered', meaning: 'Access keys: the API does not list them.' },
  external_users: { class: 'notOffered', meaning: 'External users: the API does not list them.' },
  project_members: { class: 'notOffered', meaning: 'Who has access to a project: the API does not list it.' },
  definitions: { class: 'notOffered', meaning: 'Definitions of flows, workflows and apps: the API does not give them.' },
  snapshot: { class: 'notOffered', meaning: 'One moment in time: the API has no snapshot, so records are as they were when read.' },

  comments_missing: { class: 'unavailable', meaning: 'The account has no endpoint for comments.' },
  activity_missing: { class: 'unavailable', meaning: 'The account has no endpoint for the activity of board items.' },
  audit_missing: { class: 'unavailable', meaning: 'The account has no endpoint for audit logs.' },
  projects_missing: { class: 'unavailable', meaning: 'The account has no endpoint for projects.' },
  forbidden: { class: 'unavailable', meaning: 'The service account may not read this; give it the permission in Kissflow.' },
  plan_limit: { class: 'unavailable', meaning: 'The plan of the account does not include this.' },
  upload_key_missing: { class: 'unavailable', meaning: 'The file value has no key, and the account serves such files by key alone.' },
  count_differs: {
    class: 'unavailable',
    meaning: 'Fewer records can be read than the account counts; often a permission on some of them.',
  },
  members_missing: { class: 'unavailable', meaning: 'The people with access to a flow could not be read.' },
  fields_missing: { class: 'unavailable', meaning: 'The fields of a flow could not be read.' },
  flows_missing: { class: 'unavailable', meaning: 'The flows of one type could not be listed.' },
  list_failed: { class: 'unavailable', meaning: 'The records of a flow could not be listed.' },

  item_failed: { class: 'lost', meaning: 'A record was listed and could not be read.' },
  file_failed: { class: 'lost', meaning: 'An attachment or image could not be downloaded.' },
  comments_failed: { class: 'lost', meaning: 'The comments of a record could not be read.' },
  activity_failed: { class: 'lost', meaning: 'The activity of a board item could not be read.' },
  user_failed: { class: 'lost', meaning: 'The detail of a user could not be read; the list row is kept.' },
  group_failed: { class: 'lost', meaning: 'A group or its members could not be read.' },
  page_failed: { class: 'lost', meaning: 'A page of a list could not be read; what stood on it is missing.' },
  audit_failed: { class: 'lost', meaning: 'A page of the audit log could not be read.' },

  item_gone: { class: 'changed', meaning: 'A record was deleted between list and read.' },
  appeared: { class: 'changed', meaning: 'A record appeared while its flow was read.' },
  row_gone: { class: 'changed', meaning: 'A row of a child table or dataset was deleted while it was read.' },
  comments_gone: { class: 'changed', meaning: 'The comments of a record went with it while they were read.' },
  unproven: { class: 'changed', meaning: 'The flow kept changing, so that its completeness could not be proved.' },
  file_size_differs: { class: 'changed', meaning: 'A file has another size than its record says; what came is kept.' },
} as const satisfies Record<string, GapCodeEntry>

export type GapCode = keyof typeof GAP_CODES
