import { UsageError } from '../errors.js'
import { BLUEPRINTS } from './flow-blueprints.js'
import { type Situation, WELL } from './situation.js'

/** What can happen to a single answer, in the order in which chance is shared out. */
export const NETWORK_FAULTS = [
  'reset',
  'reset-body',
  'stall',
  '429',
  '429-after',
  '429-date',
  '5xx',
  'cut-json',
  'cf',
  'wrong-length',
  'html',
] as const
export type NetworkFault = (typeof NETWORK_FAULTS)[number]

/** Everything that goes wrong in a sandbox. */
export interface Faults {
  /** Probability of each kind for one answer. */
  network: ReadonlyMap<NetworkFault, number>
  stallMs: number
  retryAfterSeconds: number
  situation: Situation
  /** Calls before the keys are revoked. */
  revokeAfter: number | undefined
  /** Calls before connections are cut, and how many of them then are. */
  downAfter: number | undefined
  downFor: number
  /** About how long each answer takes longer. */
  slowMs: number
}

const MISSING = ['comments', 'audit', 'project', 'upload']
const FLOW_IDS = BLUEPRINTS.map((flow) => flow.id)
const PLAN = ['user', 'group', 'app_role', 'flow', 'process', 'case', 'form', 'dataset', 'project', 'upload', 'comment', 'audit']

function probability(name: string, text: string): number {
  const value = Number(text)
  if (text !== '' && value >= 0 && value <= 1) return value
  throw new UsageError(`Fault ${name}:${text} needs a probability from 0 to 1.`)
}

function count(name: string, text: string, otherwise?: number): number {
  if (text === '' && otherwise !== undefined) return otherwise
  if (/^\d+$/.test(text)) return Number(text)
  throw new UsageError(`Fault ${name}=${text} needs a whole number.`)
}

function oneOf(name: string, text: string, known: readonly string[]): string[] {
  const words = text.split('|')
  const stranger = words.find((word) => !known.includes(word))
  if (stranger === undefined) return words
  throw new UsageError(`Fault ${name}=${stranger} is not known.`, { hint: `Choose from ${known.join(', ')}.` })
}

function isNetworkFault(name: string): name is NetworkFault {
  return (NETWORK_FAULTS as readonly string[]).includes(name)
}

interface Draft {
  network: Map<NetworkFault, number>
  missing: Set<string>
  forbidden: Set<string>
  plan: Set<string>
  situation: Partial<Situation>
  rest: Partial<Omit<Faults, 'network' | 'situation'>>
}

/** Every name of the grammar. */
export function faultNames(): string[] {
  return [...NETWORK_FAULTS, ...Object.keys(SETTERS)]
}

function addAll(set: Set<string>, words: readonly string[]): void {
  for (const word of words) set.add(word)
}

type Setter = (draft: Draft, text: string) => void

const SETTERS: Record<string, Setter> = {
  chaos: (draft, text) => {
    const each = probability('chaos', text) / NETWORK_FAULTS.length
    for (const kind of NETWORK_FAULTS) draft.network.set(kind, each)
  },
  'stall-ms': (draft, text) => {
    draft.rest.stallMs = count('stall-ms', text)
  },
  'retry-after': (draft, text) => {
    draft.rest.retryAfterSeconds = count('retry-after', text)
  },
  missing: (draft, text) => addAll(draft.missing, oneOf('missing', text, MISSING)),
  forbidden: (draft, text) => addAll(draft.forbidden, oneOf('forbidden', text, FLOW_IDS)),
  plan: (draft, text) => addAll(draft.plan, oneOf('plan', text, PLAN)),
  'poison-item': (draft, text) => {
    draft.situation.poisonItems = count('poison-item', text, 1)
  },
  'poison-file': (draft, text) => {
    draft.situation.poisonFiles = count('poison-file', text, 1)
  },
  moving: (draft, text) => {
    draft.situation.moving = count('moving', text, 2)
  },
  'moving-for': (draft, text) => {
    draft.situation.movingFor = count('moving-for', text)
  },
  'repeat-page': (draft) => {
    draft.situation.repeatPage = true
  },
  'dup-rows': (draft) => {
    draft.situation.dupRows = true
  },
  cap: (draft, text) => {
    draft.situation.cap = Math.max(1, count('cap', text))
  },
  'revoke-after': (draft, text) => {
    draft.rest.revokeAfter = count('revoke-after', text)
  },
  'down-after': (draft, text) => {
    draft.rest.downAfter = count('down-after', text)
  },
  'down-for': (draft, text) => {
    draft.rest.downFor = count('down-for', text)
  },
  slow: (draft, text) => {
    draft.rest.slowMs = count('slow', text, 200)
  },
}

/** Reads a list of faults in the grammar that `kfbackup sandbox --help` shows; an empty list is a healthy account. Throws UsageError for an unknown name or value. */
export function parseFaults(list: string): Faults {
  const draft: Draft = { network: new Map(), missing: new Set(), forbidden: new Set(), plan: new Set(), situation: {}, rest: {} }
  for (const word of list.split(',').map((part) => part.trim())) {
    if (word === '') continue
    const [, name = '', text = ''] = /^([^:=]+)[:=]?(.*)$/.exec(word) ?? []
    const setter = Object.hasOwn(SETTERS, name) ? SETTERS[name] : undefined
    if (isNetworkFault(name)) draft.network.set(name, probability(name, text))
    else if (setter !== undefined) setter(draft, text)
    else throw new UsageError(`There is no fault named ${name}.`, { hint: 'kfbackup sandbox --help lists them.' })
  }
  const { network, missing, forbidden, plan, situation, rest } = draft
  return {
    network,
    stallMs: 2000,
    retryAfterSeconds: 1,
    revokeAfter: undefined,
    downAfter: undefined,
    downFor: Number.POSITIVE_INFINITY,
    slowMs: 0,
    ...rest,
    situation: { ...WELL, ...situation, missing, forbidden, plan },
  }
}
