import type { ApiCall, KissflowClient } from '../../kissflow/client.js'
import { PRIORITY } from '../../kissflow/client.js'
import type { EndpointName, PathValues } from '../../kissflow/endpoints.js'
import { type ListPage, readList } from '../../kissflow/shapes.js'
import { type CallFailure, callFailure, type Outcome } from '../collect/context.js'

/** What a look at an account works with: nothing it hears is saved. */
export interface Asker {
  client: KissflowClient
  stop: AbortSignal
}

/** One list, to be looked at page by page. */
export interface ListCall {
  endpoint: EndpointName
  values?: PathValues
  query?: Record<string, string>
}

export type PageOutcome = { ok: true; page: ListPage } | { ok: false; failure: CallFailure }

/** One call. A failure that costs this call alone is an outcome; what would end a run (keys refused, wrong host, nobody answers) is thrown. */
export async function askOnce({ client, stop }: Asker, call: ApiCall): Promise<Outcome> {
  try {
    return { ok: true, answer: await client.getJson({ priority: PRIORITY.list, ...call }, stop) }
  } catch (error) {
    stop.throwIfAborted()
    const failure = callFailure(error)
    if (failure === undefined) throw error
    return { ok: false, failure }
  }
}

/** One page of a list, numbered from 1. */
export async function askPage(asker: Asker, list: ListCall, { page, size }: { page: number; size: number }): Promise<PageOutcome> {
  const { endpoint, values = {}, query = {} } = list
  const outcome = await askOnce(asker, { endpoint, values, query: { page_number: String(page), page_size: String(size), ...query } })
  if (!outcome.ok) return outcome
  const found = readList(outcome.answer)
  if (found !== undefined) return { ok: true, page: found }
  return { ok: false, failure: { kind: 'failed', httpStatus: 200, message: `${endpoint} answered with no list in any known form` } }
}
