import type { Section } from './types.js'

/** What a configuration is loaded for; it decides which variables must be set before the command starts. */
export type Purpose = 'run' | 'plan' | 'doctor' | 'list' | 'prune' | 'link' | 'read' | 'notify' | 'schedule' | 'state' | 'show' | 'validate'

export interface Needs {
  sections: readonly Section[]
  /** Secrets whose key begins with one of these. */
  secrets: readonly string[]
}

const SOURCE: Section[] = ['account', 'categories', 'flows', 'api', 'accept']
const EVERY: Section[] = [
  ...SOURCE,
  'storage',
  'zip',
  'encryption',
  'notifications',
  'commands',
  'metrics',
  'retention',
  'schedule',
  'resume',
]
const STORED: Section[] = ['account', 'storage']

/**
 * The sections and secrets each command uses (details.md 19). `doctor` and `show` tell of secrets that cannot be had instead of failing;
 * `read` (verify, extract) may be about a backup that has nothing to do with this configuration.
 */
export const NEEDS: Record<Purpose, Needs> = {
  run: { sections: EVERY, secrets: ['account.', 'storage.', 'encryption.passphrase', 'notifications.'] },
  plan: { sections: [...SOURCE, 'storage', 'zip', 'encryption'], secrets: ['account.'] },
  doctor: { sections: EVERY, secrets: [] },
  list: { sections: STORED, secrets: ['storage.'] },
  prune: { sections: [...STORED, 'retention'], secrets: ['storage.'] },
  link: { sections: STORED, secrets: ['storage.'] },
  read: { sections: [], secrets: [] },
  notify: { sections: ['account', 'notifications'], secrets: ['notifications.'] },
  schedule: { sections: ['schedule'], secrets: [] },
  state: { sections: STORED, secrets: [] },
  show: { sections: [], secrets: [] },
  validate: { sections: [], secrets: [] },
}
