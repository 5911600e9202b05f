import type { LoadedConfig } from '../../config/load.js'
import type { Check } from '../../core/doctor/check.js'
import type { AccountProbe } from '../../core/doctor/probe-account.js'
import type { HistoryEntry } from '../../state/history-entry.js'

/** Everything a doctor learnt, for its summary and the bundle. */
export interface DoctorFacts {
  checks: Check[]
  loaded: LoadedConfig | undefined
  probe: AccountProbe | undefined
  /** The newest run, however it ended. */
  newest: HistoryEntry | undefined
  /** Calls to the account. */
  apiCalls: number
}
