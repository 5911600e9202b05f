import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSchedule } from '../../src/core/schedule/schedule-spec.js'

export const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples')

export function example(...path: string[]): string {
  return readFileSync(join(EXAMPLES, ...path), 'utf8')
}

/** What the example units were made from. */
export const UNIT = {
  schedule: parseSchedule('6 months', '02:30'),
  account: 'acme',
  argv: [
    ...['/usr/bin/node', '/usr/lib/node_modules/kfbackup/bin/kfbackup.js', 'run', '--if-due', '--quiet'],
    ...['--config', '/etc/kfbackup/kfbackup.config.json'],
  ],
  user: 'kfbackup',
  writable: ['/srv/backups'],
  stateDirectory: 'kfbackup',
  credentials: ['access-key-id', 'access-key-secret', 'passphrase'].map((name) => ({ name, path: `/etc/kfbackup/${name}` })),
}
