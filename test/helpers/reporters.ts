import { join } from 'node:path'

/** The terminal's reporter, and with KFBACKUP_TEST_REPORTS=<folder> a JSON report there that CI sums up. */
export function reporters(name: string): { reporters: string[]; outputFile?: string } {
  const folder = process.env['KFBACKUP_TEST_REPORTS']
  if (folder === undefined || folder === '') return { reporters: ['default'] }
  return { reporters: ['default', 'json'], outputFile: join(folder, `${name}.json`) }
}
