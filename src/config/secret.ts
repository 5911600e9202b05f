import { inspect } from 'node:util'
import type { BackupError } from '../errors.js'

export const MASK = '******'

/** Where a secret's text comes from; `read` is called when somebody needs it. */
export interface SecretSource {
  /** The config key it belongs to, `account.accessKeySecret`. */
  key: string
  /** `env NAME`, `file /path`, `command pass`, `config file`; never the text itself. */
  origin: string
  /** Why it cannot be had, as far as that is known without running or reading anything. */
  problem?: BackupError | undefined
  read(signal: AbortSignal): Promise<string>
}

const NEVER = new AbortController().signal

/** A value nobody may print: its text is fetched on demand, and every way of turning it into text gives the mask. */
export class Secret {
  readonly key: string
  readonly origin: string
  readonly #source: SecretSource
  #text: Promise<string> | undefined

  constructor(source: SecretSource) {
    this.key = source.key
    this.origin = source.origin
    this.#source = source
  }

  /** Why the secret cannot be had (a variable is not set), known without running or reading anything; undefined when nothing speaks against it. */
  get problem(): BackupError | undefined {
    return this.#source.problem
  }

  /** The text, read once. Throws ConfigError naming the key and what is missing. */
  async resolve(signal: AbortSignal = NEVER): Promise<string> {
    if (this.#source.problem !== undefined) throw this.#source.problem
    this.#text ??= this.#source.read(signal)
    try {
      return await this.#text
    } catch (error) {
      this.#text = undefined
      throw error
    }
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [inspect.custom](): string {
    return `Secret(${this.key}: ${MASK})`
  }
}
