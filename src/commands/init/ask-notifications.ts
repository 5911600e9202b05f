import { resolve } from 'node:path'
import type { SecretInput } from '../../config/schema-parts.js'
import { readSecretFile } from '../../config/secret-file.js'
import { MAX_SECRET_BYTES } from '../../config/secret-source.js'
import { checkSecretText, type SecretKind } from '../../config/secret-text.js'
import { UsageError } from '../../errors.js'
import type { ChannelOptions } from '../../notify/channels.js'
import { reachChannels } from '../../notify/reach-channels.js'
import { parseUrl } from '../../util/parse-url.js'
import { sectionProblem } from './check-draft.js'
import { listOf } from './options.js'
import { answer, type KnownSecret, orUsual, rememberedText, type Wizard } from './wizard.js'

const FROM_FLAG = '--email-from ADDRESS'

type Section = Record<string, unknown>
type Channel = 'email' | 'webhook' | 'healthchecks'

interface Webhook {
  secret: KnownSecret
  format: 'slack' | 'json'
}

/** Who is told how a backup went; undefined for nobody. Mail addresses and webhooks that cannot be reached are pointed out, and kept. */
export async function askNotifications(wizard: Wizard): Promise<Section | undefined> {
  const { options, context } = wizard
  const wanted = await askChannels(wizard)
  const section: Section = {}
  const channels: ChannelOptions = { on: [], detail: false }
  if (wanted.includes('email')) {
    const { smtp, from, to } = await askEmail(wizard)
    section.email = { smtp: smtp.config, from, to }
    channels.email = { smtp: smtp.text, from, to }
  }
  if (wanted.includes('webhook')) {
    const webhooks = await askWebhooks(wizard)
    section.webhooks = webhooks.map(({ secret, format }) => ({ url: secret.config, format }))
    channels.webhooks = webhooks.map(({ secret, format }) => ({ url: secret.text, format }))
  }
  if (wanted.includes('healthchecks')) {
    const secret = await askSecret(wizard, {
      given: options.healthchecks,
      message: 'Ping address of the check (hidden)',
      flag: '--healthchecks',
      kind: 'web address',
      file: 'healthchecks',
    })
    section.healthchecks = secret.config
    channels.healthchecks = secret.text
  }
  if (wanted.length === 0) return undefined
  const problem = sectionProblem('notifications', section, context.env)
  if (problem !== undefined) throw new UsageError(`${problem}.`)
  if (options.probe !== false) await reach(wizard, channels)
  return section
}

async function askChannels(wizard: Wizard): Promise<Channel[]> {
  const { options, prompts } = wizard
  const given: Channel[] = [
    ...(options.email === undefined ? [] : (['email'] as const)),
    ...(options.webhook === undefined ? [] : (['webhook'] as const)),
    ...(options.healthchecks === undefined ? [] : (['healthchecks'] as const)),
  ]
  return await answer(wizard, given.length > 0 ? given : undefined, [], () =>
    prompts.checkbox<Channel>({
      message: 'Who is told how a backup went? (Enter: nobody)',
      flag: orUsual('--email, --webhook or --healthchecks'),
      choices: [
        { value: 'email', name: 'Somebody, by mail' },
        { value: 'webhook', name: 'Slack, or a program, by webhook' },
        { value: 'healthchecks', name: 'A check at healthchecks.io or the like, that alarms when backups stop' },
      ],
    }),
  )
}

async function askEmail(wizard: Wizard): Promise<{ smtp: KnownSecret; from: string; to: string[] }> {
  const { options, prompts, context } = wizard
  const isAddress = (text: string): true | string =>
    sectionProblem('notifications', { email: { smtp: 'smtp://127.0.0.1', from: 'a@b.c', to: listOf([text]) ?? [] } }, context.env) ===
      undefined || 'It must be a mail address such as admin@acme.com.'
  const checked = (text: string, flag: string): string => {
    const said = isAddress(text)
    if (said !== true) throw new UsageError(`${flag} ${text}: ${said}`)
    return text.trim()
  }
  const input = (message: string, flag: string, preset: string | undefined): Promise<string> =>
    prompts.input({ message, flag, validate: isAddress, ...(preset === undefined ? {} : { default: preset }) })
  const given = listOf(options.email)
  const to = given ?? listOf([await input('Mail addresses, separated by commas', '--email', rememberedText(wizard, 'email'))]) ?? []
  for (const address of to) checked(address, '--email')
  const from = await answer(wizard, options.emailFrom, to[0], () =>
    input('Sender of the mails', FROM_FLAG, rememberedText(wizard, 'emailFrom') ?? to[0]),
  )
  const smtp = await askSecret(wizard, {
    given: options.smtp ?? (context.env.SMTP_URL === undefined || context.env.SMTP_URL === '' ? undefined : 'env:SMTP_URL'),
    message: 'Mail server, as smtps://user:password@host (hidden; special characters of the password as %40)',
    flag: '--smtp env:SMTP_URL',
    kind: 'smtp address',
    file: 'smtp',
  })
  return { smtp, from: checked(from, FROM_FLAG), to }
}

