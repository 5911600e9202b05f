const RESERVED = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i
// Control characters and what Windows takes for a separator, a drive or a wildcard.
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]/

/**
 * Whether a path from a ZIP can be written below a folder on any system and stays there: relative, no `..`, no drive, no stream, no segment
 * that some system reads as something else (details.md 6).
 */
export function isSafePath(path: string): boolean {
  if (path === '' || Buffer.byteLength(path) > 4096 || !path.isWellFormed()) return false
  return path.split('/').every((segment) => {
    if (segment === '' || segment === '.' || segment === '..' || Buffer.byteLength(segment) > 255) return false
    return !FORBIDDEN.test(segment) && !/[. ]$/.test(segment) && !RESERVED.test(segment)
  })
}

/** Whether a path leads out of the folder it is unpacked into, on this system or another. */
export function leadsOutside(path: string): boolean {
  return path === '' || path.includes('\0') || /^(?:[/\\]|[A-Za-z]:)/.test(path) || path.split(/[/\\]/).includes('..')
}
