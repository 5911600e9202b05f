import { checkPassphrase } from '../config/passphrase.js'
import { createPrompts } from '../ui/prompts.js'
import type { CommandContext } from './command-context.js'

/** True when a person is there to answer. */
export function canAsk({ stdin, stderr, flags }: CommandContext): boolean {
  return stdin.isTTY === true && stderr.isTTY === true && flags.json !== true
}

/** True for a passphrase that keeps the rule, else what is wrong with it, for the person who typed it. */
export function judgePassphrase(typed: string): true | string {
  const problem = checkPassphrase(typed)
  return problem === undefined || `It ${problem}.`
}

/** The question for a new backup's passphrase, typed hidden and twice, asked again until it keeps the rule; undefined where nobody is there to answer. */
export function passphrasePrompt(context: CommandContext): ((signal: AbortSignal) => Promise<string>) | undefined {
  if (!canAsk(context)) return undefined
  return (signal) => {
    context.stderr.write(
      'The config asks for encryption and gives no passphrase. Without it nobody opens the backup, ever: write it down.\n',
    )
    return createPrompts(context, signal).password({
      message: 'Passphrase of the backup',
      flag: 'KFBACKUP_PASSPHRASE_FILE',
      confirm: true,
      validate: judgePassphrase,
    })
  }
}
