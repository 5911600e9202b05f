import type { Faults } from './faults.js'

/** Settings of a sandbox. */
export interface SandboxOptions {
  /** Loopback port of the account; 0 (the default) takes a free one. */
  port?: number
  /** Records of the whole account, 0 to 1,000,000; 1200 unless told. */
  items?: number
  /** The same seed gives the same account. */
  seed?: number
  /** Calls in any 60 seconds before 429; no limit unless told. */
  rateLimitPerMinute?: number
  /** Wait before each answer of the account's origin. */
  latencyMs?: number
  /** What goes wrong, in the grammar that `kfbackup sandbox --help` shows. */
  faults?: string | Faults
  /** Adds one attachment of this size, made while it is sent. */
  fileSizeBytes?: number
  /** The account's today, milliseconds since the epoch; the machine's unless told. */
  nowMs?: number
  /** Number of users; 100 to 300 by seed unless told. */
  users?: number
  /** Keeps method, URL and status of every call, up to a million. */
  recordCalls?: boolean
  /** How long a signed URL of the storage host is good. */
  signedForMs?: number
}

/** A change of a running sandbox. */
export interface SandboxOrder {
  /** Replaces all faults; null or an empty text ends them. */
  faults?: string | Faults | null
  /** Null lifts the limit. */
  rateLimitPerMinute?: number | null
  latencyMs?: number
  /** Sets all counters to zero and empties the log. */
  resetStats?: boolean
}
