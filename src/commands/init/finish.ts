import { userConfigFolder } from '../../config/find-config.js'
import { BackupError, CanceledError, EXIT, type ExitCode } from '../../errors.js'
import { createReporter } from '../../ui/reporter.js'
import { systemClock } from '../../util/clock.js'
import { printable } from '../../util/printable.js'
import { resultOptions } from '../result-options.js'
import { installSchedule } from '../schedule/install.js'
import type { Answers } from './draft.js'
import type { Wizard } from './wizard.js'

interface Written {
  file: string
  answers: Answers
  /** Another config that would be used here without -c. */
  shadowedBy: string | undefined
}

/** After the config is written: the timer, the first backup, and what to do next. A timer that cannot be installed is a warning: the config stands. */
export async function finish({ file, answers, shadowedBy }: Written, wizard: Wizard): Promise<ExitCode> {
  const { context, say, options, keeper } = wizard
  const { flags, env, stderr } = context
  const reporter = await createReporter({ ...resultOptions(context), command: 'init', clock: systemClock })
  const quiet = flags.quiet === true
  if (!quiet) {
    reporter.print(`Written: ${printable(file, 2000)}`)
    if (keeper.names.length > 0) reporter.print(`Secrets: ${printable(keeper.folder, 2000)}`)
    reporter.print(answers.encryption.reminder)
  }
  const isFound =
    shadowedBy === undefined && (file.startsWith(userConfigFolder(env, process.platform)) || env.KFBACKUP_CONFIG !== undefined)
  if (shadowedBy !== undefined) stderr.write(`Warning: without -c, commands run here use ${printable(shadowedBy, 2000)}.\n`)
  const installed = await install(file, answers, wizard)
  const wantsRun = options.run ?? (wizard.isAsking ? await askRun(wizard) : false)
  const named = isFound ? '' : ` -c ${file}`
  if (!wantsRun) {
    if (!quiet) reporter.print(`Next: kfbackup run${named}   (kfbackup plan${named} tells first how long it takes)`)
    const { accept, categories } = answers.contents
    reporter.json('summary', {
      command: 'init',
      config: file,
      secrets: keeper.names.length === 0 ? null : keeper.folder,
      categories,
      accept,
      schedule_installed: installed,
      exit_code: EXIT.ok,
    })
    await reporter.close()
    return EXIT.ok
  }
  await reporter.close()
  say('')
  const { runCommand } = await import('../run.js')
  return await runCommand({ ...context, flags: { ...flags, config: file } }, {})
}

async function install(file: string, { schedule }: Answers, wizard: Wizard): Promise<boolean> {
  const { context, prompts, options, isAsking } = wizard
  if (schedule === undefined) return false
  const wanted =
    options.installSchedule ??
    (isAsking &&
      (await prompts.confirm({ message: 'Install the timer on this machine now (crontab or systemd)?', flag: '--install-schedule' })))
  if (!wanted) return false
  try {
    const { scheduler, installed, warnings } = await installSchedule({ ...context, flags: { ...context.flags, config: file } }, {})
    for (const warning of warnings) context.stderr.write(`Warning: ${printable(warning, 1000)}\n`)
    wizard.say(`Installed with ${scheduler}: ${installed.join(', ')}`)
    return true
  } catch (error) {
    if (!(error instanceof BackupError) || error instanceof CanceledError) throw error
    const hint = error.hint === undefined ? '' : ` ${error.hint}`
    context.stderr.write(`Warning: the timer was not installed: ${printable(error.message, 1000)}${hint}\n`)
    context.stderr.write('Later: kfbackup schedule install\n')
    return false
  }
}

function askRun({ prompts }: Wizard): Promise<boolean> {
  return prompts.confirm({ message: 'Make the first backup now?', flag: '--run' })
}
