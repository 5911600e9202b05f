// Date.parse alone takes "soon 1" and "-5" for a year: only what a server may write counts, with a time of day (RFC 9110, 5.6.7, and ISO 8601).
const HTTP_DATE = /^[a-z]{3,9},? .*\d\d:\d\d:\d\d/i
const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

/** Milliseconds since the epoch of a date in a header; undefined when it is none. */
export function parseHttpDate(header: string | undefined): number | undefined {
  const text = header?.trim() ?? ''
  if (!HTTP_DATE.test(text) && !ISO_DATE.test(text)) return undefined
  // The oldest of the three forms names no zone, and means GMT.
  const hasZone = /(?:GMT|UTC|Z|[+-]\d\d:?\d\d)$/i.test(text)
  const time = Date.parse(hasZone ? text : `${text} GMT`)
  return Number.isNaN(time) ? undefined : time
}

/**
 * Milliseconds of a Retry-After header: a number of seconds, or a date, taken against `nowMs`; undefined when missing or nonsense. A date in the past
 * is 0.
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000)
  const time = parseHttpDate(text)
  return time === undefined ? undefined : Math.max(0, time - nowMs)
}
