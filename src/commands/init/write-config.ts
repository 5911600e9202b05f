import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigError, StorageRefusedError } from '../../errors.js'
import { writeFileAtomic } from '../../util/atomic-file.js'
import { checkDraft } from './check-draft.js'
import type { SecretKeeper } from './secret-keeper.js'

export interface Writing {
  file: string
  draft: Record<string, unknown>
  keeper: SecretKeeper
  /** A passphrase that was made for a file the user named. */
  passphraseFile: { file: string; text: string } | undefined
  env: NodeJS.ProcessEnv
}

/**
 * Writes the secrets, then the config that names them, mode 0600 each. Throws ConfigError when the config would not be taken, StorageRefusedError when a file cannot
 * be written; either way nothing new stands afterwards.
 */
export function writeConfig({ file, draft, keeper, passphraseFile, env }: Writing): void {
  const { problems } = checkDraft(draft, dirname(file), env)
  if (problems.length > 0) throw new ConfigError(`These answers make no config: ${problems.map(({ text }) => text).join('; ')}.`)
  const undo: (() => void)[] = []
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    undo.push(keeper.write())
    if (passphraseFile !== undefined) {
      writeFileSync(passphraseFile.file, `${passphraseFile.text}\n`, { mode: 0o600, flag: 'wx' })
      undo.push(() => rmSync(passphraseFile.file, { force: true }))
    }
    writeFileAtomic(file, `${JSON.stringify(draft, null, 2)}\n`)
  } catch (error) {
    for (const step of undo.reverse()) step()
    if (error instanceof StorageRefusedError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new StorageRefusedError(`The config could not be written: ${why}`, {
      cause: error,
      hint: `Name another file with -c; ${existsSync(file) ? 'the old one still stands' : 'nothing was written'}.`,
    })
  }
}
