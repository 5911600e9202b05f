import { partName, type SeriesName } from '../../archive/layout.js'
import type { OpenPart } from './open-part.js'
import type { PackSession } from './pack-session.js'

/** The numbered parts of one kind: `TransactionalData-0000`, `-0001` …; none is opened before something is put in. */
export class PartSeries {
  private readonly session: PackSession
  private readonly name: SeriesName
  private part: OpenPart | undefined

  constructor(session: PackSession, name: SeriesName) {
    this.session = session
    this.name = name
  }

  /** The part being filled; begins one if there is none. */
  async current(): Promise<OpenPart> {
    this.part ??= await this.session.openPart(partName(this.name, this.session.state.seriesParts[this.name]))
    return this.part
  }

  /** Closes the part being filled, if there is one; the cursor must stand behind it. */
  async close(): Promise<void> {
    if (this.part === undefined) return
    this.part = undefined
    this.session.state.seriesParts[this.name]++
    await this.session.closePart()
  }
}
