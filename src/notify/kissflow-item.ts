import { BackupError } from '../errors.js'
import { PostRefusedError, postJson } from '../http/post-json.js'
import { redact } from '../util/mask-url.js'
import { printable } from '../util/printable.js'
import type { KissflowItemOptions, NotifyDeps } from './channels.js'
import { fillTemplate } from './field-template.js'
import type { NotificationMessage } from './message.js'

/** Kissflow did not take the item. */
export class KissflowItemError extends BackupError {
  override readonly code: string = 'E_KISSFLOW_ITEM'
}

/**
 * Paths below the account's base URL. Creating a process item and submitting its first step are documented by Kissflow ("Create an item", "Submit an item");
 * the form's path is the one public client code uses.
 */
const PATHS = {
  processCreate: '/process/2/{account}/{flow}',
  processSubmit: '/process/2/{account}/{flow}/{item}/{activity}/submit',
  formCreate: '/form/2/{account}/{flow}/create/submit',
} as const

function fillPath(template: string, values: Record<string, string>): string {
  return template.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(values[name] ?? ''))
}

function textField(body: unknown, key: string): string | undefined {
  if (typeof body !== 'object' || body === null || !(key in body)) return undefined
  const value = (body as Record<string, unknown>)[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refusal(error: unknown, { flow, type, accessKeyId, accessKeySecret }: KissflowItemOptions): unknown {
  if (!(error instanceof PostRefusedError)) return error
  const body = parsed(error.body)
  const said = [textField(body, 'error_code'), textField(body, 'en_message')].filter((part) => part !== undefined).join(': ')
  const detail = said === '' ? '' : `: ${redact(printable(said, 300), [accessKeyId, accessKeySecret])}`
  const hint =
    error.status === 401 || error.status === 403
      ? `Let the user of the access key start items in this ${type}.`
      : error.status === 404
        ? `Check notifications.kissflow.flow; is it a ${type}?`
        : undefined
  const where = `Kissflow answered ${error.status} for an item in ${printable(flow, 100)}`
  return new KissflowItemError(`${where}${detail}`, hint === undefined ? {} : { hint })
}

/**
 * Creates an item in a process (and submits it, so that its workflow starts) or in a form, with the message in the fields the admin chose.
 * Nothing is sent twice. Throws KissflowItemError, ConfigError, TryLaterError.
 */
export async function createKissflowItem(
  message: NotificationMessage,
  options: KissflowItemOptions,
  deps: NotifyDeps & { detail: boolean },
  signal: AbortSignal,
): Promise<string> {
  const { baseUrl, accountId, flow, type, accessKeyId, accessKeySecret } = options
  const fields = Object.entries(options.fields).map(([id, template]) => [id, fillTemplate(template, message, deps.detail)])
  const base = baseUrl.replace(/\/+$/, '')
  const headers = { 'X-Access-Key-Id': accessKeyId, 'X-Access-Key-Secret': accessKeySecret, accept: 'application/json' }
  const post = async (path: string, body: unknown): Promise<unknown> => {
    try {
      return parsed((await postJson(base + path, body, { headers, once: true }, deps, signal)).text)
    } catch (error) {
      throw refusal(error, options)
    }
  }

  const body = Object.fromEntries(fields)
  if (type === 'form') {
    const created = await post(fillPath(PATHS.formCreate, { account: accountId, flow }), body)
    return `item ${printable(textField(created, '_id') ?? '', 60)} created in form ${printable(flow, 100)}`
  }
  const draft = await post(fillPath(PATHS.processCreate, { account: accountId, flow }), body)
  const item = textField(draft, '_id')
  const activity = textField(draft, '_activity_instance_id')
  if (item === undefined || activity === undefined) {
    throw new KissflowItemError(`Kissflow named no item or activity for ${printable(flow, 100)}; the item stays a draft.`)
  }
  await post(fillPath(PATHS.processSubmit, { account: accountId, flow, item, activity }), {})
  return `item ${printable(item, 60)} submitted in process ${printable(flow, 100)}`
}
