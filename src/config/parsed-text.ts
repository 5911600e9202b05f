/** A config file's content with the line each key stands on, by key name (`notifications.webhooks[0].url`). */
export interface ParsedText {
  value: unknown
  lines: ReadonlyMap<string, number>
}

/** The text is not JSON or YAML. Lines and columns count from 1. */
export class TextError extends Error {
  readonly line: number
  readonly column: number

  constructor(message: string, line: number, column: number) {
    super(message)
    this.name = 'TextError'
    this.line = line
    this.column = column
  }
}
