import { readFileSync } from 'node:fs'
import { PACKAGE_JSON } from './own-files.js'

/** The version in package.json. */
export function toolVersion(): string {
  const text = readFileSync(PACKAGE_JSON, 'utf8')
  return String((JSON.parse(text) as { version: unknown }).version)
}
