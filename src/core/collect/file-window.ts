import { Pulse } from '../../util/pulse.js'

/**
 * How far files may be fetched ahead of the packer, in bytes that lie here and are in no finished part yet: as many as one part can take in. What the
 * packer waits for is always let through, alone: a file may be larger than a part.
 */
export class FileWindow {
  private readonly limitBytes: number
  private readonly changed = new Pulse()
  private heldBytes: number
  private shrunkBytes = 0
  private underWay = 0
  private isAwaited = false
  private isIdle = false

  /** `heldBytes`: what an earlier process fetched and had not stored. */
  constructor(limitBytes: number, heldBytes: number) {
    this.limitBytes = limitBytes
    this.heldBytes = heldBytes
  }

  /** Waits until a file of about this size may be fetched; counts it as held. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    while (!this.mayTake(bytes)) await this.changed.wait(signal)
    this.heldBytes += bytes
    this.underWay++
  }

  /** A file that was taken is here, or given up; it was this much larger than told. */
  arrived(moreBytes: number): void {
    this.underWay--
    this.heldBytes += moreBytes
    this.changed.beat()
  }

  /** Files are in a finished part, and freed. */
  freed(bytes: number): void {
    this.heldBytes = Math.max(0, this.heldBytes - bytes)
    this.changed.beat()
  }

  /** The part being made took a file in with so many bytes less than it has: there is room for that much more. */
  shrunk(bytes: number): void {
    this.shrunkBytes = Math.max(0, this.shrunkBytes + bytes)
    this.changed.beat()
  }

  /** The next part begins. */
  partDone(): void {
    this.shrunkBytes = 0
  }

  /** Whether the packer asks for a file that is not there yet; it may still be busy with those before it. */
  awaited(isAwaited: boolean): void {
    this.isAwaited = isAwaited
    if (isAwaited) this.changed.beat()
  }

  /** Whether every file the packer was given is in the part. */
  idle(isIdle: boolean): void {
    this.isIdle = isIdle
    if (isIdle) this.changed.beat()
  }

  private mayTake(bytes: number): boolean {
    if (this.heldBytes === 0 || this.heldBytes + bytes <= this.limitBytes + this.shrunkBytes) return true
    return this.isAwaited && this.isIdle && this.underWay === 0
  }
}
