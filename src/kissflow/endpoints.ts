import { ConfigError } from '../errors.js'

/** How sure we are of an endpoint: in Kissflow's own reference, seen in working public client code, or neither (kissflow-api.md). */
export type Certainty = 'documented' | 'observed' | 'assumed'

/**
 * How a list ends: `list` with an empty page only, `perItem` also with a page shorter than the longest this endpoint gave in this run,
 * `single` is one answer, `file` is raw bytes.
 */
export type PageStyle = 'list' | 'perItem' | 'single' | 'file'

export interface EndpointSpec {
  /** `{name}` is replaced by the URL-encoded value; `{key}` keeps its slashes. */
  path: string
  method?: 'POST'
  query?: Record<string, string>
  paging: PageStyle
  sure: Certainty
}

/** The one table of paths. Each can be replaced through `api.endpoints` in the config. */
export const ENDPOINTS = {
  'users.list': { path: '/user/2/{account}/', paging: 'list', sure: 'documented' },
  'users.invited': { path: '/user/2/{account}/', query: { invited_user: 'true' }, paging: 'list', sure: 'documented' },
  'users.one': { path: '/user/2/{account}/{item}', paging: 'single', sure: 'documented' },
  'groups.list': { path: '/group/2/{account}/list', paging: 'list', sure: 'documented' },
  'groups.one': { path: '/group/2/{account}/{item}', paging: 'single', sure: 'documented' },
  'groups.members': { path: '/group/2/{account}/{item}/members', query: { fields: 'Name,Email' }, paging: 'list', sure: 'documented' },
  'roles.list': { path: '/app_role/2/{account}/list', query: { _application_id: '{app}' }, paging: 'list', sure: 'documented' },
  'apps.list': { path: '/flow/2/{account}/application', paging: 'list', sure: 'observed' },

  'flows.process': { path: '/flow/2/{account}/process/', paging: 'list', sure: 'observed' },
  'flows.board': { path: '/flow/2/{account}/case/', paging: 'list', sure: 'observed' },
  'flows.form': { path: '/flow/2/{account}/form/', paging: 'list', sure: 'observed' },
  'flows.dataset': { path: '/flow/2/{account}/dataset/', paging: 'list', sure: 'observed' },
  'flows.project': { path: '/flow/2/{account}/project/', paging: 'list', sure: 'assumed' },
  'flows.governance.process': { path: '/governance/2/{account}/flow/process/status/all', paging: 'list', sure: 'observed' },
  'flows.governance.dataset': { path: '/governance/2/{account}/flow/dataset/status/all', paging: 'list', sure: 'observed' },

  'members.process': { path: '/flow/2/{account}/process/{flow}/member', paging: 'list', sure: 'documented' },
  'members.board': { path: '/flow/2/{account}/case/{flow}/member', paging: 'list', sure: 'documented' },
  'members.form': { path: '/flow/2/{account}/form/{flow}/member', paging: 'list', sure: 'documented' },
  'members.dataset': { path: '/flow/2/{account}/dataset/{flow}/member', paging: 'list', sure: 'documented' },
  'fields.process': { path: '/process/2/{account}/{flow}/fields', paging: 'single', sure: 'documented' },
  'fields.board': { path: '/case/2/{account}/{flow}/fields', paging: 'single', sure: 'documented' },
  'fields.form': { path: '/form/2/{account}/{flow}/fields', paging: 'single', sure: 'documented' },

  'items.process': {
    path: '/process/2/{account}/admin/{flow}/item',
    query: { apply_preference: 'false' },
    paging: 'list',
    sure: 'documented',
  },
  'items.board': { path: '/case/2/{account}/{flow}/list', paging: 'list', sure: 'observed' },
  'items.form': { path: '/form/2/{account}/{flow}/list', paging: 'list', sure: 'documented' },
  'items.dataset': { path: '/dataset/2/{account}/{flow}/list', paging: 'list', sure: 'documented' },
  'items.project': { path: '/project/2/{account}/{flow}/list', paging: 'list', sure: 'assumed' },
  'item.process': { path: '/process/2/{account}/admin/{flow}/{item}', paging: 'single', sure: 'documented' },
  'item.board': { path: '/case/2/{account}/{flow}/{item}', paging: 'single', sure: 'documented' },
  'item.form': { path: '/form/2/{account}/{flow}/{item}', paging: 'single', sure: 'documented' },
  'item.project': { path: '/project/2/{account}/{flow}/{item}', paging: 'single', sure: 'assumed' },
  'count.board': { path: '/case/2/{account}/{flow}/count', method: 'POST', paging: 'single', sure: 'documented' },
  'activity.board': { path: '/case/2/{account}/{flow}/{item}/activity', paging: 'perItem', sure: 'documented' },

  'attachment.process': {
    path: '/process/2/{account}/admin/{flow}/{item}/{field}/attachment/{attachment}',
    paging: 'file',
    sure: 'documented',
  },
  'attachment.process.table': {
    path: '/process/2/{account}/admin/{flow}/{item}/{table}/{row}/{field}/attachment/{attachment}',
    paging: 'file',
    sure: 'documented',
  },
  'image.process': { path: '/process/2/{account}/admin/{flow}/{item}/{field}/image', paging: 'file', sure: 'documented' },
  'image.process.table': {
    path: '/process/2/{account}/admin/{flow}/{item}/{table}/{row}/{field}/image',
    paging: 'file',
    sure: 'documented',
  },
  'attachment.board': { path: '/case/2/{account}/{flow}/{item}/{field}/attachment/{attachment}', paging: 'file', sure: 'documented' },
  'attachment.board.table': {
    path: '/case/2/{account}/{flow}/{item}/{table}/{row}/{field}/attachment/{attachment}',
    paging: 'file',
    sure: 'documented',
  },
  'image.board': { path: '/case/2/{account}/{flow}/{item}/{field}/image', paging: 'file', sure: 'documented' },
  'image.board.table': { path: '/case/2/{account}/{flow}/{item}/{table}/{row}/{field}/image', paging: 'file', sure: 'documented' },
  upload: { path: '/upload/2/{account}/{key}', paging: 'file', sure: 'observed' },

  'comments.process': { path: '/comment/2/{account}/process/{flow}/{item}', paging: 'perItem', sure: 'assumed' },
  'comments.board': { path: '/comment/2/{account}/case/{flow}/{item}', paging: 'perItem', sure: 'assumed' },
  'comments.form': { path: '/comment/2/{account}/form/{flow}/{item}', paging: 'perItem', sure: 'assumed' },
  'comments.project': { path: '/comment/2/{account}/project/{flow}/{item}', paging: 'perItem', sure: 'assumed' },
  'audit.list': { path: '/audit/2/{account}/log', query: { from: '{from}', to: '{to}' }, paging: 'list', sure: 'assumed' },
} as const satisfies Record<string, EndpointSpec>

