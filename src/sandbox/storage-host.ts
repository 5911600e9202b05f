import { findFlow } from './account.js'
import { filesOf } from './attachments.js'
import { contentReply } from './file-routes.js'
import { SERVICES } from './flow-blueprints.js'
import type { Reply } from './replies.js'
import { readSignedPath, signPath } from './signed-urls.js'
import type { World } from './world.js'

function refusal(status: number, code: string): Reply {
  return { status, type: 'application/xml', body: `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code></Error>` }
}

/** What the storage host answers to a GET without key headers: a file behind a good signature, maybe after more redirects. */
export function storageReply(world: World, method: string, url: string): Reply {
  if (method !== 'GET') return refusal(405, 'MethodNotAllowed')
  const outcome = readSignedPath(world.account.seed, url, world.now())
  if (!outcome.ok) return refusal(outcome.code === 'NoSuchKey' ? 404 : outcome.code === 'ExpiredToken' ? 400 : 403, outcome.code)
  const { flowId, index, number, hops } = outcome.file
  if (hops > 0) {
    const next = signPath(world.account.seed, { flowId, index, number, hops: hops - 1 }, world.now() + world.signedForMs)
    // Every other hop names only the path, as RFC 9110 allows.
    const location = hops % 2 === 0 ? next : `${world.filesUrl()}${next}`
    return { status: hops % 2 === 0 ? 307 : 302, type: 'text/plain', headers: { location }, body: '' }
  }
  for (const service of SERVICES) {
    const flow = findFlow(world.account, service, flowId)
    const file = flow === undefined ? undefined : filesOf(world.account, flow, index)[number]
    if (file !== undefined) return contentReply(file)
  }
  return refusal(404, 'NoSuchKey')
}

/** What it answers to a request that carries the account's keys. */
export function keyHeadersReply(): Reply {
  return refusal(400, 'UnsupportedHeader')
}
