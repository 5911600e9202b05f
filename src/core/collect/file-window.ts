import { Pulse } from '../../util/pulse.js'

/**
 * How far files may be fetched ahead of the packer, in bytes that lie here and are not stored yet. What the packer waits for is always let through: a part
 * of well compressing files takes in more than it gives out.
 */
export class FileWindow {
  private readonly limitBytes: number
  private readonly changed = new Pulse()
  private heldBytes: number
  private starving = false

  /** `heldBytes`: what an earlier process fetched and had not stored. */
  constructor(limitBytes: number, heldBytes: number) {
    this.limitBytes = limitBytes
    this.heldBytes = heldBytes
  }

  /** Waits until a file of about this size may be fetched; counts it as held. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    while (this.heldBytes > 0 && this.heldBytes + bytes > this.limitBytes && !this.starving) await this.changed.wait(signal)
    this.starving = false
    this.heldBytes += bytes
  }

  /** Corrects what is held: a file was larger than told, or is stored and freed. */
  add(bytes: number): void {
    this.heldBytes = Math.max(0, this.heldBytes + bytes)
    if (bytes < 0) this.changed.beat()
  }

  /** The packer waits for a file that is not there yet. */
  starve(): void {
    this.starving = true
    this.changed.beat()
  }
}
