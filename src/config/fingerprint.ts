import { createHash } from 'node:crypto'
import { destinationOf } from './destination.js'
import type { Config } from './types.js'

/** What must be as it was for a run to continue (details.md 17). Each part is text without secrets; only equality means something. */
export interface ResumeFingerprint {
  account: string
  categories: string
  flows: string
  destination: string
  encryption: string
}

/**
 * The fingerprint of a config. The passphrase is not in it, since a hash of it could be guessed at: that it changed shows when the spool does not open.
 */
export function resumeFingerprint(config: Pick<Config, 'account' | 'categories' | 'flows' | 'storage' | 'encryption'>): ResumeFingerprint {
  const { account, categories, flows, storage, encryption } = config
  return {
    account: `${account.accountId} at ${account.baseUrl}`,
    categories: [...categories].sort().join(' '),
    flows: hashOf({ include: normal(flows.include), exclude: normal(flows.exclude), types: [...flows.types].sort() }),
    destination: destinationOf(storage),
    encryption: encryption.format === 'age' ? `age ${hashOf([...encryption.recipients].sort())}` : encryption.format,
  }
}

/** The parts in which two fingerprints differ, for the message that says why a run starts over. */
export function changedParts(before: ResumeFingerprint, now: ResumeFingerprint): (keyof ResumeFingerprint)[] {
  return (Object.keys(now) as (keyof ResumeFingerprint)[]).filter((part) => before[part] !== now[part])
}

/** Patterns ignore case and order (details.md 22). */
function normal(patterns: readonly string[]): string[] {
  return [...new Set(patterns.map((pattern) => pattern.toLowerCase()))].sort()
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
