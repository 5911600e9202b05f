import { defineConfig } from 'vitest/config'
import { reporters } from '../helpers/reporters.js'

/** `npm test` leaves out what is about these programs where they are missing. */
const WITH_AGE = ['test/crypto/age.test.ts', 'test/extract/commands.test.ts', 'test/pack/readme.test.ts']
const WITH_SHELLS = ['test/completion/completion.test.ts']
const WITH_PYTHON = ['test/archive/texts.test.ts']

/** What needs a server: `eval "$(test/services/s3-server.sh start)"`, or any other endpoint in KFBACKUP_TEST_S3_ENDPOINT with AWS credentials. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/integration/**/*.test.ts', ...WITH_AGE, ...WITH_SHELLS, ...WITH_PYTHON],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    // A busy CI machine may miss a deadline once; what is broken fails again.
    retry: process.env['CI'] === undefined ? 0 : 2,
    ...reporters('integration'),
    globalSetup: ['test/helpers/build-once.ts'],
    setupFiles: ['test/helpers/no-vacuous-match.ts'],
  },
})
