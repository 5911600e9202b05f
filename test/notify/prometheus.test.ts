import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { notifyAll } from '../../src/notify/notify-all.js'
import { writePrometheusFile } from '../../src/notify/prometheus.js'
import { completed, deps, NOW_MS, never, temporaryFolder } from './fixtures.js'

function gauges(path: string): Record<string, number> {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('{')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

it('the Prometheus file holds the last run, readable for the collector', () => {
  const folder = temporaryFolder()
  const path = join(folder, 'kfbackup.prom')
  writePrometheusFile(completed(), path)
  expect(gauges(path)).toEqual({
    kfbackup_last_run_timestamp_seconds: NOW_MS / 1000,
    kfbackup_last_run_duration_seconds: 7200,
    kfbackup_last_run_exit_code: 0,
    kfbackup_last_success_timestamp_seconds: NOW_MS / 1000,
    kfbackup_records: 132_763,
    kfbackup_attachments: 20_118,
    kfbackup_bytes: 3_400_000_000,
    kfbackup_gaps: 0,
  })
  expect(statSync(path).mode & 0o777).toBe(0o644)
  expect(readdirSync(folder)).toEqual(['kfbackup.prom'])
})

it('a failed run keeps the last success and the last figures in the Prometheus file', () => {
  const path = join(temporaryFolder(), 'kfbackup.prom')
  writePrometheusFile(completed(), path)
  writePrometheusFile(completed({ event: 'started', atMs: NOW_MS + 1_000 }), path)
  writePrometheusFile(
    completed({ event: 'failed', counts: undefined, gaps: undefined, exitCode: 13, durationMs: 1_500, atMs: NOW_MS + 60_000 }),
    path,
  )
  expect(gauges(path)).toMatchObject({
    kfbackup_last_run_timestamp_seconds: NOW_MS / 1000 + 60,
    kfbackup_last_run_duration_seconds: 1.5,
    kfbackup_last_run_exit_code: 13,
    kfbackup_last_success_timestamp_seconds: NOW_MS / 1000,
    kfbackup_records: 132_763,
  })
})

it("another account's figures are not taken over, and a hostile name stays one label", () => {
  const path = join(temporaryFolder(), 'kfbackup.prom')
  writePrometheusFile(completed({ account: 'other' }), path)
  writePrometheusFile(completed({ account: 'a"b\\c\nd', event: 'failed', counts: undefined, exitCode: 1 }), path)
  const text = readFileSync(path, 'utf8')
  expect(text).toContain('kfbackup_last_run_exit_code{account="a\\"b\\\\c\\nd"} 1\n')
  expect(gauges(path)).not.toHaveProperty('kfbackup_records')
})

it('a Prometheus file that cannot be written is a warning, and a sample never writes one', async () => {
  const file = join(temporaryFolder(), 'a-file')
  writeFileSync(file, '')
  const channels = { on: [], detail: false, prometheus: join(file, 'kfbackup.prom') }
  expect(await notifyAll(completed(), channels, deps(), never)).toMatchObject([{ channel: 'prometheus', ok: false }])
  expect(await notifyAll(completed({ sample: true }), channels, deps(), never)).toEqual([])
})
