import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { homeOf } from '../../config/find-config.js'
import { expandHome } from '../../config/paths.js'
import type { StorageConfig } from '../../config/types.js'
import { nearestFolder } from '../../core/doctor/free-space.js'
import { BackupError, CanceledError, UsageError } from '../../errors.js'
import { nearest } from '../../util/nearest.js'
import { probeDestination } from '../doctor/probe-destination.js'
import { checkDraft, sectionProblem } from './check-draft.js'
import type { InitOptions } from './options.js'
import { answer, orUsual, rememberedText, type Wizard } from './wizard.js'

/** The storage section as it will stand in the config. */
export type StorageAnswers = Record<string, unknown> & { mode: string }

const MODES = {
  local: { name: 'A folder on this machine, or on a mounted disk', hint: '' },
  s3: {
    name: 'Amazon S3, or a server that speaks like it',
    hint: 'Credentials come from where the AWS SDK finds them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the role of the machine.',
  },
  gcs: {
    name: 'Google Cloud Storage',
    hint: 'Without a key file the credentials of the machine serve (GOOGLE_APPLICATION_CREDENTIALS, or its service account).',
  },
  drive: {
    name: 'Google Drive',
    hint: 'A service account needs access to a folder of a shared drive; for a personal drive set storage.oauth in the config afterwards.',
  },
} as const
type Mode = keyof typeof MODES

/** Where the backups go, tried at once: written, read back, deleted. On failure the person may answer again; throws what speaks against it when nobody can. */
export async function askStorage(wizard: Wizard): Promise<StorageAnswers> {
  const { options, context, prompts, say, isAsking } = wizard
  for (let again = false; ; again = true) {
    const storage = await askPlace(wizard, again)
    const problem = sectionProblem('storage', storage, context.env)
    if (problem !== undefined && (again || !isAsking))
      throw new UsageError(`${problem}.`, { hint: 'Correct the answer about the storage.' })
    if (options.probe === false && problem === undefined) return storage
    try {
      if (problem !== undefined) throw new UsageError(`${problem}.`)
      say('\nTrying the storage …')
      const { says, notes } = await probeDestination(storageConfig(storage, context.env), undefined, context.signal)
      say(`${says}.${notes.map(({ message, fix }) => `\n  - ${message} ${fix}`).join('')}`)
      return storage
    } catch (error) {
      if (!isAsking || !(error instanceof BackupError) || error instanceof CanceledError) throw error
      say(`${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`)
      const next = await prompts.select({
        message: 'What now?',
        flag: '--no-probe',
        choices: [
          { value: 'again', name: 'Answer again' },
          { value: 'keep', name: 'Keep this answer and mend the storage later' },
          { value: 'stop', name: 'Stop; nothing was written' },
        ],
      })
      if (next === 'keep' && problem === undefined) return storage
      if (next === 'stop') throw error
    }
  }
}

function storageConfig(storage: StorageAnswers, env: NodeJS.ProcessEnv): StorageConfig {
  const { config } = checkDraft({ storage }, '/', env)
  if (config.storage === undefined) throw new UsageError('The storage cannot be used as it was answered.')
  return config.storage
}

/** The mode that was named, or that follows from what was given with it. */
function givenMode({ storage, path, url, folder }: InitOptions): Mode | undefined {
  if (storage !== undefined) return readMode(storage)
  if (url !== undefined) return url.trim().startsWith('gs://') ? 'gcs' : 's3'
  if (folder !== undefined) return 'drive'
  return path === undefined ? undefined : 'local'
}

function readMode(text: string): Mode {
  const mode = (Object.keys(MODES) as Mode[]).find((known) => known === text)
  if (mode !== undefined) return mode
  const near = nearest(text, Object.keys(MODES))
  throw new UsageError(`--storage ${text} is not known${near === undefined ? '' : `; did you mean ${near}?`}`, {
    hint: `There are ${Object.keys(MODES).join(', ')}.`,
  })
}

async function askPlace(wizard: Wizard, again: boolean): Promise<StorageAnswers> {
  const { options, prompts, say } = wizard
  const mode = await answer(wizard, again ? undefined : givenMode(options), 'local' as Mode, () =>
    prompts.select({
      message: 'Where do the backups go?',
      flag: orUsual('--storage'),
      choices: (Object.keys(MODES) as Mode[]).map((value) => ({ value, name: MODES[value].name })),
      default: (rememberedText(wizard, 'storage') as Mode | undefined) ?? 'local',
    }),
  )
  if (MODES[mode].hint !== '') say(MODES[mode].hint)
  if (mode === 'local') return { mode, path: await askFolder(wizard, again) }
  const text = (given: string | undefined, message: string, flag: string): Promise<string> =>
    answer(wizard, again ? undefined : given, undefined, () =>
      prompts.input({ message, flag, validate: (typed) => typed.trim() !== '' || 'It is empty.' }),
    )
  const optional = async (given: string | undefined, message: string, flag: string): Promise<string | undefined> => {
    const typed = await answer(wizard, again ? undefined : given, '', () =>
      prompts.input({ message: `${message} (Enter: none)`, flag: orUsual(flag) }),
    )
    return typed.trim() === '' ? undefined : typed.trim()
  }
  const file = (path: string | undefined): string | undefined => (path === undefined ? undefined : absolutePath(path, wizard))
  const place: StorageAnswers = { mode }
  if (mode === 's3') {
    place.url = (await text(options.url, 'Bucket and prefix, as s3://my-bucket/kissflow', '--url')).trim()
    place.region = await optional(options.region, 'Region, as eu-central-1', '--region')
    place.endpoint = await optional(options.endpoint, 'Address of the server, when it is not Amazon', '--endpoint')
    place.profile = await optional(options.profile, 'Profile of the AWS credentials file', '--profile')
    if (place.endpoint !== undefined) place.forcePathStyle = true
  } else if (mode === 'gcs') {
    place.url = (await text(options.url, 'Bucket and prefix, as gs://my-bucket/kissflow', '--url')).trim()
    place.keyFile = file(await optional(options.keyFile, 'Key file of a service account', '--key-file'))
  } else {
    place.folder = (await text(options.folder, 'Id or path of the folder', '--folder')).trim()
    place.keyFile = file(await text(options.keyFile, 'Key file of a service account', '--key-file'))
  }
  return Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined)) as StorageAnswers
}

function absolutePath(path: string, { context }: Wizard): string {
  return resolve(context.cwd, expandHome(path.trim(), context.env))
}

/** A folder; one whose parent is missing may be a disk that is not mounted, and is pointed out at once. */
async function askFolder(wizard: Wizard, again: boolean): Promise<string> {
  const { options, context, prompts } = wizard
  const usual = rememberedText(wizard, 'path') ?? join(homeOf(context.env), 'kissflow-backups')
  const typed = await answer(wizard, again ? undefined : options.path, usual, () =>
    prompts.input({
      message: 'Folder',
      flag: orUsual('--path'),
      default: usual,
      validate: (text) => {
        if (text.trim() === '') return 'It is empty.'
        const folder = absolutePath(text, wizard)
        const parent = resolve(folder, '..')
        return (
          existsSync(folder) ||
          existsSync(parent) ||
          `${nearestFolder(parent)} has no such folder: make ${parent} first, or mount its disk.`
        )
      },
    }),
  )
  return absolutePath(typed, wizard)
}
