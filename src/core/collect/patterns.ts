/** True when one of the patterns (`*` any text, `?` one character) matches the flow's id or name, ignoring case. */
export function matchesAny(patterns: readonly string[], flow: { id: string; name: string }): boolean {
  return patterns.some((pattern) => {
    const expression = toExpression(pattern)
    return expression.test(flow.id) || expression.test(flow.name)
  })
}

function toExpression(pattern: string): RegExp {
  const source = [...pattern]
    .map((char) => (char === '*' ? '.*' : char === '?' ? '.' : char.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')))
    .join('')
  return new RegExp(`^${source}$`, 'isu')
}
