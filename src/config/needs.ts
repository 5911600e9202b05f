import type { BackupError } from '../errors.js'
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
        throw configErrorOf(
          problems.map((problem) => describe(problem, places)),
          UNSET,
        )
      },
    })
  }
  // Every section is there: read, or throwing, or `schedule`, which may be absent.
  return config as Config
}

/** What the purpose needs and cannot have, and secrets that are known to be wrong. */
export function unmetNeeds(config: Partial<Config>, unset: readonly UnsetVariable[], purpose: Purpose): UnmetNeeds {
  const { sections, secrets } = NEEDS[purpose]
  return {
    problems: sections.flatMap((section) => unsetProblems(unset, section)),
    secrets: activeSecrets(config, unset).flatMap(({ key, problem }) => {
      // validate tells of what is not set here and judges only what is there.
      const isWanted = purpose === 'validate' ? problem?.code !== UNSET : secrets.some((prefix) => key.startsWith(prefix))
      return problem !== undefined && isWanted ? [problem] : []
    }),
  }
}

export interface UnmetNeeds {
  problems: Problem[]
  secrets: BackupError[]
}

/** Throws one ConfigError, a line for each problem; only variables that are not set give it the code E_CONFIG_UNSET. */
export function throwIfAny(wrong: readonly Problem[], unmet: UnmetNeeds, places: ProblemPlaces): void {
  const { problems, secrets } = unmet
  if (wrong.length === 0 && problems.length === 0 && secrets.length === 0) return
  const isUnset = wrong.length === 0 && secrets.every(({ code }) => code === UNSET)
  const lines = [...[...wrong, ...problems].map((problem) => describe(problem, places)), ...secrets.map(({ message }) => message)]
  const only = lines.length === 1 ? secrets[0]?.hint : undefined
  throw configErrorOf(lines, isUnset ? UNSET : 'E_CONFIG', only)
}

/** The secrets in use; those only for reading older backups are needed by nobody before they are tried. */
export function activeSecrets(config: Partial<Config>, unset: readonly UnsetVariable[]): Secret[] {
  const broken = new Set(unset.map(({ path }) => path[0]))
  const names = (Object.keys(SECTIONS) as Section[]).filter((name) => !broken.has(name))
  return names.flatMap((name) => {
    if (name !== 'encryption') return collectSecrets(config[name])
    return config.encryption?.format === 'openssl' ? [config.encryption.passphrase] : []
  })
}
