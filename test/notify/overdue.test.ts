import { expect, it } from 'vitest'
import { tellOverdue } from '../../src/commands/tell-overdue.js'
import { Secret } from '../../src/config/secret.js'
import type { Config } from '../../src/config/types.js'
import { deps, httpServer, NOW_MS, never, temporaryFolder } from './fixtures.js'

it('an overdue backup is told once a day, however often monitoring asks, and again when nobody heard', async () => {
  const server = await httpServer([{ status: 404 }, { status: 200 }, { status: 200 }])
  try {
    const url = new Secret({ key: 'notifications.webhooks[0].url', origin: 'file', read: async () => `${server.url}/x` })
    const config = {
      account: { subdomain: 'acme' },
      metrics: {},
      notifications: { on: ['overdue'], detail: false, webhooks: [{ url, format: 'json' }] },
    } as unknown as Config
    const stateDir = temporaryFolder()
    const overdue = { lastGoodStartedAtMs: undefined, maxAgeMs: 1, target: { accountId: 'Ac1', destination: 'file:///x' } }
    const at = (hours: number) => ({ stateDir, clock: deps({ now: () => NOW_MS + hours * 3_600_000 }) })
    const answers: (boolean | undefined)[] = []
    for (const hours of [0, 0.1, 0.2, 23, 24.2]) answers.push((await tellOverdue(config, overdue, at(hours), never))[0]?.ok)
    expect(answers).toEqual([false, true, undefined, undefined, true])
    expect(JSON.parse(server.seen[1]!.body)).toMatchObject({ event: 'overdue', account: 'acme', exit_code: 5, last_good_started_at: null })
  } finally {
    await server.close()
  }
})
