import type { CallFailure, CollectContext } from './context.js'

// details.md 13
const MAX_TRIES = 2

/** What one call said about its endpoint. `otherwise` is what to do about this call's own failure once the endpoint is known to be there. */
export interface Verdict {
  verdict: 'there' | 'refused' | 'unsettled'
  kind?: CallFailure['kind']
  httpStatus?: number | null
  message?: string
  otherwise?: () => void
}

/**
 * Settles whether an account has an endpoint at all before all workers start on it: at most two calls, one after the other, may find it missing.
 * The answer is kept for the run.
 */
export class EndpointGate {
  private readonly context: CollectContext
  private readonly fact: string
  private readonly onMissing: (failure: CallFailure) => void
  private refusals: Verdict[] = []
  private probing: Promise<void> | undefined

  constructor(context: CollectContext, name: string, onMissing: (failure: CallFailure) => void) {
    this.context = context
    this.fact = `endpoint.${name}`
    this.onMissing = onMissing
  }

  get isMissing(): boolean {
    return this.context.store.facts.get(this.fact) === 'missing'
  }

  /** Runs `call` once the endpoint is known to be there, or as the one call that finds out; not at all when it is missing. */
  async pass(call: () => Promise<Verdict>): Promise<void> {
    for (;;) {
      if (this.isMissing) return
      if (this.isThere) {
        ;(await call()).otherwise?.()
        return
      }
      if (this.probing === undefined) break
      await this.probing
    }
    let done: () => void = () => {}
    this.probing = new Promise((resolve) => {
      done = resolve
    })
    try {
      this.settle(await call())
    } finally {
      this.probing = undefined
      done()
    }
  }

  /** To be called when nothing more will be asked: an endpoint that only ever refused is missing. */
  finish(): void {
    if (!this.isThere && !this.isMissing && this.refusals.length > 0) this.declareMissing()
  }

  private settle(verdict: Verdict): void {
    if (verdict.verdict === 'unsettled') {
      verdict.otherwise?.()
      return
    }
    if (verdict.verdict === 'refused') {
      this.refusals.push(verdict)
      if (this.refusals.length >= MAX_TRIES) this.declareMissing()
      return
    }
    this.context.store.setFact(this.fact, 'there')
    for (const refusal of this.refusals.splice(0)) refusal.otherwise?.()
  }

  private declareMissing(): void {
    const [first] = this.refusals.splice(0)
    this.onMissing({ kind: first?.kind ?? 'missing', httpStatus: first?.httpStatus ?? null, message: first?.message ?? '' })
    this.context.store.setFact(this.fact, 'missing')
  }

  private get isThere(): boolean {
    return this.context.store.facts.get(this.fact) === 'there'
  }
}
