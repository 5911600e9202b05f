export interface BackoffPolicy {
  firstMs: number
  maxMs: number
}

/** details.md 16: 1 s doubling to 60 s. */
export const BACKOFF: BackoffPolicy = { firstMs: 1_000, maxMs: 60_000 }

/** Full jitter: uniform between nothing and the doubled ceiling of this attempt (1 is the first failure). */
export function backoffMs(attempt: number, policy: BackoffPolicy, random: () => number): number {
  return Math.floor(random() * Math.min(policy.maxMs, policy.firstMs * 2 ** (attempt - 1)))
}
