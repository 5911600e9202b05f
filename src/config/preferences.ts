import { mkdirSync } from 'node:fs'
import { isObject } from '../util/is-object.js'

export interface KnownAccount {
  /** Scheme, host and port. */
  baseUrl: string
  accountId: string
}

/** Conveniences that may be lost without harm; history and runs are kept elsewhere. */
export interface Preferences {
  /** Absolute path of the config used last; undefined when there was none. */
  lastConfig(): string | undefined
  rememberConfig(file: string): void
  /** The latest first. */
  knownAccounts(): KnownAccount[]
  rememberAccount(account: KnownAccount): void
  /** What `init` was told last, to be offered again; never a secret. */
  initAnswers(): Record<string, unknown>
  rememberInitAnswers(answers: Record<string, unknown>): void
}

const MAX_ACCOUNTS = 20

/** Opens `preferences.json` in the state folder; a damaged file counts as empty. `conf` is loaded only here, since it costs 80 ms. */
export async function openPreferences(stateFolder: string): Promise<Preferences> {
  // conf would make it readable by others.
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 })
  const { default: Conf } = await import('conf')
  const store = new Conf<Record<string, unknown>>({
    cwd: stateFolder,
    configName: 'preferences',
    configFileMode: 0o600,
    clearInvalidConfig: true,
    accessPropertiesByDotNotation: false,
  })
  const knownAccounts = (): KnownAccount[] => {
    const found = store.get('knownAccounts')
    return Array.isArray(found) ? found.filter(isKnownAccount) : []
  }
  return {
    lastConfig() {
      const found = store.get('lastConfig')
      return typeof found === 'string' ? found : undefined
    },
    rememberConfig(file) {
      if (store.get('lastConfig') !== file) store.set('lastConfig', file)
    },
    knownAccounts,
    rememberAccount({ baseUrl, accountId }) {
      const others = knownAccounts().filter((known) => known.baseUrl !== baseUrl || known.accountId !== accountId)
      store.set('knownAccounts', [{ baseUrl, accountId }, ...others].slice(0, MAX_ACCOUNTS))
    },
    initAnswers() {
      const found = store.get('initAnswers')
      return isObject(found) ? found : {}
    },
    rememberInitAnswers(answers) {
      store.set('initAnswers', answers)
    },
  }
}

function isKnownAccount(value: unknown): value is KnownAccount {
  return isObject(value) && typeof value.baseUrl === 'string' && typeof value.accountId === 'string'
}
