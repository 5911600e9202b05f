import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/errors.js'
import { buildPath, ENDPOINTS, type EndpointName, type EndpointSpec } from '../../src/kissflow/endpoints.js'

const VALUES = { account: 'Ac1', app: 'App1', flow: 'F1', item: 'Pk1', field: 'Fd', table: 'Tb', row: 'Rw', attachment: 'At', key: 'a/b c.txt', from: '2025-11-23', to: '2026-11-23' } // biome-ignore format: one line

// As kissflow-api.md writes them: D documented, O observed, A assumed.
const TABLE: Record<EndpointName, [path: string, sure: 'D' | 'O' | 'A']> = {
  'users.list': ['GET /user/2/Ac1/', 'D'],
  'users.invited': ['GET /user/2/Ac1/?invited_user=true', 'D'],
  'users.one': ['GET /user/2/Ac1/Pk1', 'D'],
  'groups.list': ['GET /group/2/Ac1/list', 'D'],
  'groups.one': ['GET /group/2/Ac1/Pk1', 'D'],
  'groups.members': ['GET /group/2/Ac1/Pk1/members?fields=Name,Email', 'D'],
  'roles.list': ['GET /app_role/2/Ac1/list?_application_id=App1', 'D'],
  'apps.list': ['GET /flow/2/Ac1/application', 'O'],
  'flows.process': ['GET /flow/2/Ac1/process/', 'O'],
  'flows.board': ['GET /flow/2/Ac1/case/', 'O'],
  'flows.form': ['GET /flow/2/Ac1/form/', 'O'],
  'flows.dataset': ['GET /flow/2/Ac1/dataset/', 'O'],
  'flows.project': ['GET /flow/2/Ac1/project/', 'A'],
  'flows.governance.process': ['GET /governance/2/Ac1/flow/process/status/all', 'O'],
  'flows.governance.dataset': ['GET /governance/2/Ac1/flow/dataset/status/all', 'O'],
  'members.process': ['GET /flow/2/Ac1/process/F1/member', 'D'],
  'members.board': ['GET /flow/2/Ac1/case/F1/member', 'D'],
  'members.form': ['GET /flow/2/Ac1/form/F1/member', 'D'],
  'members.dataset': ['GET /flow/2/Ac1/dataset/F1/member', 'D'],
  'fields.process': ['GET /process/2/Ac1/F1/fields', 'D'],
  'fields.board': ['GET /case/2/Ac1/F1/fields', 'D'],
  'fields.form': ['GET /form/2/Ac1/F1/fields', 'D'],
  'items.process': ['GET /process/2/Ac1/admin/F1/item?apply_preference=false', 'D'],
  'items.board': ['GET /case/2/Ac1/F1/list', 'O'],
  'items.form': ['GET /form/2/Ac1/F1/list', 'D'],
  'items.dataset': ['GET /dataset/2/Ac1/F1/list', 'D'],
  'items.project': ['GET /project/2/Ac1/F1/list', 'A'],
  'item.process': ['GET /process/2/Ac1/admin/F1/Pk1', 'D'],
  'item.board': ['GET /case/2/Ac1/F1/Pk1', 'D'],
  'item.form': ['GET /form/2/Ac1/F1/Pk1', 'D'],
  'item.project': ['GET /project/2/Ac1/F1/Pk1', 'A'],
  'count.board': ['POST /case/2/Ac1/F1/count', 'D'],
  'activity.board': ['GET /case/2/Ac1/F1/Pk1/activity', 'D'],
  'attachment.process': ['GET /process/2/Ac1/admin/F1/Pk1/Fd/attachment/At', 'D'],
  'attachment.process.table': ['GET /process/2/Ac1/admin/F1/Pk1/Tb/Rw/Fd/attachment/At', 'D'],
  'image.process': ['GET /process/2/Ac1/admin/F1/Pk1/Fd/image', 'D'],
  'image.process.table': ['GET /process/2/Ac1/admin/F1/Pk1/Tb/Rw/Fd/image', 'D'],
  'attachment.board': ['GET /case/2/Ac1/F1/Pk1/Fd/attachment/At', 'D'],
  'attachment.board.table': ['GET /case/2/Ac1/F1/Pk1/Tb/Rw/Fd/attachment/At', 'D'],
  'image.board': ['GET /case/2/Ac1/F1/Pk1/Fd/image', 'D'],
  'image.board.table': ['GET /case/2/Ac1/F1/Pk1/Tb/Rw/Fd/image', 'D'],
  upload: ['GET /upload/2/Ac1/a/b%20c.txt', 'O'],
  'comments.process': ['GET /comment/2/Ac1/process/F1/Pk1', 'A'],
  'comments.board': ['GET /comment/2/Ac1/case/F1/Pk1', 'A'],
  'comments.form': ['GET /comment/2/Ac1/form/F1/Pk1', 'A'],
  'comments.project': ['GET /comment/2/Ac1/project/F1/Pk1', 'A'],
  'audit.list': ['GET /audit/2/Ac1/log?from=2025-11-23&to=2026-11-23', 'A'],
}
const SURE = { D: 'documented', O: 'observed', A: 'assumed' } as const

