import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type LoadedConfig, type LoadOptions, loadConfig } from '../../src/config/load.js'
import { ConfigError } from '../../src/errors.js'

export interface ConfigFolder {
  path: string
  /** Writes a file below the folder; an object as JSON. Returns its path. */
  write(name: string, content: unknown, mode?: number): string
  load(options?: Partial<LoadOptions>): Promise<LoadedConfig>
  /** The error of a load that must fail. */
  refusal(options?: Partial<LoadOptions>): Promise<ConfigError>
  remove(): void
}

/** An empty folder that is both the working directory and the home of `load`. */
export function configFolder(): ConfigFolder {
  const path = mkdtempSync(join(tmpdir(), 'kfbackup-config-'))
  const load: ConfigFolder['load'] = (options = {}) =>
    loadConfig({ flags: {}, cwd: path, purpose: 'list', ...options, env: { HOME: join(path, 'home'), ...options.env } })
  return {
    path,
    write(name, content, mode = 0o600) {
      const file = join(path, name)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2), { mode })
      return file
    },
    load,
    async refusal(options) {
      try {
        await load(options)
      } catch (error) {
        if (error instanceof ConfigError) return error
        throw error
      }
      throw new Error('the config was taken')
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** The least a config needs. */
export const ACCOUNT = { subdomain: 'acme', accountId: 'Ac1', accessKeyId: 'Ak-key-id', accessKeySecret: 'key-secret-text' }
