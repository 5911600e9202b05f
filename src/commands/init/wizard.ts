import type { SecretInput } from '../../config/schema-parts.js'
import { UsageError } from '../../errors.js'
import { createPrompts, type Prompts } from '../../ui/prompts.js'
import { printable } from '../../util/printable.js'
import { wrapText } from '../../util/text-width.js'
import type { CommandContext } from '../command-context.js'
import type { InitOptions } from './options.js'
import { SecretKeeper } from './secret-keeper.js'

/** What every question of `init` works with. */
export interface Wizard {
  context: CommandContext
  options: InitOptions
  prompts: Prompts
  /** Somebody is there to be asked, and wants to be. */
  isAsking: boolean
  /** What was answered last time. */
  remembered: Record<string, unknown>
  keeper: SecretKeeper
  /** Explains; on stderr, and only to somebody who is asked. */
  say: (text: string) => void
}

/** A secret that was given: its text, for trying it out, and how the config will name it. */
export interface KnownSecret {
  text: string
  config: SecretInput
}

/** Sets up the questions for this terminal and these options. Nothing is asked yet. */
export function createWizard(
  context: CommandContext,
  options: InitOptions,
  config: { file: string; remembered: Record<string, unknown> },
): Wizard {
  const { stdin, stderr, signal } = context
  const isAsking = options.yes !== true && stdin.isTTY === true && stderr.isTTY === true
  const width = Math.min(stderr.columns ?? 80, 100)
  return {
    context,
    options,
    prompts: createPrompts({ stdin, stderr }, signal),
    isAsking,
    remembered: config.remembered,
    keeper: new SecretKeeper(config.file),
    say: (text) => {
      if (!isAsking) return
      for (const line of text.split('\n')) stderr.write(`${indented(printable(line, 2000), width)}\n`)
    },
  }
}

/** A line broken at the width, what follows under its first word; the marker of a list stands out. */
function indented(line: string, width: number): string {
  const [lead = ''] = /^ *(?:- |\d+\. )?/.exec(line) ?? []
  const blanks = ' '.repeat(lead.length)
  return wrapText(line.slice(lead.length), width - lead.length)
    .map((part, index) => `${index === 0 ? lead : blanks}${part}`)
    .join('\n')
}

/**
 * One answer: the flag's or the environment's, with --yes what is usual, else the person's. Without a terminal the question throws UsageError naming the flag.
 */
export async function answer<T>({ options }: Wizard, given: T | undefined, usual: T | undefined, ask: () => Promise<T>): Promise<T> {
  if (given !== undefined) return given
  if (options.yes === true && usual !== undefined) return usual
  return await ask()
}

/** How to name the flag of a question that has a usual answer. */
export function orUsual(flag: string): string {
  return `${flag}, or --yes for what is usual`
}

/** A remembered text, to be offered again. */
export function rememberedText({ remembered }: Wizard, key: string): string | undefined {
  const value = remembered[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Something that is read from text: its value, or what is wrong. */
type Reader<T> = (text: string) => { value: T } | { problem: string }

/** Turns a reader into what a question takes. */
export function valid<T>(read: Reader<T>): (text: string) => true | string {
  return (text) => {
    const outcome = read(text)
    return 'problem' in outcome ? `It ${outcome.problem}.` : true
  }
}

/** The value behind a flag or variable. Throws UsageError naming it. */
export function readOr<T>(read: Reader<T>, text: string, name: string): T {
  const outcome = read(text)
  if ('value' in outcome) return outcome.value
  throw new UsageError(`${name} ${outcome.problem}.`)
}
