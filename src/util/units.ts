const SIZE_UNITS: Record<string, number> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
}
const DURATION_UNITS_MS: Record<string, number> = {
  ms: 1,
  s: 1e3,
  second: 1e3,
  m: 60e3,
  min: 60e3,
  minute: 60e3,
  h: 3_600e3,
  hour: 3_600e3,
  d: 86_400e3,
  day: 86_400e3,
  w: 7 * 86_400e3,
  week: 7 * 86_400e3,
  // A calendar month has no fixed length; a schedule of "6 months" means half a year, so a month is a twelfth of 365.25 days.
  month: 30.4375 * 86_400e3,
  y: 365.25 * 86_400e3,
  year: 365.25 * 86_400e3,
}

/** Bytes of `4GB`, `512 KiB`, `1000000`: KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024 (details.md 10). Undefined when it is no size. */
export function parseSize(text: string | number): number | undefined {
  if (typeof text === 'number') return Number.isSafeInteger(text) && text >= 0 ? text : undefined
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text)
  const unit = SIZE_UNITS[(match?.[2] ?? '?').toUpperCase()]
  if (match?.[1] === undefined || unit === undefined) return undefined
  const bytes = Math.round(Number(match[1]) * unit)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Milliseconds of `10m`, `26h`, `7d`, `6 months`, `2 weeks`. Undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text)
  if (match?.[1] === undefined || match[2] === undefined) return undefined
  const name = match[2].toLowerCase()
  const unit = durationUnitMs(name) ?? (name.length > 1 && name.endsWith('s') ? durationUnitMs(name.slice(0, -1)) : undefined)
  return unit === undefined ? undefined : Math.round(Number(match[1]) * unit)
}

function durationUnitMs(name: string): number | undefined {
  return Object.hasOwn(DURATION_UNITS_MS, name) ? DURATION_UNITS_MS[name] : undefined
}

/** `3.42 GB`, `812 kB`, `17 B`: powers of 1000, three digits. */
export function formatBytes(bytes: number): string {
  const names = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let index = 0
  while (value >= 999.5 && index < names.length - 1) {
    value /= 1000
    index++
  }
  const digits = index === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)} ${names[index]}`
}

/** `2 h 05 min`, `3 min 20 s`, `4.2 s`. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`
}

/** `84,944`: thousands separated, the same in every locale. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 file`, `84,944 files`: the count with its noun; `many` is the plural where an s is not enough. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${Math.round(count) === 1 ? one : many}`
}
