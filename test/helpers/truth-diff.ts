import type { TruthLine } from '../../src/sandbox/truth.js'
import type { Gap, Unpacked } from './unpacked.js'

/** What a comparison of an opened backup with the account found. */
export interface TruthDiff {
  /** One sentence each: missing, twice, too much, or missing without a gap that says so. */
  problems: string[]
  /** How many things of each kind were compared. */
  compared: Record<string, number>
  /** What the account withheld, by reason. */
  withheld: Record<string, number>
}

type Line<Kind extends TruthLine['kind']> = Extract<TruthLine, { kind: Kind }>

/** The key under which `readUnpacked` counts a file of the truth. */
function fileKey(line: Line<'file'>): string {
  const field = line.table === null ? line.field : `${line.table}~${line.row}~${line.field}`
  return `${line.flow}/${line.record}/${field}/${line.attachment ?? 'image'} ${JSON.stringify(line.name)} ${line.sha256}`
}

class Comparison {
  readonly diff: TruthDiff = { problems: [], compared: {}, withheld: {} }
  private readonly held: Unpacked
  private readonly poisoned = new Set<string>()

  constructor(held: Unpacked) {
    this.held = held
  }

  private say(problem: string): void {
    if (this.diff.problems.length < 50) this.diff.problems.push(problem)
  }

  /** Takes a thing out of what the backup holds. `may` be there: it came or went while the account was read. */
  private take(map: Map<string, number>, kind: string, key: string, options: { may?: boolean; withheld?: string | undefined } = {}): void {
    const count = map.get(key) ?? 0
    map.delete(key)
    if (count > 1) this.say(`${kind} ${key} is there ${count} times`)
    if (options.withheld !== undefined) {
      this.diff.withheld[options.withheld] = (this.diff.withheld[options.withheld] ?? 0) + 1
      if (count > 0) this.say(`${kind} ${key} is there although the account withholds it (${options.withheld})`)
      return
    }
    this.diff.compared[kind] = (this.diff.compared[kind] ?? 0) + 1
    if (count === 0 && options.may !== true) this.say(`${kind} ${key} is missing`)
  }

  private named(what: string, fits: (gap: Gap) => boolean): void {
    if (!this.held.gaps.some((gap) => gap.class !== 'notOffered' && fits(gap))) this.say(`no gap names ${what}`)
  }

  line(line: TruthLine): void {
    const { held } = this
    if (line.kind === 'user' || line.kind === 'role') this.take(held.people, line.kind, line.id)
    if (line.kind === 'group') {
      this.take(held.people, 'group', line.id)
      for (const member of line.members) this.take(held.members, 'member', `${line.id}/${member}`)
    }
    if (line.kind === 'flow') this.flow(line)
    if (line.kind === 'record') this.record(line)
    if (line.kind === 'file') this.file(line)
    if (line.kind === 'comments')
      for (const id of line.ids) this.take(held.comments, 'comment', `${line.flow}/${line.record}/${id}`, { withheld: line.withheld })
    if (line.kind === 'activity') this.activity(line)
    if (line.kind === 'audit') {
      if (line.withheld !== undefined) this.named('the audit log', (gap) => gap.category === 'auditLogs')
      this.take(held.audit, 'audit event', line.id, { withheld: line.withheld })
    }
  }

  private flow(line: Line<'flow'>): void {
    const { held } = this
    const listed = held.flows.has(line.id)
    held.flows.delete(line.id)
    this.diff.compared['flow'] = (this.diff.compared['flow'] ?? 0) + 1
    if (line.withheld === undefined) {
      if (!listed) this.say(`flow ${line.id} has no row in flows.csv`)
      return
    }
    this.named(
      `the withheld flow ${line.id}`,
      (gap) => gap.flow === line.id || (gap.code === 'projects_missing' && line.type === 'project'),
    )
  }

  private record(line: Line<'record'>): void {
    const key = `${line.flow}/${line.id} ${line.sha256}`
    this.take(this.held.records, 'record', key, { may: line.when !== 'throughout', withheld: line.withheld })
    if (line.withheld !== 'poison') return
    this.poisoned.add(line.id)
    this.named(`the poisoned record ${line.id}`, (gap) => gap.item === line.id && gap.class === 'lost')
  }

  private file(line: Line<'file'>): void {
    this.take(this.held.files, 'file', fileKey(line), { may: line.when !== 'throughout', withheld: line.withheld })
    if (line.withheld !== 'poison' || this.poisoned.has(line.record)) return
    this.named(`the poisoned file ${line.name}`, (gap) => gap.item === line.record && gap.file === line.name && gap.class === 'lost')
  }

  private activity(line: Line<'activity'>): void {
    const key = `${line.flow}/${line.record}`
    const count = this.held.activity.get(key) ?? 0
    this.held.activity.delete(key)
    this.diff.compared['activity'] = (this.diff.compared['activity'] ?? 0) + 1
    const expected = line.withheld === undefined ? line.count : 0
    if (count !== expected) this.say(`activity of ${key}: ${count} events instead of ${expected}`)
  }

  /** What is left is more than the account has. `moved`: comments and activity of records that went away have no line of truth. */
  rest(moved: ReadonlySet<string>): TruthDiff {
    const { people, members, records, comments, activity, files, audit } = this.held
    for (const [kind, map] of Object.entries({ people, members, records, comments, activity, files, audit })) {
      for (const key of map.keys()) {
        const record = key.split('/').slice(0, 2).join('/')
        if ((kind === 'comments' || kind === 'activity') && moved.has(record)) continue
        this.say(`the backup holds ${kind} ${key}, which the account does not have`)
      }
    }
    return this.diff
  }
}

/** Compares an opened backup with the sandbox's truth: everything exactly once, nothing more, and a gap for all that was withheld. Empties `held`. */
export async function compareWithTruth(held: Unpacked, truth: AsyncIterable<TruthLine>): Promise<TruthDiff> {
  const comparison = new Comparison(held)
  const moved = new Set<string>()
  for await (const line of truth) {
    if (line.kind === 'record' && line.when !== 'throughout') moved.add(`${line.flow}/${line.id}`)
    comparison.line(line)
  }
  return comparison.rest(moved)
}
