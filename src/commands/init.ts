import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { findConfig, userConfigFolder } from '../config/find-config.js'
import { openPreferences } from '../config/preferences.js'
import { refuseInsecureTls } from '../config/refuse-insecure-tls.js'
import { type ExitCode, UsageError } from '../errors.js'
import type { CommandContext } from './command-context.js'
import { askContents } from './init/ask-contents.js'
import { askEncryption, askZipSize } from './init/ask-encryption.js'
import { askNotifications } from './init/ask-notifications.js'
import { askSchedule } from './init/ask-schedule.js'
import { askStorage } from './init/ask-storage.js'
import { checkDraft, sectionProblem } from './init/check-draft.js'
import { type Answers, configOf, memorable, reviewText } from './init/draft.js'
import { finish } from './init/finish.js'
import type { InitOptions } from './init/options.js'
import { askAndProbeAccount } from './init/probe-account.js'
import { createWizard, type Wizard } from './init/wizard.js'
import { writeConfig } from './init/write-config.js'
import { stateDirOf } from './state-target.js'

const FILE_NAME = 'kfbackup.config.json'

/** Asks for everything a backup needs, tries it, and writes the config file. Nothing is written before the review at the end. */
export async function initCommand(context: CommandContext, options: InitOptions = {}): Promise<ExitCode> {
  const { env } = context
  refuseInsecureTls(env)
  const file = targetFile(context)
  const wizard = createWizard(context, options, { file, remembered: await remembered(context) })
  await mayWrite(file, wizard)
  const answers = await ask(wizard)
  const draft = configOf(answers)
  await review(answers, draft, file, wizard)
  context.signal.throwIfAborted()
  writeConfig({ file, draft, keeper: wizard.keeper, passphraseFile: answers.encryption.passphraseFile, env })
  await remember(answers, file, context)
  return await finish({ file, answers, shadowedBy: shadowOf(file, context) }, wizard)
}

/** Where `-c` or KFBACKUP_CONFIG says, else in the user's config folder: found from everywhere, also by a timer. */
function targetFile({ flags, env, cwd }: CommandContext): string {
  const named = flags.config ?? (env.KFBACKUP_CONFIG === '' ? undefined : env.KFBACKUP_CONFIG)
  if (named === '') throw new UsageError('-c names no file.', { hint: 'Give the name of the config to write after -c.' })
  return named === undefined ? join(userConfigFolder(env, process.platform), FILE_NAME) : resolve(cwd, named)
}

async function mayWrite(file: string, wizard: Wizard): Promise<void> {
  const { options, prompts, isAsking } = wizard
  if (!existsSync(file) || options.force === true) return
  const refused = new UsageError(`${file} exists and was not changed.`, {
    hint: 'Add --force to replace it, or name another file with -c.',
  })
  if (!isAsking) throw refused
  const yes = await prompts.confirm({ message: `${file} exists. Replace it at the end?`, flag: '--force', default: false })
  if (!yes) throw refused
}

async function ask(wizard: Wizard): Promise<Answers> {
  const { context, say } = wizard
  say(
    'This asks for your Kissflow account and where backups go, tries both, and writes a config.\nNothing is written before the end; Ctrl-C leaves nothing behind.\n',
  )
  const { account, probe } = await askAndProbeAccount(wizard)
  const contents = await askContents(wizard, probe)
  const storage = await askStorage(wizard)
  const zipSize = await askZipSize(wizard, (size) => sectionProblem('zip', { size }, context.env))
  const encryption = await askEncryption(wizard)
  const notifications = await askNotifications(wizard)
  const schedule = await askSchedule(wizard)
  return { account, contents, storage, zipSize, encryption, notifications, schedule }
}

async function review(answers: Answers, draft: Record<string, unknown>, file: string, wizard: Wizard): Promise<void> {
  const { options, prompts, context, keeper, isAsking } = wizard
  if (options.yes === true) return
  const { config } = checkDraft(draft, dirname(file), context.env)
  const secrets =
    keeper.names.length === 0 ? 'in variables or files of your own' : `${keeper.folder} (mode 0600): ${keeper.names.join(', ')}`
  if (isAsking) context.stderr.write(`\n${reviewText(answers, { file, secrets, config })}\n\n`)
  const yes = await prompts.confirm({ message: 'Write this?', flag: '--yes' })
  if (!yes) throw new UsageError('Nothing was written.', { hint: 'Run kfbackup init again; most answers are offered again.' })
}

/** Reads what was kept, without making the state folder for it: Ctrl-C is to leave nothing behind. */
async function remembered(context: CommandContext): Promise<Record<string, unknown>> {
  const folder = stateDirOf(context)
  if (!existsSync(join(folder, 'preferences.json'))) return {}
  try {
    return (await openPreferences(folder)).initAnswers()
  } catch {
    return {}
  }
}

async function remember(answers: Answers, file: string, context: CommandContext): Promise<void> {
  try {
    const preferences = await openPreferences(stateDirOf(context))
    preferences.rememberInitAnswers(memorable(answers))
    preferences.rememberAccount({ baseUrl: answers.account.address.baseUrl, accountId: answers.account.accountId })
    preferences.rememberConfig(file)
  } catch {
    // A convenience; the config itself is written.
  }
}

/** The config that other commands would use instead, run here without -c; undefined when it is the new one. */
function shadowOf(file: string, { env, cwd }: CommandContext): string | undefined {
  try {
    const found = findConfig({ flag: undefined, env, cwd, platform: process.platform })
    return found === undefined || found.file === file ? undefined : found.file
  } catch {
    return undefined
  }
}
