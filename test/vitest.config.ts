import { defineConfig } from 'vitest/config'
import { reporters } from './helpers/reporters.js'

/** The fast suite: everything but what needs servers, long runs or Debian packages (test/integration, test/crash, test/bench). */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    exclude: ['test/integration/**', 'test/crash/**', 'test/bench/**', 'node_modules/**'],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    pool: 'forks',
    // A busy CI machine may miss a deadline once; what is broken fails again.
    retry: process.env['CI'] === undefined ? 0 : 2,
    ...reporters('unit'),
    globalSetup: ['test/helpers/build-once.ts'],
    setupFiles: ['test/helpers/no-vacuous-match.ts'],
  },
})
