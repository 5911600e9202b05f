export type OutputMode = 'tty' | 'plain' | 'json'

interface Surroundings {
  flags: { json?: boolean; color?: boolean }
  env: NodeJS.ProcessEnv
  stdout: { isTTY?: boolean }
  stderr: { isTTY?: boolean }
}

/** How a command draws: JSON when asked for, bars when stderr is a terminal that can move its cursor, plain lines otherwise. */
export function outputMode({ flags, env, stderr }: Surroundings): OutputMode {
  if (flags.json === true) return 'json'
  return stderr.isTTY === true && env.TERM !== 'dumb' ? 'tty' : 'plain'
}

/** Colours on this stream: a terminal, neither `--no-color` nor a non-empty NO_COLOR (no-color.org). */
export function wantsColor({ flags, env }: Pick<Surroundings, 'flags' | 'env'>, stream: { isTTY?: boolean }): boolean {
  if (flags.color === false || flags.json === true || env.TERM === 'dumb') return false
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false
  return stream.isTTY === true
}