async function askWebhooks(wizard: Wizard): Promise<Webhook[]> {
  const { options, prompts } = wizard
  const hooks: Webhook[] = []
  for (const word of options.webhook ?? [undefined]) {
    const [, format, place] = /^(?:(slack|json)=)?(.*)$/s.exec(word ?? '') ?? []
    const secret = await askSecret(wizard, {
      given: word === undefined ? undefined : (place ?? ''),
      message: 'Address of the webhook (hidden)',
      flag: '--webhook env:SLACK_URL',
      kind: 'web address',
      file: `webhook-${hooks.length + 1}`,
    })
    const isSlack = parseUrl(secret.text)?.hostname === 'hooks.slack.com'
    const usual = isSlack ? 'slack' : 'json'
    const chosen =
      format === 'slack' || format === 'json' || word !== undefined || isSlack
        ? ((format as 'slack' | 'json' | undefined) ?? usual)
        : await prompts.select<'slack' | 'json'>({
            message: 'What does it take?',
            flag: '--webhook slack=env:NAME or json=env:NAME',
            choices: [
              { value: 'json', name: 'Plain JSON' },
              { value: 'slack', name: 'Messages as Slack takes them' },
            ],
          })
    hooks.push({ secret, format: chosen })
  }
  return hooks
}

interface SecretQuestion {
  /** `env:NAME` or `file:PATH`, from a flag. */
  given: string | undefined
  message: string
  flag: string
  kind: SecretKind
  file: string
}

/** A secret from a variable, from a file, or typed hidden; never from a flag itself, where every user of the machine could read it. */
async function askSecret(wizard: Wizard, { given, message, flag, kind, file }: SecretQuestion): Promise<KnownSecret> {
  const { prompts, keeper, options, context } = wizard
  const { env, cwd } = context
  const checked = (text: string, where: string): string => {
    const outcome = checkSecretText(kind, text)
    if ('text' in outcome) return outcome.text
    throw new UsageError(`${where} ${outcome.problem}.`)
  }
  if (given === undefined) {
    const typed = await prompts.password({
      message,
      flag,
      validate: (text) => {
        const outcome = checkSecretText(kind, text)
        return 'text' in outcome || `It ${outcome.problem}.`
      },
    })
    const text = checked(typed, 'It')
    return { text, config: keeper.keep(file, text) }
  }
  const [, place, name = ''] = /^(env|file):(.+)$/s.exec(given) ?? []
  if (place === 'file') {
    const path = resolve(cwd, name)
    const text = (await readSecretFile(path, flag, MAX_SECRET_BYTES)).toString('utf8').replace(/\r?\n$/, '')
    return { text: checked(text, path), config: { file: path } satisfies SecretInput }
  }
  if (place !== 'env' || !/^[A-Za-z_]\w*$/.test(name)) {
    const [word = flag] = flag.split(' ')
    throw new UsageError(`${word} takes no secret itself: every user of this machine could read it.`, {
      hint: `Write ${word} env:NAME for a variable, or ${word} file:PATH.`,
    })
  }
  const value = env[name]
  if (value === undefined || value === '') throw new UsageError(`The variable ${name} is not set.`, { hint: 'Set it, or name another.' })
  const text = checked(value, name)
  return { text, config: options.secrets === 'file' ? keeper.keep(file, text) : `\${${name}}` }
}

async function reach({ context, say, isAsking }: Wizard, channels: ChannelOptions): Promise<void> {
  for (const { channel, ok, message } of await reachChannels(channels, context.env, context.signal)) {
    if (ok) say(`${channel}: ${message}`)
    else if (isAsking) say(`${channel}: ${message}. It is kept in the config; mend it, then try kfbackup notify test.`)
    else context.stderr.write(`Warning: ${channel}: ${message}\n`)
  }
}
