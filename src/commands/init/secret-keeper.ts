import { existsSync, lstatSync, mkdirSync, rmdirSync, rmSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import type { SecretInput } from '../../config/schema-parts.js'
import { StorageRefusedError } from '../../errors.js'
import { writeFileAtomic } from '../../util/atomic-file.js'

/** Keeps what may not stand in the config: one file for each secret, mode 0600, in a folder beside it. Nothing is written before `write`. */
export class SecretKeeper {
  /** Beside `acme.json`: `acme.secrets`. */
  readonly folder: string
  private readonly files = new Map<string, string>()

  constructor(configFile: string) {
    const name = basename(configFile, extname(configFile)).replace(/\.config$/, '')
    this.folder = join(dirname(configFile), `${name}.secrets`)
  }

  /** Notes a secret for its file; returns how the config names it, relative to itself. */
  keep(name: string, text: string): SecretInput {
    this.files.set(name, text)
    return { file: `./${basename(this.folder)}/${name}` }
  }

  /** Takes back what was noted, when a question is asked again. */
  forget(name: string): void {
    this.files.delete(name)
  }

  get names(): string[] {
    return [...this.files.keys()]
  }

  /** Writes the files; returns what takes them away again. Throws StorageRefusedError. */
  write(): () => void {
    if (this.files.size === 0) return () => {}
    const isNew = !existsSync(this.folder)
    const written: string[] = []
    const undo = (): void => {
      for (const path of written) rmSync(path, { force: true })
      if (isNew) rmdirIfEmpty(this.folder)
    }
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 })
      if (lstatSync(this.folder).isSymbolicLink()) throw new Error('it is a symbolic link')
      for (const [name, text] of this.files) {
        const path = join(this.folder, name)
        const stood = existsSync(path)
        writeFileAtomic(path, `${text}\n`)
        if (!stood) written.push(path)
      }
    } catch (error) {
      undo()
      const why = error instanceof Error ? error.message : String(error)
      throw new StorageRefusedError(`The secrets could not be written to ${this.folder}: ${why}`, {
        cause: error,
        hint: 'Name a config in a folder that you may write to with -c.',
      })
    }
    return undo
  }
}

function rmdirIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Something else lies in it.
  }
}
