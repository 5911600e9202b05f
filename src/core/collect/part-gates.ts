import type { FlowType } from '../pack/source.js'
import type { CallFailure, CollectContext } from './context.js'
import { FLOW_KINDS, type FlowInfo } from './flow.js'
import { EndpointGate, type Verdict } from './gate.js'

/** Comments and activity: what hangs on an item and has an endpoint of its own that an account may lack. */
export type Part = 'comments' | 'activity'

/**
 * Whether a part is asked for: the account may lack the endpoint or the plan for it, which holds for all flows of a type; a flow may forbid it, which
 * holds for that flow.
 */
export class PartGate {
  private readonly service: EndpointGate
  private readonly flow: EndpointGate

  constructor(service: EndpointGate, flow: EndpointGate) {
    this.service = service
    this.flow = flow
  }

  get isShut(): boolean {
    return this.service.isMissing || this.flow.isMissing
  }

  /** Runs `call` unless it is known to be in vain. */
  async pass(call: () => Promise<Verdict>): Promise<void> {
    await this.service.pass(async () => {
      let found: Verdict = { verdict: 'unsettled' }
      await this.flow.pass(async () => {
        found = await call()
        return found.verdict === 'there' || found.kind === 'forbidden' ? found : { verdict: 'unsettled' }
      })
      return found.kind === 'forbidden' ? { verdict: 'unsettled' } : found
    })
  }

  /** To be called when nothing more will be asked of the flow. */
  finish(): void {
    this.flow.finish()
  }
}

/** The gates of a run. */
export class PartGates {
  private readonly context: CollectContext
  private readonly services = new Map<string, EndpointGate>()

  constructor(context: CollectContext) {
    this.context = context
  }

  /** The gate of a flow, whose collection has this number; undefined where items of its type have no such part. */
  of(info: FlowInfo, collection: number, part: Part): PartGate | undefined {
    if (!FLOW_KINDS[info.type][part]) return undefined
    const flow = new EndpointGate(this.context, `${part}.${collection}`, (failure) =>
      this.name(part, failure, { flow: info.id, whose: `the items of ${info.id}` }),
    )
    return new PartGate(this.service(info.type, part), flow)
  }

  /** To be called when nothing more will be asked at all. */
  finish(): void {
    for (const gate of this.services.values()) gate.finish()
  }

  private service(type: FlowType, part: Part): EndpointGate {
    const name = `${part}.${type}`
    const known = this.services.get(name)
    if (known !== undefined) return known
    const made = new EndpointGate(this.context, name, (failure) => this.name(part, failure, { flow: undefined, whose: `${type} items` }))
    this.services.set(name, made)
    return made
  }

  private name(part: Part, failure: CallFailure, { flow, whose }: { flow: string | undefined; whose: string }): void {
    const codes = { forbidden: 'forbidden', planLimit: 'plan_limit', missing: `${part}_missing`, failed: `${part}_missing` } as const
    this.context.gaps.add({
      code: codes[failure.kind],
      category: 'transactions',
      flow,
      httpStatus: failure.httpStatus,
      ...(part === 'comments' ? { acceptedBy: 'comments' } : {}),
      message: `The ${part} of ${whose} cannot be had from this account: ${failure.message}`,
    })
  }
}
