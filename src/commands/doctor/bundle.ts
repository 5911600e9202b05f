import { existsSync, readFileSync } from 'node:fs'
import { arch, homedir, hostname, platform, release, userInfo } from 'node:os'
import { type ConfigValue, listValues } from '../../config/list-values.js'
import { safeEvent } from '../../core/doctor/safe-event.js'
import { Tokens } from '../../core/doctor/tokens.js'
import { StorageRefusedError } from '../../errors.js'
import { eventLogPath } from '../../state/history.js'
import { writeFileAtomic } from '../../util/atomic-file.js'
import { rfc3339, systemClock } from '../../util/clock.js'
import type { CommandContext } from '../command-context.js'
import { stateDirOf } from '../state-target.js'
import { toolVersion } from '../tool-version.js'
import type { DoctorFacts } from './doctor-facts.js'

const MAX_EVENTS = 2_000

/** Values that say how kfbackup is set up and nothing about whose it is. */
const TELLING =
  /^(account\.domain|categories|flows\.types|storage\.(mode|storageClass|sse|forcePathStyle|verifyAfterUpload|link|lock)|zip|encryption\.format|api\.(callsPerMinute|concurrency|pageSize|reserve)|accept|notifications\.(on|detail|webhooks\[\d+\]\.format|kissflow\.type)|retention|schedule|resume)\b/
const ACCEPT_WORDS = new Set(['comments', 'auditLogs', 'projects'])

/**
 * Writes what support needs to see: versions, the shape of the config, the checks, the events of the last run. Names and ids are tokens whose key is thrown away;
 * secrets are masked. Throws StorageRefusedError when the file cannot be written.
 */
export async function writeBundle(file: string, facts: DoctorFacts, context: CommandContext): Promise<void> {
  const tokens = new Tokens()
  learnNames(tokens, facts, context)
  const { newest } = facts
  const bundle = {
    format_version: 1,
    made_at: rfc3339(systemClock.now()),
    about: 'Made by kfbackup doctor --bundle. Names and ids are tokens: the same token is the same name in this file, and in no other.',
    tool: {
      kfbackup: toolVersion(),
      node: process.versions.node,
      openssl: process.versions.openssl,
      platform: platform(),
      release: release(),
      arch: arch(),
    },
    config: facts.loaded === undefined ? null : listValues(facts.loaded).map((value) => safeValue(value, tokens)),
    checks: facts.checks.map(({ name, level, message, fix }) => ({
      name,
      level,
      message: tokens.clean(message),
      fix: fix === undefined ? null : tokens.clean(fix),
    })),
    api_calls: facts.apiCalls,
    last_run: newest === undefined ? null : safeEvent(newest, tokens),
    events: newest === undefined ? [] : eventLines(eventLogPath(stateDirOf(context), newest.id)).map((event) => safeEvent(event, tokens)),
  }
  try {
    writeFileAtomic(file, `${JSON.stringify(bundle, null, 2)}\n`)
  } catch (error) {
    throw new StorageRefusedError(`${file} cannot be written.`, {
      cause: error,
      hint: 'Name a file in a folder that this user may write to.',
    })
  }
}

function learnNames(tokens: Tokens, { loaded, probe, newest }: DoctorFacts, context: CommandContext): void {
  tokens.learn('host', hostname())
  tokens.learn('user', userInfo().username)
  const { env, cwd } = context
  for (const folder of [homedir(), env.HOME, cwd, stateDirOf(context), loaded?.file]) if (folder !== '/') tokens.learn('path', folder)
  for (const value of [newest?.account, newest?.subdomain, newest?.requester, newest?.location, newest?.destination])
    tokens.learn('text', value)
  for (const { id, name } of [...(probe?.found.flows ?? []), ...(probe?.found.excluded ?? [])]) {
    tokens.learn('flow', id)
    tokens.learn('flow', name)
  }
  if (loaded === undefined) return
  for (const { key, value } of listValues(loaded)) {
    if (TELLING.test(key)) continue
    for (const text of Array.isArray(value) ? value : [value]) if (typeof text === 'string' && text !== '*') tokens.learn('text', text)
  }
  try {
    const { account, storage } = loaded.config
    tokens.learn('host', new URL(account.baseUrl).hostname)
    tokens.learn('text', account.subdomain)
    if (storage.mode === 'local') tokens.learn('path', storage.path)
    if (storage.mode === 's3' || storage.mode === 'gcs') {
      tokens.learn('text', storage.bucket)
      tokens.learn('text', storage.prefix)
    }
  } catch {
    // A section that needs a variable nobody set holds no name either.
  }
}

function safeValue({ key, value, origin }: ConfigValue, tokens: Tokens): ConfigValue {
  const word = (text: unknown): unknown =>
    typeof text === 'string' && text !== '*' && !/^\*+$/.test(text) ? tokens.of('text', text) : text
  const kept = (text: unknown): unknown =>
    key === 'accept' && typeof text === 'string' && !ACCEPT_WORDS.has(text) ? tokens.of('flow', text) : text
  const replace = TELLING.test(key) ? kept : word
  // Names of fields and the like may stand in the key.
  const safeKey = key.startsWith('notifications.kissflow.fields.') || key.startsWith('api.endpoints.') ? tokens.clean(key) : key
  return { key: safeKey, value: Array.isArray(value) ? value.map(replace) : replace(value), origin: tokens.clean(origin) }
}

/** The last lines of an event log; a line that is none is passed over. */
function eventLines(path: string): unknown[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-MAX_EVENTS)
  return lines.flatMap((line): unknown[] => {
    try {
      return [JSON.parse(line)]
    } catch {
      return []
    }
  })
}
