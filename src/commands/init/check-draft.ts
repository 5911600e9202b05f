import { checkSections } from '../../config/check-sections.js'
import { normalizeSections } from '../../config/normalize-sections.js'
import { merge } from '../../config/origins.js'
import { keyName } from '../../config/schema-parts.js'
import type { Config, Section } from '../../config/types.js'

/** A config that is not written yet, read as a file would be. */
export interface CheckedDraft {
  /** The sections without a mistake. */
  config: Partial<Config>
  problems: { section: string; text: string }[]
}

/** Holds a draft against the rules of a config file in `baseDir`. No secret is read. */
export function checkDraft(draft: Record<string, unknown>, baseDir: string, env: NodeJS.ProcessEnv): CheckedDraft {
  const merged = merge(draft, [], env)
  const { settings, problems } = checkSections(merged)
  const context = { env, baseDir, secretVariables: merged.secretVariables, origins: merged.origins }
  const normalized = normalizeSections(settings, { replaced: undefined, environment: [] }, context)
  return {
    config: normalized.sections,
    problems: [...problems, ...normalized.problems].map(({ path, text }) => ({
      section: String(path[0]),
      text: `${keyName(path)} ${text}`,
    })),
  }
}

/** What is wrong with one section; undefined when nothing is. */
export function sectionProblem(section: Section, value: unknown, env: NodeJS.ProcessEnv): string | undefined {
  return checkDraft({ [section]: value }, '/', env).problems.find((problem) => problem.section === section)?.text
}
