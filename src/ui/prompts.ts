import { CanceledError, UsageError } from '../errors.js'
import { printable } from '../util/printable.js'

/** What every question needs: its words, and the flag that answers it without a terminal. */
export interface Question {
  message: string
  /** As the user would write it: `--subdomain`, `--config with account.subdomain`. */
  flag: string
}

export interface Choice<T> {
  value: T
  name: string
  /** Shown below the list while the choice is looked at. */
  description?: string
  checked?: boolean
  /** A reason why it cannot be chosen. */
  disabled?: string
}

/** True, or what is wrong with the answer. */
type Validate<T> = (answer: T) => true | string | Promise<true | string>

/** Questions to a person at a terminal. */
export interface Prompts {
  input(question: Question & { default?: string; validate?: Validate<string> }): Promise<string>
  /** Typed hidden; with `confirm` asked twice until both are the same. */
  password(question: Question & { confirm?: boolean; validate?: Validate<string> }): Promise<string>
  select<T>(question: Question & { choices: readonly Choice<T>[]; default?: T }): Promise<T>
  checkbox<T>(question: Question & { choices: readonly Choice<T>[]; required?: boolean }): Promise<T[]>
  confirm(question: Question & { default?: boolean }): Promise<boolean>
}

interface Terminal {
  stdin: NodeJS.ReadStream
  stderr: NodeJS.WriteStream
}

function isPromptExit(error: unknown): boolean {
  return (
    error instanceof Error && (error.name === 'ExitPromptError' || error.name === 'AbortPromptError' || error.name === 'CancelPromptError')
  )
}

/** inquirer's prompt function, as far as one question at a time needs it. */
type Prompter<T> = (questions: readonly Record<string, unknown>[]) => Promise<{ answer: T }>

type Ask = <T>(question: Question, prompt: Record<string, unknown>) => Promise<T>

function createAsk({ stdin, stderr }: Terminal, signal: AbortSignal): Ask {
  return async <T>({ message, flag }: Question, prompt: Record<string, unknown>): Promise<T> => {
    signal.throwIfAborted()
    if (stdin.isTTY !== true || stderr.isTTY !== true) {
      throw new UsageError(`There is no terminal to ask on: ${message}`, {
        hint: `Give the answer with ${flag}, or run this in a terminal.`,
      })
    }
    const { default: inquirer } = await import('inquirer')
    // Questions go to stderr: stdout carries results.
    const module = inquirer.createPromptModule({ input: stdin, output: stderr, signal }) as unknown as Prompter<T>
    try {
      return (await module([{ ...prompt, name: 'answer', message: printable(message) }])).answer
    } catch (error) {
      signal.throwIfAborted()
      // In raw mode Ctrl-C is a key and reaches only the question.
      if (isPromptExit(error)) throw new CanceledError('Stopped by Ctrl-C.', 'SIGINT', { cause: error })
      throw error
    }
  }
}

/** Flow names and the like are other people's text. */
function safeChoices<T>(choices: readonly Choice<T>[]): Choice<T>[] {
  return choices.map((choice) => {
    const safe: Choice<T> = { ...choice, name: printable(choice.name, 100) }
    if (choice.description !== undefined) safe.description = printable(choice.description)
    return safe
  })
}

/** Asks on this terminal. Without one every question throws UsageError naming the flag that answers it; Ctrl-C throws CanceledError. inquirer is loaded with the first question. */
export function createPrompts(terminal: Terminal, signal: AbortSignal): Prompts {
  const ask = createAsk(terminal, signal)
  const password = (question: Question, validate: Validate<string> | undefined): Promise<string> =>
    ask<string>(question, { type: 'password', mask: false, ...(validate === undefined ? {} : { validate }) })
  return {
    input: ({ default: preset, validate, ...question }) =>
      ask(question, {
        type: 'input',
        ...(preset === undefined ? {} : { default: preset }),
        ...(validate === undefined ? {} : { validate }),
      }),
    async password({ confirm = false, validate, ...question }) {
      for (;;) {
        const first = await password(question, validate)
        if (!confirm) return first
        const second = await password({ ...question, message: 'Once more, to be sure' }, undefined)
        if (first === second) return first
        terminal.stderr.write('The two are not the same. Please type both again.\n')
      }
    },
    select: ({ choices, default: preset, ...question }) =>
      ask(question, { type: 'select', choices: safeChoices(choices), ...(preset === undefined ? {} : { default: preset }) }),
    checkbox: ({ choices, required = false, ...question }) => ask(question, { type: 'checkbox', choices: safeChoices(choices), required }),
    confirm: ({ default: preset = true, ...question }) => ask(question, { type: 'confirm', default: preset }),
  }
}
