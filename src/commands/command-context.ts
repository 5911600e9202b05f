import type { ExitCode } from '../errors.js'

/** Flags every command takes. */
export interface GlobalFlags {
  config?: string
  json?: boolean
  quiet?: boolean
  verbose?: boolean
  /** False with --no-color. */
  color?: boolean
  logFile?: string
  stateDir?: string
}

/** What a command may touch of the outside world. */
export interface CommandContext {
  flags: GlobalFlags
  env: NodeJS.ProcessEnv
  cwd: string
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
  /** Aborted by Ctrl-C, SIGTERM. */
  signal: AbortSignal
}

/** A command's body: returns 0, 3, 4 or 5 when it came to its end, throws a BackupError otherwise. */
export type CommandBody<Options> = (context: CommandContext, options: Options) => Promise<ExitCode>