describe('the table of endpoints', () => {
  it.each(Object.entries(TABLE))('%s is %j', (name, [path, sure]) => {
    const spec: EndpointSpec = ENDPOINTS[name as EndpointName]
    expect(`${spec.method ?? 'GET'} ${buildPath(name as EndpointName, VALUES)}`).toBe(path)
    expect(spec.sure).toBe(SURE[sure])
  })

  it('holds nothing else', () => {
    expect(Object.keys(ENDPOINTS).sort()).toEqual(Object.keys(TABLE).sort())
  })
})

describe('a path', () => {
  it('keeps every id in its segment, whatever characters it has', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (item) => {
        const path = buildPath('item.board', { ...VALUES, item })
        const url = new URL(path, 'https://acme.kissflow.com')
        expect(url.pathname).toBe(path)
        const last = path.split('/').at(-1) ?? ''
        expect(path.split('/')).toHaveLength(6)
        expect(decodeURIComponent(last)).toBe(item)
      }),
      // The URL class itself takes %2E%2E for a step up; the wire gets the path as it stands.
      { examples: [['a/b'], ['?x=1#y'], ['%2e'], ['ä ö'], ['🚒']] },
    )
  })

  it('does not step up for ids of dots', () => {
    expect(buildPath('item.board', { ...VALUES, item: '..' })).toBe('/case/2/Ac1/F1/%2E%2E')
    expect(buildPath('item.board', { ...VALUES, item: '.' })).toBe('/case/2/Ac1/F1/%2E')
    expect(buildPath('item.board', { ...VALUES, item: '...' })).toBe('/case/2/Ac1/F1/...')
    expect(buildPath('upload', { ...VALUES, key: 'a/../b' })).toBe('/upload/2/Ac1/a/%2E%2E/b')
  })

  it('takes broken Unicode for the replacement character instead of failing', () => {
    expect(buildPath('item.board', { ...VALUES, item: 'a\ud800' })).toBe('/case/2/Ac1/F1/a%EF%BF%BD')
  })

  it('adds the page behind its own query', () => {
    const query = { page_number: '3', page_size: '100' }
    expect(buildPath('items.process', VALUES, {}, query)).toBe(
      '/process/2/Ac1/admin/F1/item?apply_preference=false&page_number=3&page_size=100',
    )
    expect(buildPath('items.board', VALUES, {}, query)).toBe('/case/2/Ac1/F1/list?page_number=3&page_size=100')
  })
})

describe('api.endpoints', () => {
  it('replaces a path, its query included if it has one', () => {
    const page = { page_number: '1' }
    expect(buildPath('comments.process', VALUES, { 'comments.process': '/c/{account}/{flow}/{item}/notes' }, page)).toBe(
      '/c/Ac1/F1/Pk1/notes?page_number=1',
    )
    expect(buildPath('audit.list', VALUES, { 'audit.list': '/a/{account}?since={from}&q=a?b' }, page)).toBe(
      '/a/Ac1?since=2025-11-23&q=a?b&page_number=1',
    )
    expect(buildPath('audit.list', VALUES, { 'audit.list': '/a/{account}?' }, page)).toBe('/a/Ac1?page_number=1')
    expect(buildPath('audit.list', VALUES, { 'audit.list': '/a/{account}' })).toBe('/a/Ac1?from=2025-11-23&to=2026-11-23')
  })

  it('asking for a value the call does not have is an error in the config, by name', () => {
    const build = (template: string): string => buildPath('users.list', { account: 'Ac1' }, { 'users.list': template })
    expect(() => build('/user/{item}')).toThrow(ConfigError)
    expect(() => build('/user/{constructor}')).toThrow('api.endpoints: the path of users.list asks for {constructor}')
  })
})
