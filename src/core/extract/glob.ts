const BATCH = /^(?:TransactionalData|AuditLogs)-\d{4,}\//

function toPattern(glob: string): RegExp {
  let source = ''
  for (let at = 0; at < glob.length; at++) {
    const rest = glob.slice(at)
    if (rest.startsWith('**/')) {
      source += '(?:[^/]+/)*'
      at += 2
    } else if (rest.startsWith('**')) {
      source += '.*'
      at += 1
    } else if (glob[at] === '*') source += '[^/]*'
    else if (glob[at] === '?') source += '[^/]'
    else source += (glob[at] ?? '').replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  }
  // A folder stands for all that is in it.
  return new RegExp(`^${source}(?:/.*)?$`, 'su')
}

/**
 * Tells which paths of a backup the globs name: `*` and `?` stay within a folder, `**` does not, a folder stands for its content. The batch in
 * front (`TransactionalData-0003/`) may be left out. No glob: every path.
 */
export function pathFilter(globs: readonly string[]): (path: string) => boolean {
  if (globs.length === 0) return () => true
  const patterns = globs.map((glob) => toPattern(glob.replace(/^\.?\/+|\/+$/g, '').normalize('NFC')))
  return (path) => {
    const whole = path.normalize('NFC')
    const short = whole.replace(BATCH, '')
    return patterns.some((pattern) => pattern.test(whole) || pattern.test(short))
  }
}
