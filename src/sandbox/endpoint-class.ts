import type { ParsedCall } from './router.js'

function itemClass(service: string, segments: readonly string[], list: string): string {
  const [, second = '', third] = segments
  if (second === list) return `${service} list`
  if (second === 'count' || second === 'fields') return `${service} ${second}`
  if (third === undefined) return `${service} item`
  return third === 'activity' ? `${service} activity` : `${service} file`
}

/** Which endpoint a call counts under, as `process item`, `comment`, `user list`. */
export function classOf({ service, request }: ParsedCall): string {
  const { segments } = request
  const last = segments.at(-1)
  switch (service) {
    case 'process':
      if (segments[0] === 'admin') return itemClass('process', segments.slice(1), 'item')
      return last === 'fields' || last === 'progress' ? `process ${last}` : 'process other'
    case 'case':
    case 'form':
    case 'dataset':
    case 'project':
      return itemClass(service, segments, 'list')
    case 'user':
      return segments.length === 0 ? 'user list' : 'user'
    case 'group':
      return last === 'list' ? 'group list' : last === 'members' ? 'group members' : 'group'
    case 'flow':
      return segments.length === 1 ? 'flow list' : 'flow member'
    default:
      return service
  }
}
