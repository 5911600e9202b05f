import type { CommandShape, OptionShape } from './shape.js'

/** fish reads \\ and ' inside single quotes as escapes. */
function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function optionLine(path: string, { names, description, value }: OptionShape): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ')
  const argument =
    value === undefined
      ? ''
      : value.choices.length > 0
        ? ` -xa ${quote(value.choices.join(' '))}`
        : value.kind === 'none'
          ? ' -x'
          : value.kind === 'folder'
            ? " -xa '(__fish_complete_directories)'"
            : ' -rF'
  return `complete -c kfbackup -n ${quote(`__kfbackup_at ${quote(path)}`)} ${flags}${argument} -d ${quote(description)}`
}

function commandLines({ path, options, subcommands, words, takesFiles }: CommandShape): string[] {
  const at = `complete -c kfbackup -n ${quote(`__kfbackup_at ${quote(path)}`)}`
  return [
    ...subcommands.map(({ name, description }) => `${at} -a ${quote(name)} -d ${quote(description)}`),
    ...(words.length > 0 ? [`${at} -a ${quote(words.join(' '))}`] : []),
    ...(takesFiles ? [`${at} -F`] : []),
    ...options.map((option) => optionLine(path, option)),
  ]
}

/** A completion script for fish 3 and later. */
export function fishCompletion(shapes: readonly CommandShape[]): string {
  const takers = shapes.flatMap(({ path, options }) =>
    options.filter(({ value }) => value !== undefined).flatMap(({ names }) => names.map((name) => quote(`${path}:${name}`))),
  )
  const steps = shapes.flatMap(({ path, subcommands }) =>
    subcommands.map(
      ({ name }) => `            case ${quote(`${path}:${name}`)}\n                set at ${quote(`${path} ${name}`.trim())}`,
    ),
  )
  return `# fish completion for kfbackup. Load it now:    kfbackup completion fish | source
# or for good:    kfbackup completion fish > ~/.config/fish/completions/kfbackup.fish
function __kfbackup_at
    set -l at ''
    set -l skip ''
    set -l tokens (commandline -opc)
    for token in $tokens[2..-1]
        if test -n "$skip"
            set skip ''
            continue
        end
        switch "$at:$token"
            case ${takers.join(' ')}
                set skip 1
${steps.join('\n')}
        end
    end
    test "$at" = "$argv[1]"
end
complete -c kfbackup -f
${shapes.flatMap(commandLines).join('\n')}
`
}
