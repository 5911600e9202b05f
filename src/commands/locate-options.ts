import { loadConfig, loadConfigIfAny } from '../config/load.js'
import type { Purpose } from '../config/purposes.js'
import type { LocateOptions } from '../core/backups/locate.js'
import type { CommandContext } from './command-context.js'
import { storageOptions } from './open-storage.js'

/** How a `<backup>` argument of this command line is looked for; the config is read only when the argument needs it. */
export function locateOptions({ flags, env, cwd, signal }: CommandContext, purpose: Purpose): LocateOptions {
  return {
    cwd,
    destination: async () => {
      const { config } = await loadConfig({ flags, env, cwd, purpose })
      return { options: await storageOptions(config.storage, signal), account: config.account }
    },
    configured: async () => {
      const loaded = await loadConfigIfAny({ flags, env, cwd, purpose: 'read' })
      return loaded === undefined ? undefined : storageOptions(loaded.config.storage, signal)
    },
  }
}
