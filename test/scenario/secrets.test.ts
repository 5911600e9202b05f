import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { runAndKill } from '../helpers/kill-at.js'
import { type Ended, FAST_TIME, type Workspace, withWorkspace } from '../helpers/workspace.js'

vi.setConfig({ testTimeout: 120_000 })

const PASSPHRASE = 'Correct-Horse-9-Battery'
const WEBHOOK_TOKEN = 'T0KEN-of-the-webhook-6f1d'

/** What must stand nowhere; a signed URL is known by its signature. */
function secretsOf(workspace: Workspace): Record<string, RegExp> {
  return {
    'access key secret': new RegExp(workspace.sandbox.accessKeySecret),
    'access key id': new RegExp(workspace.sandbox.accessKeyId),
    passphrase: new RegExp(PASSPHRASE),
    'signed URL': /kf-uploads|[?&](?:signature|sig|X-Amz-Signature|X-Goog-Signature|token|expires)=/i,
    'host of the signed URLs': new RegExp(new URL(workspace.sandbox.filesUrl).host),
    'webhook token': new RegExp(WEBHOOK_TOKEN),
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Every place in which a secret stands: outputs, logs, state, backups; the config alone may name its variables. */
function leaks(workspace: Workspace, outputs: readonly Ended[]): string[] {
  const texts: [string, string][] = outputs.flatMap((ended, index): [string, string][] => [
    [`stdout ${index}`, ended.stdout],
    [`stderr ${index}`, ended.stderr],
  ])
  for (const path of filesBelow(workspace.folder)) if (path !== workspace.config) texts.push([path, readFileSync(path, 'latin1')])
  return texts.flatMap(([where, text]) =>
    Object.entries(secretsOf(workspace)).flatMap(([what, pattern]) =>
      pattern.test(text) ? [`${what} in ${where}: …${text.slice(Math.max(0, text.search(pattern) - 80), text.search(pattern) + 80)}…`] : [],
    ),
  )
}

const CONFIG = {
  encryption: { format: 'openssl', passphrase: '${KFBACKUP_PASSPHRASE}' },
  // A dead channel: its address must not stand in the warning either.
  notifications: { webhooks: [{ url: `http://127.0.0.1:9/services/${WEBHOOK_TOKEN}`, format: 'slack' }] },
}

it('after runs under --verbose that met every fault, were killed, continued and failed, no secret stands in any output, log, state file or backup', async () => {
  await withWorkspace({ faults: 'chaos:0.1,stall-ms=20', items: 150, users: 30, config: CONFIG }, async (workspace) => {
    workspace.env['KFBACKUP_PASSPHRASE'] = PASSPHRASE
    const args = ['run', '--verbose', '--log-file', join(workspace.folder, 'kfbackup.log')]
    const outputs: Ended[] = []
    const { place, ended } = await runAndKill(workspace, { phase: 'pack', nth: 30, when: 'after' }, args, FAST_TIME)
    expect(place).toBeDefined()
    outputs.push(ended)
    // The spool is still there: all of it is sealed.
    expect(filesBelow(workspace.stateDir).some((path) => path.includes('/spool/'))).toBe(true)
    expect(leaks(workspace, outputs)).toEqual([])
    outputs.push(await workspace.run(args, FAST_TIME))
    expect(outputs.at(-1)?.code).toBe(0)
    workspace.sandbox.order({ faults: 'revoke-after=60' })
    outputs.push(await workspace.run(args, FAST_TIME))
    expect(outputs.at(-1)?.code).toBe(13)
    workspace.sandbox.order({ faults: 'poison-item=1,poison-file=3' })
    outputs.push(await workspace.run(args, FAST_TIME))
    expect(outputs.at(-1)?.code).toBe(3)
    for (const command of [['history'], ['history', 'show', 'latest'], ['status'], ['config', 'show'], ['list']])
      outputs.push(await workspace.run(command))
    // The faults were met, and the log has something to say: an empty log proves nothing.
    expect(readFileSync(join(workspace.folder, 'kfbackup.log'), 'utf8')).toMatch(/retrying|again/)
    expect(leaks(workspace, outputs)).toEqual([])
    expect(workspace.sandbox.stats().incidents).toEqual([])
    // The search finds what it looks for.
    writeFileSync(join(workspace.stateDir, 'planted'), `x ${workspace.sandbox.accessKeySecret}`)
    expect(leaks(workspace, outputs)).toHaveLength(1)
  })
})
