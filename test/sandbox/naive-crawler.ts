import { createHash } from 'node:crypto'
import type { Sandbox } from '../../src/sandbox/server.js'

type Json = Record<string, unknown>

export interface Crawl {
  users: Set<string>
  groups: Map<string, string[]>
  roles: Set<string>
  flows: Map<string, { fields: string[] | null; members: string[] | null }>
  /** `flow/record` → sha256. */
  records: Map<string, string>
  /** One line a file, in the order found. */
  files: string[]
  comments: Map<string, string[]>
  activity: Map<string, number>
  audit: Set<string>
}

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex')

/** JSON without whitespace outside strings. */
export const compact = (text: string): string => text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, literal?: string) => literal ?? '')

/** The elements of the first array that begins at or behind `from`, as they stand in compact JSON. */
function slices(text: string, from: number): string[] {
  const out: string[] = []
  let depth = 0
  let start = 0
  for (let i = text.indexOf('[', from); i < text.length; i++) {
    const c = text[i]
    if (c === '"') {
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++
    } else if (c === '[' || c === '{') {
      if (++depth === 1) start = i + 1
    } else if ((c === ',' && depth === 1) || (c === ']' && depth === 1)) {
      if (i > start) out.push(text.slice(start, i))
      start = i + 1
      if (c === ']') return out
    } else if (c === ']' || c === '}') depth--
  }
  throw new Error('array without an end')
}

/** Rows of any of the three envelopes, as text. */
export function rowsIn(body: string): string[] {
  const text = compact(body)
  if (text.startsWith('[')) return slices(text, 0)
  const table = /^\{"Table_[^"]*":\[\{"response":/.exec(text)
  if (table !== null) return slices(text, table[0].length)
  return slices(text, text.indexOf('"Data":[') + 7)
}

/** Reads a whole account in the most simple-minded way: one call after the other, ten rows a page unless told. */
export class NaiveCrawler {
  private readonly sandbox: Sandbox
  readonly headers: Record<string, string>
  calls = 0

  constructor(sandbox: Sandbox) {
    this.sandbox = sandbox
    this.headers = { 'X-Access-Key-Id': sandbox.accessKeyId, 'X-Access-Key-Secret': sandbox.accessKeySecret }
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    this.calls++
    const response = await fetch(this.sandbox.baseUrl + path, { headers: this.headers, redirect: 'manual' })
    return { status: response.status, text: await response.text() }
  }

  async ok(path: string): Promise<string> {
    const { status, text } = await this.get(path)
    if (status !== 200) throw new Error(`${path} answered ${status} ${text.slice(0, 200)}`)
    return text
  }

  /** All rows of a list: until an empty page. */
  async list(path: string, pageSize = 100): Promise<string[]> {
    const rows: string[] = []
    for (let page = 1; ; page++) {
      const here = rowsIn(await this.ok(`${path}${path.includes('?') ? '&' : '?'}page_number=${page}&page_size=${pageSize}`))
      if (here.length === 0) return rows
      rows.push(...here)
    }
  }

  /** A file's bytes; redirects by hand, keys to the account only. */
  async file(path: string): Promise<Buffer> {
    let url = new URL(this.sandbox.baseUrl + path)
    for (let hop = 0; hop < 6; hop++) {
      const headers = url.origin === this.sandbox.baseUrl ? this.headers : {}
      const response = await fetch(url, { headers, redirect: 'manual' })
      if (response.status === 200) return Buffer.from(await response.arrayBuffer())
      if (response.status !== 302 && response.status !== 307) throw new Error(`${url} answered ${response.status}`)
      await response.arrayBuffer()
      url = new URL(response.headers.get('location') ?? '', url)
    }
    throw new Error(`${path}: too many redirects`)
  }

  async crawl(): Promise<Crawl> {
    const a = this.sandbox.accountId
    const out: Crawl = { users: new Set(), groups: new Map(), roles: new Set(), flows: new Map(), records: new Map(), files: [], comments: new Map(), activity: new Map(), audit: new Set() } // biome-ignore format: short
    const ids = (rows: string[], key = '_id'): string[] => rows.map((row) => String((JSON.parse(row) as Json)[key]))
    for (const variant of ['', '?invited_user=true', '?invited_user=false']) {
      for (const id of ids(await this.list(`/user/2/${a}/${variant}`))) out.users.add(id)
    }
    for (const id of ids(await this.list(`/group/2/${a}/list`))) {
      out.groups.set(id, ids(await this.list(`/group/2/${a}/${id}/members?fields=Name,Email`)))
    }
    for (const app of ids(await this.list(`/flow/2/${a}/application`))) {
      for (const role of ids(await this.list(`/app_role/2/${a}/list?_application_id=${app}`))) out.roles.add(role)
    }
    for (const id of ids(await this.list(`/audit/2/${a}/log?from=2000-01-01&to=2100-01-01`), 'AuditID')) out.audit.add(id)
    for (const service of ['process', 'case', 'form', 'dataset', 'project']) {
      for (const text of await this.list(`/flow/2/${a}/${service}/`)) await this.flow(out, service, JSON.parse(text) as Json)
    }
    return out
  }

