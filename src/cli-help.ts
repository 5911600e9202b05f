import type { Command, HelpConfiguration } from 'commander'

/** What the flags every command takes stand under. */
export const COMMON_OPTIONS = 'With every command:'

/** The order in which a person meets the commands. */
const COMMAND_GROUPS: Record<string, readonly string[]> = {
  'Getting started:': ['demo', 'init', 'doctor', 'plan', 'sandbox'],
  'Backing up:': ['run', 'status', 'cancel', 'schedule', 'notify', 'history'],
  'Backups:': ['list', 'verify', 'extract', 'link', 'prune', 'pin', 'unpin'],
  'Around it:': ['config', 'unlock', 'completion', 'help'],
}
const COMMAND_ORDER = Object.values(COMMAND_GROUPS).flat()
// commander would show groups in the order in which they were added; a command's own options come first here.
const HEADINGS = [...Object.keys(COMMAND_GROUPS), 'Options:', COMMON_OPTIONS]

function place(item: { name(): string }): number {
  const index = COMMAND_ORDER.indexOf(item.name())
  return index === -1 ? COMMAND_ORDER.length : index
}

/** How help texts are laid out; commands added after it was given to the program inherit it. */
export const HELP_LAYOUT: HelpConfiguration = {
  // Beside long options 40 columns, commander's own limit, are not left of 80.
  minWidthToWrap: 30,
  groupItems(_unsorted, visible, getGroup) {
    const groups = new Map<string, typeof visible>(HEADINGS.map((heading) => [heading, []]))
    for (const item of visible) {
      const group = groups.get(getGroup(item)) ?? []
      group.push(item)
      groups.set(getGroup(item), group)
    }
    for (const [heading, items] of groups) {
      if (items.length === 0) groups.delete(heading)
      else if (heading in COMMAND_GROUPS) items.sort((one, other) => place(one) - place(other))
    }
    return groups
  },
}

/** Puts every command of the program under its heading. */
export function groupCommands(program: Command): void {
  for (const [heading, names] of Object.entries(COMMAND_GROUPS)) {
    for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(heading)
  }
}

/** A help text's examples, one command a line; `# …` may stand behind a command. */
export function examples(...lines: string[]): string {
  return ['', lines.length === 1 ? 'Example:' : 'Examples:', ...lines.map((line) => `  ${line}`)].join('\n')
}
