import type { CommandShape, OptionShape } from './shape.js'

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** `name:description`, where a colon in the name would end it. */
function item(name: string, description: string): string {
  return quote(`${name.replaceAll(':', '\\:')}:${description}`)
}

function valueCase({ names, value }: OptionShape, path: string): string[] {
  if (value === undefined) return []
  const pattern = names.map((name) => quote(`${path}:${name}`)).join('|')
  if (value.choices.length > 0) return [`    ${pattern}) compadd -- ${value.choices.map(quote).join(' ')}; return ;;`]
  if (value.kind === 'none') return [`    ${pattern}) return ;;`]
  return [`    ${pattern}) ${value.kind === 'folder' ? '_files -/' : '_files'}; return ;;`]
}

function wordsCase({ path, options, subcommands, words, takesFiles }: CommandShape): string[] {
  const lines = [
    `    ${quote(path)})`,
    '      if [[ "$cur" == -* ]]; then',
    `        list=(${options.flatMap(({ names, description }) => names.map((name) => item(name, description))).join(' ')})`,
    "        _describe -o 'option' list; return",
    '      fi',
  ]
  if (subcommands.length > 0) {
    lines.push(
      `      list=(${subcommands.map(({ name, description }) => item(name, description)).join(' ')})`,
      "      _describe 'command' list",
    )
  }
  if (words.length > 0) lines.push(`      compadd -- ${words.map(quote).join(' ')}`)
  if (takesFiles) lines.push('      _files')
  return [...lines, '      ;;']
}

/** A completion script for zsh: as a file in $fpath, or sourced after compinit. */
export function zshCompletion(shapes: readonly CommandShape[]): string {
  const takers = shapes.flatMap(({ path, options }) =>
    options.filter(({ value }) => value !== undefined).flatMap(({ names }) => names.map((name) => quote(`${path}:${name}`))),
  )
  const steps = shapes.flatMap(({ path, subcommands }) =>
    subcommands.map(({ name }) => `      ${quote(`${path}:${name}`)}) at=${quote(`${path} ${name}`.trim())} ;;`),
  )
  return `#compdef kfbackup
# zsh completion for kfbackup. Load it now:    source <(kfbackup completion zsh)
# or for good:    kfbackup completion zsh > "\${fpath[1]}/_kfbackup"
_kfbackup() {
  local cur="\${words[CURRENT]}" prev="\${words[CURRENT-1]}" at='' word skip=''
  local -i i
  local -a list
  for (( i = 2; i < CURRENT; i++ )); do
    word="\${words[i]}"
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
if [ "$funcstack[1]" = "_kfbackup" ]; then _kfbackup "$@"; else compdef _kfbackup kfbackup; fi
`
}
