/** As much of a commander option as completion needs. */
export interface OptionLike {
  short?: string | undefined
  long?: string | undefined
  /** As written: `-c, --config <file>`. */
  flags: string
  description: string
  required: boolean
  optional: boolean
  hidden: boolean
  argChoices?: readonly string[] | undefined
}

export interface ArgumentLike {
  name(): string
  argChoices?: readonly string[] | undefined
}

/** As much of a commander command as completion needs. */
export interface ProgramLike {
  name(): string
  description(): string
  readonly commands: readonly ProgramLike[]
  readonly options: readonly OptionLike[]
  readonly registeredArguments: readonly ArgumentLike[]
}

/** What a value is, told by its placeholder. */
export type ValueKind = 'file' | 'folder' | 'none'

export interface OptionShape {
  names: string[]
  description: string
  /** Undefined for a switch. */
  value: { kind: ValueKind; choices: readonly string[] } | undefined
}

/** One command as a completion script sees it. */
export interface CommandShape {
  /** `''` for the program, `schedule install` for a subcommand. */
  path: string
  options: OptionShape[]
  subcommands: { name: string; description: string }[]
  /** What may stand in the place of its arguments. */
  words: string[]
  /** Its argument may be a path. */
  takesFiles: boolean
}

function kindOf(flags: string): ValueKind {
  const placeholder = /[<[]([^>\]]+)/.exec(flags)?.[1] ?? ''
  if (/dir|folder/.test(placeholder)) return 'folder'
  return /file|path/.test(placeholder) ? 'file' : 'none'
}

function firstSentence(text: string): string {
  return (text.split('\n')[0] ?? '').split('. ')[0]?.replace(/\.$/, '') ?? ''
}

function optionShape(option: OptionLike): OptionShape {
  const takesValue = option.required || option.optional
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    description: firstSentence(option.description),
    value: takesValue ? { kind: kindOf(option.flags), choices: option.argChoices ?? [] } : undefined,
  }
}

const HELP: OptionShape = { names: ['-h', '--help'], description: 'show help', value: undefined }

function shapeOf(command: ProgramLike, path: string, helpWords: readonly string[]): CommandShape {
  const names = command.registeredArguments.map((argument) => argument.name())
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices)
  const isBackup = names.some((name) => /backup|id/.test(name))
  return {
    path,
    options: [...command.options.filter(({ hidden }) => !hidden).map(optionShape), HELP],
    subcommands: command.commands.map((child) => ({ name: child.name(), description: firstSentence(child.description()) })),
    words: [...choices, ...(isBackup ? ['latest'] : []), ...(path === 'help' ? helpWords : [])],
    takesFiles: names.some((name) => /backup|file|path|dir/.test(name)),
  }
}

/** The program and every command below it. `help` takes a command or one of `topics`. */
export function shapesOf(program: ProgramLike, topics: readonly string[]): CommandShape[] {
  const helpWords = [...new Set([...topics, ...program.commands.map((command) => command.name())])]
  const walk = (command: ProgramLike, path: string): CommandShape[] => [
    shapeOf(command, path, helpWords),
    ...command.commands.flatMap((child) => walk(child, `${path} ${child.name()}`.trim())),
  ]
  return walk(program, '')
}
