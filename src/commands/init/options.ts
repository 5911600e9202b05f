/** Options of `kfbackup init`, as typed; each answers one question. */
export interface InitOptions {
  subdomain?: string
  baseUrl?: string
  accountId?: string
  accessKeyId?: string
  accessKeySecretFile?: string
  /** Where typed or read keys are kept: files beside the config, or variables of the environment. */
  secrets?: 'file' | 'env'
  categories?: string[]
  exclude?: string[]
  accept?: string[]
  storage?: string
  path?: string
  url?: string
  region?: string
  endpoint?: string
  profile?: string
  keyFile?: string
  folder?: string
  zipSize?: string
  encryption?: string
  passphraseFile?: string
  makePassphrase?: string
  recipient?: string[]
  email?: string[]
  emailFrom?: string
  smtp?: string
  webhook?: string[]
  healthchecks?: string
  schedule?: string
  at?: string
  installSchedule?: boolean
  run?: boolean
  /** False with --no-probe. */
  probe?: boolean
  force?: boolean
  yes?: boolean
}

/** Words of options that may be repeated or separated by commas. */
export function listOf(values: readonly string[] | undefined): string[] | undefined {
  return values?.flatMap((value) => value.split(',')).flatMap((value) => (value.trim() === '' ? [] : [value.trim()]))
}