  private async flow(out: Crawl, service: string, flow: Json): Promise<void> {
    const a = this.sandbox.accountId
    const id = String(flow._id)
    const segment = encodeURIComponent(id)
    const hasFields = service !== 'dataset' && service !== 'project'
    const fields = hasFields ? (JSON.parse(await this.ok(`/${service}/2/${a}/${segment}/fields`)) as Json[] | Json) : undefined
    const app = flow._application_id === undefined ? '' : `?_application_id=${flow._application_id}`
    const members =
      service === 'project' ? undefined : (JSON.parse(await this.ok(`/flow/2/${a}/${service}/${segment}/member${app}`)) as Json[])
    const fieldList = fields === undefined ? undefined : Array.isArray(fields) ? fields : [fields]
    out.flows.set(id, {
      fields: fieldList?.map((field) => String(field.Id)) ?? null,
      members: members?.map((member) => String(member._id)) ?? null,
    })
    const base = service === 'process' ? `/process/2/${a}/admin/${segment}` : `/${service}/2/${a}/${segment}`
    for (const row of await this.list(`${base}/${service === 'process' ? 'item' : 'list'}`, 500)) {
      const parsed = JSON.parse(row) as Json
      const record = String(parsed._id ?? parsed._item_id)
      const text = service === 'dataset' ? row : compact(await this.ok(`${base}/${record}`))
      out.records.set(`${id}/${record}`, sha256(text))
      await this.filesOf(out, { id, service, record, base }, JSON.parse(text) as Json)
      if (service === 'dataset') continue
      const comments = ids2(await this.list(`/comment/2/${a}/${service}/${segment}/${record}`))
      if (comments.length > 0) out.comments.set(`${id}/${record}`, comments)
      if (service === 'case') out.activity.set(`${id}/${record}`, (await this.list(`${base}/${record}/activity`)).length)
    }
  }

  private async filesOf(out: Crawl, where: Where, holder: Json, child?: { table: string; row: string }): Promise<void> {
    for (const [key, value] of Object.entries(holder)) {
      if (typeof value !== 'object' || value === null) continue
      if (key.startsWith('Table::')) {
        for (const [rowKey, row] of Object.entries(value)) {
          await this.filesOf(out, where, row as Json, { table: key.slice(7), row: String((row as Json)._id ?? rowKey) })
        }
        continue
      }
      const list = (value as Json).Data ?? value
      const entries = Array.isArray(list) ? list.map((file) => [undefined, file] as const) : 'name' in (list as Json) ? [[undefined, list] as const] : Object.entries(list) // biome-ignore format: short
      for (const [id, file] of entries) await this.oneFile(out, where, { field: key, keyed: id, child }, file as Json)
    }
  }

  private async oneFile(
    out: Crawl,
    where: Where,
    at: { field: string; keyed: string | undefined; child: { table: string; row: string } | undefined },
    file: Json,
  ): Promise<void> {
    if (typeof file !== 'object' || file === null || typeof file.name !== 'string') return
    const id = file.id ?? at.keyed
    const inner = [...(at.child === undefined ? [] : [at.child.table, at.child.row]), at.field].map(encodeURIComponent).join('/')
    const viaKey = where.service !== 'process' && where.service !== 'case'
    let bytes: Buffer
    if (viaKey) {
      bytes = await this.file(`/upload/2/${this.sandbox.accountId}/${String(file.key).split('/').map(encodeURIComponent).join('/')}`)
    } else {
      const base = `${where.base}/${where.record}/${inner}`
      bytes = await this.file(`${base}/attachment/${id ?? 'none'}`).catch(() => this.file(`${base}/image`))
    }
    if (file.size !== undefined && Number(file.size) !== bytes.length)
      throw new Error(`${file.name}: ${bytes.length} bytes, not ${file.size}`)
    out.files.push(fileLine({ flow: where.id, record: where.record, field: at.field, table: at.child?.table ?? null, row: at.child?.row ?? null, attachment: (id as string | undefined) ?? null, name: file.name, bytes: bytes.length, sha256: sha256(bytes) })) // biome-ignore format: short
  }
}

interface Where {
  id: string
  service: string
  record: string
  base: string
}

const ids2 = (rows: string[]): string[] => rows.map((row) => String((JSON.parse(row) as Json)._id))

/** One line that holds everything the truth says of a file. */
export function fileLine(file: {
  flow: string
  record: string
  field: string
  table: string | null
  row: string | null
  attachment: string | null
  name: string
  bytes: number
  sha256: string
}): string {
  return [
    file.flow,
    file.record,
    file.field,
    file.table,
    file.row,
    file.attachment,
    JSON.stringify(file.name),
    file.bytes,
    file.sha256,
  ].join(' ')
}
