import { expect, it } from 'vitest'
import { NOTIFY_EVENTS } from '../../src/notify/message.js'
import { notifyAll } from '../../src/notify/notify-all.js'
import { sampleMessages } from '../../src/notify/samples.js'
import { deps, httpServer, NOW_MS, never, smtpServer } from './fixtures.js'

const FACTS = { account: 'acme', requester: 'root@h', host: 'h', storageMode: 'local', location: '/srv', nowMs: NOW_MS }

it('one sample of every message arrives at a real SMTP server and a real socket, marked as a test, the good one last', async () => {
  const mail = await smtpServer({ authOptional: true, disabledCommands: ['STARTTLS'] })
  const web = await httpServer(Array.from({ length: 12 }, () => ({ status: 200 })))
  try {
    const samples = sampleMessages(FACTS)
    expect(samples.map(({ event }) => event).toSorted()).toEqual([...NOTIFY_EVENTS].toSorted())
    expect(samples.at(-1)!.event).toBe('completed')
    const email = { smtp: `smtp://127.0.0.1:${mail.port}`, from: 'a@acme.com', to: ['b@acme.com'] }
    const channels = {
      on: [],
      detail: true,
      email,
      webhooks: [{ url: web.url, format: 'json' as const }],
      healthchecks: `${web.url}/check`,
    }
    for (const sample of samples) {
      const results = await notifyAll(sample, channels, deps(), never)
      expect(results.map(({ channel, ok }) => [channel, ok])).toEqual([
        ['email', true],
        ['webhook 1 (json)', true],
        ['healthchecks', true],
      ])
    }
    expect(mail.mails).toHaveLength(6)
    for (const { raw } of mail.mails) expect(raw).toMatch(/^Subject: \[kfbackup\] TEST acme: /m)
    const bodies = web.seen.filter(({ url }) => url === '/').map(({ body }) => JSON.parse(body))
    expect(bodies.map(({ event, sample }) => [event, sample])).toEqual(samples.map(({ event }) => [event, true]))
  } finally {
    await mail.close()
    await web.close()
  }
})
