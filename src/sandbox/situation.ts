/** Lasting trouble of an account; network faults are elsewhere. */
export interface Situation {
  /** Endpoints that do not exist here: comments, audit, project, upload. */
  missing: ReadonlySet<string>
  /** Flow ids the key may not see. */
  forbidden: ReadonlySet<string>
  /** Services the plan lacks. */
  plan: ReadonlySet<string>
  /** How many records and files always fail. */
  poisonItems: number
  poisonFiles: number
  /** Changes of a flow's list with each page read. */
  moving: number
  /** Changes of a flow in all; by its size unless told. */
  movingFor: number | undefined
  repeatPage: boolean
  dupRows: boolean
  /** Page cap of every list. */
  cap: number | undefined
}

/** An account with nothing wrong. */
export const WELL: Situation = {
  missing: new Set(),
  forbidden: new Set(),
  plan: new Set(),
  poisonItems: 0,
  poisonFiles: 0,
  moving: 0,
  movingFor: undefined,
  repeatPage: false,
  dupRows: false,
  cap: undefined,
}
