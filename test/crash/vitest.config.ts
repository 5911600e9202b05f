import { defineConfig } from 'vitest/config'
import { reporters } from '../helpers/reporters.js'

/** A thousand kills of the real binary, or as many as KFBACKUP_CRASH_POINTS says; KFBACKUP_CRASH_SEED repeats a run. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/crash/**/*.test.ts'],
    // The number of kills decides how long it takes; each process has its own limit.
    testTimeout: 4 * 3_600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    retry: process.env['CI'] === undefined ? 0 : 1,
    ...reporters('crash'),
    globalSetup: ['test/helpers/build-once.ts'],
    setupFiles: ['test/helpers/no-vacuous-match.ts'],
  },
})
