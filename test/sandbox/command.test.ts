import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'

const BIN = new URL('../../bin/kfbackup.js', import.meta.url).pathname

interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

function start(...args: string[]): { child: ChildProcess; firstLine: Promise<string>; finished: Promise<Finished> } {
  const child = spawn(process.execPath, [BIN, 'sandbox', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => (stdout += data))
  child.stderr.on('data', (data) => (stderr += data))
  const firstLine = once(createInterface(child.stdout), 'line').then(([line]) => String(line))
  return { child, firstLine, finished: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })) }
}

describe('kfbackup sandbox', () => {
  it('prints one line with its settings, serves the account and ends with 0 on Ctrl-C', async () => {
    const { child, firstLine, finished } = start(
      '--json',
      '--items',
      '25',
      '--seed',
      '5',
      '--rate-limit',
      '400',
      '--latency',
      '5ms',
      '--record-calls',
    )
    const settings = JSON.parse(await firstLine) as Record<string, string>
    expect(settings).toMatchObject({ message_type: 'sandbox', base_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) })
    const headers = { 'X-Access-Key-Id': settings.access_key_id!, 'X-Access-Key-Secret': settings.access_key_secret! }
    const began = performance.now()
    const response = await fetch(`${settings.base_url}/user/2/${settings.account_id}/`, { headers })
    expect(await response.json()).toHaveLength(10)
    expect(performance.now() - began).toBeGreaterThan(4)
    const truth = (await (await fetch(`${settings.base_url}/_sandbox/truth`)).text()).trim().split('\n')
    expect(JSON.parse(truth.at(-1)!)).toMatchObject({ kind: 'end', records: 25 })
    child.kill('SIGINT')
    const { code, stdout, stderr } = await finished
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual({ message_type: 'summary', command: 'sandbox', exit_code: 0 })
  })

  it('prints settings a person can paste', async () => {
    const { child, firstLine, finished } = start('--items', '0')
    await firstLine
    child.kill('SIGTERM')
    const { code, stdout } = await finished
    expect(code).toBe(0)
    for (const name of ['KISSFLOW_BASE_URL', 'KISSFLOW_ACCOUNT_ID', 'KISSFLOW_ACCESS_KEY_ID', 'KISSFLOW_ACCESS_KEY_SECRET']) {
      expect(stdout).toMatch(new RegExp(`^export ${name}=\\S+$`, 'm'))
    }
    expect(stdout).toContain(`"accessKeyId": "\${KISSFLOW_ACCESS_KEY_ID}"`)
  })

  it.each([
    [['--items', 'many'], '--items many'],
    [['--items', '2000000'], '2000000'],
    [['--faults', 'resett:1'], 'resett'],
    [['--latency', 'soon'], '--latency soon'],
    [['--file-size', 'huge'], '--file-size huge'],
    [['--file-size', '1MB', '--items', '0'], 'record'],
    [['--port', '99999'], '--port 99999'],
  ])('refuses %j', async (args, told) => {
    const { code, stdout, stderr } = await start(...args).finished
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(told)
  })
})
