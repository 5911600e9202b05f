import { ConfigError } from '../errors.js'
import { collectSecrets } from './collect-secrets.js'
import type { UnsetVariable } from './origins.js'
import { configErrorOf, describe, type Problem, type ProblemPlaces } from './problems.js'
import { NEEDS, type Purpose } from './purposes.js'
import { SECTIONS } from './schema.js'
import type { Secret } from './secret.js'
import type { Config, Section } from './types.js'

const UNSET = 'E_CONFIG_UNSET'

function unsetProblems(unset: readonly UnsetVariable[], section: Section): Problem[] {
  return unset
    .filter(({ path }) => path[0] === section)
    .map(({ path, name }) => ({ path, text: `the environment variable ${name} is not set; set it, or change the value` }))
}

/** The whole config from the sections that could be read; one that needs an unset variable throws ConfigError when somebody looks at it. */
export function withThrowingSections(sections: Partial<Config>, unset: readonly UnsetVariable[], places: ProblemPlaces): Config {
  const config = { ...sections }
  for (const name of Object.keys(SECTIONS) as Section[]) {
    const problems = unsetProblems(unset, name)
    if (problems.length === 0) continue
    Object.defineProperty(config, name, {
      enumerable: false,
      get: () => {
        throw configErrorOf(problems, places, UNSET)
      },
    })
  }
  // Every section is there: read, or throwing, or `schedule`, which may be absent.
  return config as Config
}

/** Throws one ConfigError for everything the purpose needs and cannot have. */
export function requireNeeds(config: Config, unset: readonly UnsetVariable[], purpose: Purpose, places: ProblemPlaces): void {
  const { sections, secrets } = NEEDS[purpose]
  const missing = sections.flatMap((section) => unsetProblems(unset, section))
  const bad = activeSecrets(config, unset).filter(({ key, problem }) => {
    if (problem === undefined) return false
    // validate tells of what is not set here and judges only what is there.
    if (purpose === 'validate') return problem.code !== UNSET
    return secrets.some((prefix) => key.startsWith(prefix))
  })
  if (missing.length === 0 && bad.length === 0) return
  const lines = [...missing.map((problem) => describe(problem, places)), ...bad.map(({ problem }) => problem?.message ?? '')]
  const unique = [...new Set(lines)]
  const head = unique.length > 1 ? `${unique.length} problems in the configuration:\n` : ''
  const isUnset = bad.every(({ problem }) => problem?.code === UNSET)
  const own = unique.length === 1 ? bad[0]?.problem?.hint : undefined
  throw new ConfigError(`${head}${unique.join('\n')}`, {
    code: isUnset ? UNSET : 'E_CONFIG',
    hint: own ?? `kfbackup config show lists every value of ${places.file} and where it comes from.`,
  })
}

/** The secrets in use; those only for reading older backups are needed by nobody before they are tried. */
export function activeSecrets(config: Config, unset: readonly UnsetVariable[]): Secret[] {
  const broken = new Set(unset.map(({ path }) => path[0]))
  const names = (Object.keys(SECTIONS) as Section[]).filter((name) => !broken.has(name))
  return names.flatMap((name) => {
    if (name !== 'encryption') return collectSecrets(config[name])
    return config.encryption.format === 'openssl' ? [config.encryption.passphrase] : []
  })
}
