/** Milliseconds of a Retry-After header: a number of seconds, or a date; undefined when missing or nonsense. A date in the past is 0. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim()
  if (text === undefined || text === '') return undefined
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000)
  // Date.parse alone would take "-5" or "1" for a year.
  if (!/[a-z]{3}/i.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : Math.max(0, time - nowMs)
}
