import type { CallFailure } from '../collect/context.js'
import type { FlowType } from '../pack/source.js'
import { type Asker, askPage } from './ask.js'

/** What one call to a record's comments said. */
export type Offered = { offered: true } | { offered: false; failure: CallFailure }

/** Whether the account gives comments of this type, by asking for those of one record that was just listed. Dataset rows have none. */
export async function commentsOffered(
  asker: Asker,
  { type, flow, item }: { type: Exclude<FlowType, 'dataset'>; flow: string; item: string },
): Promise<Offered> {
  const outcome = await askPage(asker, { endpoint: `comments.${type}`, values: { flow, item } }, { page: 1, size: 1 })
  // Trouble with one call says nothing about the endpoint.
  if (outcome.ok || outcome.failure.kind === 'failed') return { offered: true }
  return { offered: false, failure: outcome.failure }
}
