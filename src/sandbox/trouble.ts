import { type Faults, type NetworkFault, parseFaults } from './faults.js'
import { NetworkFaults } from './network-faults.js'
import { hashText } from './random.js'

/** The faults in force, and what they have done so far. */
export class Trouble {
  faults: Faults = parseFaults('')
  private readonly seed: number
  private network: NetworkFaults
  private since = 0

  constructor(seed: number) {
    this.seed = seed
    this.network = new NetworkFaults(seed, this.faults)
  }

  /** Puts other faults in force; counts of calls in them begin after `calls`. */
  set(faults: string | Faults, calls: number): void {
    this.faults = typeof faults === 'string' ? parseFaults(faults) : faults
    this.network = new NetworkFaults(this.seed, this.faults)
    this.since = calls
  }

  /** What happens to the next answer to this URL. */
  pick(url: string): NetworkFault | undefined {
    return this.network.pick(url)
  }

  /** True while the account cannot be reached; calls are numbered from 1. */
  isDown(call: number): boolean {
    const { downAfter, downFor } = this.faults
    const number = call - this.since
    return downAfter !== undefined && number > downAfter && number <= downAfter + downFor
  }

  isRevoked(call: number): boolean {
    return this.faults.revokeAfter !== undefined && call - this.since > this.faults.revokeAfter
  }

  /** How much longer the answer to this URL takes: half to one and a half times the set time. */
  extraMs(url: string): number {
    const { slowMs } = this.faults
    return slowMs === 0 ? 0 : Math.round(slowMs * (0.5 + (hashText(url) % 1000) / 1000))
  }
}
