import { parseSchedule } from '../../core/schedule/schedule-spec.js'
import { BackupError, UsageError } from '../../errors.js'
import { answer, orUsual, rememberedText, type Wizard } from './wizard.js'

/** The schedule section; undefined when backups are made by hand. */
export interface ScheduleAnswers {
  every: string
  at: string
}

const USUAL_TIME = '02:30'
const BY_HAND = 'none'

/** How often backups are made by themselves. */
export async function askSchedule(wizard: Wizard): Promise<ScheduleAnswers | undefined> {
  const { options, prompts } = wizard
  if (options.schedule !== undefined) {
    const every = options.schedule.trim()
    if (every === BY_HAND || every === 'never') return undefined
    const problem = scheduleProblem(every, options.at ?? USUAL_TIME)
    if (problem !== undefined) throw new UsageError(problem, { hint: 'For example --schedule "1 day" --at 02:30, or --schedule none.' })
    return { every, at: options.at ?? USUAL_TIME }
  }
  const remembered = rememberedText(wizard, 'every')
  const words = ['1 day', '1 week', '1 month', '6 months']
  const every = await answer(wizard, undefined, BY_HAND, () =>
    prompts.select({
      message: 'Make backups by themselves?',
      flag: orUsual('--schedule'),
      default: remembered !== undefined && words.includes(remembered) ? remembered : '1 day',
      choices: [
        { value: '1 day', name: 'Every day' },
        { value: '1 week', name: 'Every week' },
        { value: '1 month', name: 'Every month' },
        { value: '6 months', name: 'Every six months' },
        { value: BY_HAND, name: 'No, by hand' },
      ],
    }),
  )
  if (every === BY_HAND) return undefined
  const preset = rememberedText(wizard, 'at') ?? USUAL_TIME
  const at = await answer(wizard, options.at, preset, () =>
    prompts.input({
      message: 'At what time (24 hours, local)? At night few others use up the calls',
      flag: '--at',
      default: preset,
      validate: (text) => scheduleProblem(every, text.trim()) ?? true,
    }),
  )
  const problem = scheduleProblem(every, at.trim())
  if (problem !== undefined) throw new UsageError(problem)
  return { every, at: at.trim().padStart(5, '0') }
}

function scheduleProblem(every: string, at: string): string | undefined {
  try {
    parseSchedule(every, at)
    return undefined
  } catch (error) {
    if (error instanceof BackupError) return error.message
    throw error
  }
}
