import type { CommandShape, OptionShape } from './shape.js'

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function reply(words: readonly string[]): string {
  // Words on lines of their own: a space would not split them, IFS is the line feed.
  return `COMPREPLY=($(compgen -W ${quote(words.join('\n'))} -- "$cur"))`
}

function valueCase({ names, value }: OptionShape, path: string): string[] {
  if (value === undefined) return []
  const pattern = names.map((name) => quote(`${path}:${name}`)).join('|')
  if (value.choices.length > 0) return [`    ${pattern}) ${reply(value.choices)}; return ;;`]
  if (value.kind === 'none') return [`    ${pattern}) return ;;`]
  return [
    `    ${pattern}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -${value.kind === 'folder' ? 'd' : 'f'} -- "$cur")); return ;;`,
  ]
}

function wordsCase({ path, options, subcommands, words, takesFiles }: CommandShape): string[] {
  const flags = options.flatMap(({ names }) => names)
  const files = takesFiles ? ['      compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$cur"))'] : []
  return [
    `    ${quote(path)})`,
    `      if [[ "$cur" == -* ]]; then ${reply(flags)}; return; fi`,
    `      ${reply([...subcommands.map(({ name }) => name), ...words])}`,
    ...files,
    '      ;;',
  ]
}

/** A completion script for bash 3.2 and later. */
export function bashCompletion(shapes: readonly CommandShape[]): string {
  const takers = shapes.flatMap(({ path, options }) =>
    options.filter(({ value }) => value !== undefined).flatMap(({ names }) => names.map((name) => quote(`${path}:${name}`))),
  )
  const steps = shapes.flatMap(({ path, subcommands }) =>
    subcommands.map(({ name }) => `      ${quote(`${path}:${name}`)}) at=${quote(`${path} ${name}`.trim())} ;;`),
  )
  return `# bash completion for kfbackup. Load it now:    source <(kfbackup completion bash)
# or for good:    kfbackup completion bash > ~/.local/share/bash-completion/completions/kfbackup
_kfbackup() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at='' word i skip=''
  local IFS=$'\\n'
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ -n "$skip" ]]; then skip=''; continue; fi
    case "$at:$word" in
      ${takers.join('|')}) skip=1 ;;
${steps.join('\n')}
    esac
  done
  case "$at:$prev" in
${shapes.flatMap(({ path, options }) => options.flatMap((option) => valueCase(option, path))).join('\n')}
  esac
  case "$at" in
${shapes.flatMap(wordsCase).join('\n')}
  esac
}
complete -F _kfbackup kfbackup
`
}
