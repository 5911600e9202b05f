import type { Account, Flow } from './account.js'
import type { LiveFlow } from './live-flow.js'
import type { Situation } from './situation.js'

/** What the routes answer from. */
export interface World {
  account: Account
  /** Origin of the storage host. */
  filesUrl: () => string
  /** What is wrong with this account right now. */
  situation: Situation
  live: (flow: Flow) => LiveFlow
  /** How long a signed URL of the storage host is good. */
  signedForMs: number
  now: () => number
}

export interface ApiRequest {
  method: string
  /** Decoded path segments behind the account id; the service stands apart. */
  service: string
  segments: string[]
  query: URLSearchParams
  /** The path as sent. */
  path: string
  body: string
  /** Differs from call to call. */
  chance: number
}
