/** One thing that is not as it was written; a `damage` line of --json (details.md 29). */
export interface Damage {
  /** File name without extension, or the file's name; null when it concerns the backup as a whole. */
  part: string | null
  /** Path inside the ZIP. */
  entry: string | null
  /** Record id. */
  record: string | null
  reason: string
}

/** Told while a backup is verified or extracted. */
export interface FindingsListener {
  damage(damage: Damage): void
  /** Worth knowing, no damage. */
  warning(code: string, message: string): void
  /** Stored bytes read so far, of those that will be read. */
  progress?(bytesDone: number, bytesTotal: number, current: string): void
}

/** More lines of one kind say no more than their number. */
const MOST_OF_A_KIND = 100

/** Passes damage on and counts it; of many records or entries alike the first hundred are named, the rest counted. */
export class Findings {
  damages = 0
  warnings = 0
  private readonly listener: FindingsListener
  private readonly held = new Map<string, { count: number; damage: Damage }>()

  constructor(listener: FindingsListener) {
    this.listener = listener
  }

  damage(reason: string, where: { part?: string | null; entry?: string | null; record?: string | null } = {}): void {
    const damage: Damage = { part: where.part ?? null, entry: where.entry ?? null, record: where.record ?? null, reason }
    this.damages++
    const kind = JSON.stringify([damage.part, damage.record === null ? null : damage.entry, reason])
    const held = this.held.get(kind) ?? { count: 0, damage }
    this.held.set(kind, { count: held.count + 1, damage })
    if (held.count < MOST_OF_A_KIND) this.listener.damage(damage)
    if (this.held.size > MOST_OF_A_KIND) this.flush()
  }

  warning(code: string, message: string): void {
    this.warnings++
    this.listener.warning(code, message)
  }

  progress(bytesDone: number, bytesTotal: number, current: string): void {
    this.listener.progress?.(bytesDone, bytesTotal, current)
  }

  /** Says how many were not named; at the end. */
  flush(): void {
    for (const { count, damage } of this.held.values()) {
      const more = count - MOST_OF_A_KIND
      if (more <= 0) continue
      const entry = damage.record === null ? null : damage.entry
      this.listener.damage({ part: damage.part, entry, record: null, reason: `${more} more: ${damage.reason}` })
    }
    this.held.clear()
  }
}
