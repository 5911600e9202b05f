import { CATEGORY_NAMES, type CategoryName } from '../../config/types.js'
import type { AccountProbe } from '../../core/doctor/probe-account.js'
import { missingOf } from '../../core/init/missing.js'
import { UsageError } from '../../errors.js'
import { sectionProblem } from './check-draft.js'
import { listOf } from './options.js'
import { answer, orUsual, type Wizard } from './wizard.js'

/** What goes into the backups, and what may be missing from them. */
export interface ContentAnswers {
  categories: CategoryName[]
  exclude: string[]
  accept: string[]
}

const CATEGORY_TEXTS: Record<CategoryName, string> = {
  usersAndGroups: 'Users, groups and roles',
  transactions: 'Records of all flows, with comments and who has access',
  attachments: 'Attachments and images of the records',
  auditLogs: 'Audit log of the last year',
}
// A longer list is no longer a choice but a search.
const MAX_LISTED_FLOWS = 150

/** Categories, flows to leave out, and what of the account's gaps is accepted. */
export async function askContents(wizard: Wizard, probe: AccountProbe | undefined): Promise<ContentAnswers> {
  const categories = await askCategories(wizard)
  const exclude = categories.includes('transactions') ? await askExclude(wizard, probe) : []
  return {
    categories,
    exclude,
    accept: probe === undefined ? (listOf(wizard.options.accept) ?? []) : await askAccept(wizard, probe, { categories, exclude }),
  }
}

async function askCategories(wizard: Wizard): Promise<CategoryName[]> {
  const { options, context, prompts, say } = wizard
  const given = listOf(options.categories)
  if (given !== undefined) {
    const problem = sectionProblem('categories', given, context.env)
    if (problem !== undefined) throw new UsageError(`--categories: ${problem}.`)
    return given as CategoryName[]
  }
  for (;;) {
    const chosen = await answer(wizard, undefined, [...CATEGORY_NAMES], () =>
      prompts.checkbox({
        message: 'What is to be backed up?',
        flag: orUsual('--categories'),
        required: true,
        choices: CATEGORY_NAMES.map((value) => ({ value, name: CATEGORY_TEXTS[value], checked: true })),
      }),
    )
    const problem = sectionProblem('categories', chosen, context.env)
    if (problem === undefined) return chosen
    say(`${problem}.`)
  }
}

async function askExclude(wizard: Wizard, probe: AccountProbe | undefined): Promise<string[]> {
  const { options, prompts } = wizard
  const given = listOf(options.exclude)
  const flows = probe?.found.flows ?? []
  if (given !== undefined || flows.length === 0) return given ?? []
  return await answer(wizard, undefined, [], async () => {
    if (flows.length > MAX_LISTED_FLOWS) {
      const text = await prompts.input({
        message: 'Flows to leave out, patterns as Test_* separated by commas (Enter: none)',
        flag: orUsual('--exclude'),
      })
      return listOf([text]) ?? []
    }
    return await prompts.checkbox({
      message: 'Flows to leave out (space marks one, Enter: none)',
      flag: orUsual('--exclude'),
      choices: flows.map(({ id, name, type }) => ({ value: id, name: `${name} (${type})`, description: id })),
    })
  })
}

/** Explains what the account does not give, and writes `accept` for it: without that every run would end incomplete. */
async function askAccept(
  wizard: Wizard,
  probe: AccountProbe,
  { categories, exclude }: Pick<ContentAnswers, 'categories' | 'exclude'>,
): Promise<string[]> {
  const { options, prompts, say, context } = wizard
  const given = listOf(options.accept)
  const missing = missingOf(probe).filter(({ word }) => categories.includes(word === 'auditLogs' ? 'auditLogs' : 'transactions'))
  const accept = given ?? []
  if (given === undefined && missing.length > 0) {
    say(`\nThis account does not give everything:\n${missing.map(({ explanation }) => `  - ${explanation}`).join('\n')}`)
    const yes = await answer(wizard, undefined, true, () =>
      prompts.confirm({ message: 'Accept that? Otherwise every run ends as incomplete (exit code 3)', flag: orUsual('--accept') }),
    )
    if (yes) accept.push(...missing.map(({ word }) => word))
    if (yes && !wizard.isAsking)
      context.stderr.write(`accept: ${missing.map(({ word, explanation }) => `${word} (${explanation})`).join(' ')}\n`)
  }
  const refused = probe.refused.filter(({ flow }) => !exclude.includes(flow.id) && !accept.includes(flow.id))
  if (refused.length === 0 || !categories.includes('transactions')) return accept
  const names = refused.map(({ flow }) => `${flow.name} (${flow.id})`)
  say(`\nThese keys may not read ${names.length} of the flows:\n${names.map((name) => `  - ${name}`).join('\n')}`)
  const decision = await answer(wizard, given === undefined ? undefined : 'mend', 'mend', () =>
    prompts.select({
      message: 'What about them?',
      flag: orUsual('--accept or --exclude'),
      choices: [
        { value: 'mend', name: 'I will give the permission in Kissflow; until then runs end as incomplete' },
        { value: 'accept', name: 'Accept that they are missing; they come in once the permission is there' },
        { value: 'exclude', name: 'Leave them out' },
      ],
    }),
  )
  if (decision === 'exclude') exclude.push(...refused.map(({ flow }) => flow.id))
  if (decision === 'accept') accept.push(...refused.map(({ flow }) => flow.id))
  if (decision === 'mend' && !wizard.isAsking) {
    context.stderr.write(
      `Warning: these keys may not read ${names.join(', ')}; give the permission, or name the ids with --exclude or --accept.\n`,
    )
  }
  return accept
}
