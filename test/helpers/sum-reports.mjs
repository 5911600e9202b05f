import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

// One line over all test runs of this CI run, from vitest's JSON reports.
const folder = process.argv[2] ?? '.'
let passed = 0
let failed = 0
let skipped = 0
for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  passed += report.numPassedTests
  failed += report.numFailedTests
  skipped += report.numPendingTests
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
if (failed > 0 || passed === 0) process.exitCode = 1