export type EndpointName = keyof typeof ENDPOINTS

/** Values for the placeholders of a path. */
export type PathValues = Record<string, string>

function fill(name: EndpointName, template: string, values: PathValues): string {
  return template.replace(/\{(\w+)\}/g, (_, placeholder: string) => {
    const value = Object.hasOwn(values, placeholder) ? values[placeholder] : undefined
    if (value === undefined) {
      throw new ConfigError(`api.endpoints: the path of ${name} asks for {${placeholder}}, which this call does not have.`, {
        hint: `The built-in path is ${ENDPOINTS[name].path}; use the placeholders that stand there.`,
      })
    }
    return placeholder === 'key' ? value.split('/').map(encodeSegment).join('/') : encodeSegment(value)
  })
}

function encodeSegment(segment: string): string {
  // A segment of dots alone would be taken as a step up by whatever resolves the URL.
  if (segment === '.' || segment === '..') return segment.replaceAll('.', '%2E')
  return encodeURIComponent(segment.toWellFormed())
}

/**
 * Path and query of one call. `overrides` are the config's `api.endpoints`: templates that replace a path, query included if they have one. Throws
 * ConfigError for a placeholder that the call has no value for.
 */
export function buildPath(
  name: EndpointName,
  values: PathValues,
  overrides: Partial<Record<string, string>> = {},
  extraQuery: Record<string, string> = {},
): string {
  const spec: EndpointSpec = ENDPOINTS[name]
  const override = overrides[name]
  const template = override ?? spec.path
  const mark = template.indexOf('?')
  const parts: string[] = []
  if (mark !== -1) parts.push(fill(name, template.slice(mark + 1), values))
  else for (const [key, value] of Object.entries(spec.query ?? {})) parts.push(`${key}=${fill(name, value, values)}`)
  for (const [key, value] of Object.entries(extraQuery)) parts.push(`${key}=${encodeURIComponent(value.toWellFormed())}`)
  const query = parts.filter((part) => part !== '').join('&')
  return fill(name, mark === -1 ? template : template.slice(0, mark), values) + (query === '' ? '' : `?${query}`)
}
