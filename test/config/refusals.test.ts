import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ACCOUNT, type ConfigFolder, configFolder } from './config-folder.js'

let folder: ConfigFolder
beforeEach(() => {
  folder = configFolder()
})
afterEach(() => folder.remove())

const OK = { account: ACCOUNT }
const s3 = { mode: 's3', url: 's3://bucket/prefix', verifyAfterUpload: true }

describe('values a config may not have', () => {
  it.each<[string, object, string]>([
    ['a misspelt section', { ...OK, retension: {} }, 'retension: unknown key; did you mean "retention"?'],
    ['a misspelt key', { ...OK, zip: { sise: '4GB' } }, 'zip.sise: unknown key; did you mean "size"?'],
    ['a key that is like none', { ...OK, zip: { compression: 9 } }, 'zip.compression: unknown key; known here: size'],
    [
      'a misspelt key deep down',
      { ...OK, storage: { ...s3, lock: { mode: 'governance', day: 3, days: 3 } } },
      'storage.lock.day: unknown key; did you mean "days"?',
    ],
    ['no account', {}, 'account.accountId: is missing'],
    ['no subdomain', { account: { accountId: 'Ac1' } }, 'account.subdomain: is missing; set it to "acme"'],
    [
      'an address as subdomain',
      { account: { ...ACCOUNT, subdomain: 'https://acme.kissflow.com' } },
      'account.subdomain: must be the first part',
    ],
    ['a domain that is none', { account: { ...ACCOUNT, domain: 'kissflow' } }, 'account.domain: must be a domain such as kissflow.com'],
    ['an account id with a space', { account: { ...ACCOUNT, accountId: 'Ac 1' } }, 'account.accountId: must be the bare id'],
    ['a number as account id', { account: { ...ACCOUNT, accountId: 12 } }, 'account.accountId: must be text; put it in quotes'],
    [
      'plain http',
      { account: { ...ACCOUNT, baseUrl: 'http://acme.kissflow.com' } },
      'account.baseUrl: plain http:// is refused except to this machine',
    ],
    [
      'a base URL with a path',
      { account: { ...ACCOUNT, baseUrl: 'https://acme.kissflow.com/view/home' } },
      'account.baseUrl: must end after the host and port: https://acme.kissflow.com',
    ],
    [
      'a base URL with a password',
      { account: { ...ACCOUNT, baseUrl: 'https://me:word@acme.kissflow.com' } },
      'account.baseUrl: must not hold a user name or password',
    ],
    ['another scheme', { account: { ...ACCOUNT, baseUrl: 'ftp://acme.kissflow.com' } }, 'account.baseUrl: must begin with https://'],
    [
      'no categories',
      { ...OK, categories: [] },
      'categories: must name at least one of usersAndGroups, transactions, attachments, auditLogs',
    ],
    [
      'an unknown category',
      { ...OK, categories: ['transaction'] },
      'categories[0]: must be usersAndGroups, transactions, attachments or auditLogs; did you mean "transactions"?',
    ],
    [
      'attachments without transactions',
      { ...OK, categories: ['attachments'] },
      'categories: attachments belong to records: add "transactions"',
    ],
    ['an unknown flow type', { ...OK, flows: { types: ['case'] } }, 'flows.types[0]: must be process, board, form, dataset or project'],
    ['no flow types', { ...OK, flows: { types: [] } }, 'flows.types: must name at least one of process'],
    ['no patterns', { ...OK, flows: { include: [] } }, 'flows.include: must hold at least one pattern'],
    ['a tiny ZIP', { ...OK, zip: { size: '999KB' } }, 'zip.size: is below the least size; set "1MB" or more'],
    ['a size that is none', { ...OK, zip: { size: '4 gigs' } }, 'zip.size: must be a size such as "4GB"'],
    ['too many calls', { ...OK, api: { callsPerMinute: 401 } }, 'api.callsPerMinute: must be a whole number from 1 to 400, or "auto"'],
    ['no calls', { ...OK, api: { callsPerMinute: 0 } }, 'api.callsPerMinute: must be a whole number from 1 to 400, or "auto"'],
    ['half a call', { ...OK, api: { callsPerMinute: 1.5 } }, 'api.callsPerMinute: must be a whole number from 1 to 400, or "auto"'],
    ['too many workers', { ...OK, api: { concurrency: 33 } }, 'api.concurrency: must be a whole number from 1 to 32'],
    ['half a worker', { ...OK, api: { concurrency: 2.5 } }, 'api.concurrency: must be a whole number from 1 to 32'],
    ['a page too large', { ...OK, api: { pageSize: 1001 } }, 'api.pageSize: must be a whole number from 1 to 1000'],
    [
      'an endpoint that is a URL',
      { ...OK, api: { endpoints: { 'users.list': 'https://evil.example/' } } },
      'api.endpoints.users.list: must be a path template',
    ],
    [
      'an endpoint without a scheme',
      { ...OK, api: { endpoints: { 'users.list': '//evil.example/' } } },
      'api.endpoints.users.list: must be a path template',
    ],
    ['a misspelt gap', { ...OK, accept: ['audit-logs'] }, 'accept[0]: did you mean "auditLogs"?'],
    ['an unknown storage', { ...OK, storage: { mode: 'dropbox' } }, 'storage.mode: must be local, s3, gcs or drive'],
    ['storage without mode', { ...OK, storage: { path: 'x' } }, 'storage.mode: is missing; it must be local, s3, gcs or drive'],
    ['a bucket as https', { ...OK, storage: { ...s3, url: 'https://s3.example/b' } }, 'storage.url: must begin with s3://'],
    ['no bucket', { ...OK, storage: { ...s3, url: 's3:///x' } }, 'storage.url: names no bucket'],
    ['a bucket with a space', { ...OK, storage: { ...s3, url: 's3://my bucket/x' } }, 'storage.url: holds a space or a control character'],
    [
      'a prefix that climbs',
      { ...OK, storage: { ...s3, url: 's3://bucket/../x' } },
      'storage.url: holds an empty or dotted part in its prefix',
    ],
    [
      'an S3 server over http',
      { ...OK, storage: { ...s3, endpoint: 'http://minio.acme.com' } },
      'storage.endpoint: must begin with https://: http://minio.acme.com. Plain http is taken only for this machine',
    ],
    ['a KMS key without KMS', { ...OK, storage: { ...s3, kmsKeyId: 'k' } }, 'storage.kmsKeyId: needs "sse": "aws:kms"'],
    ['a link too long', { ...OK, storage: { ...s3, link: '8d' } }, 'storage.link: signed links last at most 7 days'],
    ['plain links unasked', { ...OK, storage: { ...s3, link: '7d' } }, 'storage.link: the parts are not encrypted'],
    [
      'pruning that keeps nothing',
      { ...OK, retention: { afterRun: true, keepLast: 0 } },
      'retention.afterRun: retention names nothing to keep',
    ],
    ['a Drive without credentials', { ...OK, storage: { mode: 'drive', folder: 'x' } }, 'storage: Google Drive needs either "keyFile"'],
    [
      'encryption without format',
      { ...OK, encryption: { passphrase: 'Passw0rd-of-mine' } },
      'encryption.format: is missing; set "openssl"',
    ],
    ['age without keys', { ...OK, encryption: { format: 'age', recipients: [] } }, 'encryption.recipients: must name at least one'],
    [
      'an ssh key for age',
      { ...OK, encryption: { format: 'age', recipients: ['ssh-ed25519 AAAA'] } },
      'encryption.recipients[0]: must be an age public key',
    ],
    [
      'keys for openssl',
      { ...OK, encryption: { format: 'openssl', passphrase: 'Passw0rd-of-mine', recipients: ['age1a'] } },
      'encryption.recipients: belongs to "format": "age"',
    ],
    ['an empty secret', { account: { ...ACCOUNT, accessKeySecret: '' } }, 'account.accessKeySecret: must be text that is not empty'],
    [
      'a mail address that is none',
      { ...OK, notifications: { email: { smtp: 'smtp://h', from: 'me', to: ['a@b.c'] } } },
      'notifications.email.from: must be a mail address',
    ],
    [
      'mail to nobody',
      { ...OK, notifications: { email: { smtp: 'smtp://h', from: 'a@b.c', to: [] } } },
      'notifications.email.to: must name at least one address',
    ],
    ['a misspelt occasion', { ...OK, notifications: { on: ['complete'] } }, 'did you mean "completed"?'],
    ['a hook as one string', { ...OK, commands: { before: 'rm -rf /' } }, 'commands.before: must be a list'],
    ['an empty hook', { ...OK, commands: { after: [] } }, 'commands.after: must name a program'],
    ['a negative keep', { ...OK, retention: { keepLast: -1 } }, 'retention.keepLast: must be a whole number, 0 or more'],
    ['a guard above all', { ...OK, retention: { guard: '120%' } }, 'retention.guard: must be a share such as "20%"'],
    ['a schedule of seconds', { ...OK, schedule: { every: '10s' } }, 'schedule.every: must be an hour or more'],
    ['an hour 24', { ...OK, schedule: { every: '1 day', at: '24:00' } }, 'schedule.at: must be a time such as "02:30"'],
    ['a section of the wrong kind', { ...OK, api: [] }, 'api: must be an object'],
  ])('%s', async (_name, content, expected) => {
    folder.write('kfbackup.config.json', content)
    const { message, exitCode } = await folder.refusal()
    expect(exitCode).toBe(2)
    expect(message).toContain(expected)
    expect(message).toContain(`${folder.path}/kfbackup.config.json:`)
  })

  it('are all named at once, one a line, with the line they stand on', async () => {
    folder.write(
      'kfbackup.config.json',
      '{\n "account": {"subdomain":"acme"},\n "zip": {\n  "size": "1KB"\n },\n "acept": [],\n "categories": []\n}',
    )
    const { message } = await folder.refusal()
    const file = `${folder.path}/kfbackup.config.json`
    expect(message.split('\n')).toEqual([
      '4 problems in the configuration:',
      `${file}:6: acept: unknown key; did you mean "accept"?`,
      `${file}:2: account.accountId: is missing`,
      `${file}:7: categories: must name at least one of usersAndGroups, transactions, attachments, auditLogs`,
      `${file}:4: zip.size: is below the least size; set "1MB" or more`,
    ])
  })

  it('name the variable when they come from the environment', async () => {
    folder.write('kfbackup.config.json', OK)
    const { message } = await folder.refusal({ env: { KISSFLOW_BASE_URL: 'http://acme.kissflow.com' } })
    expect(message).toMatch(/^account\.baseUrl \(from env KISSFLOW_BASE_URL\): plain http/)
  })

  it('are not repeated where they might be a secret', async () => {
    folder.write('kfbackup.config.json', {
      account: { ...ACCOUNT, accessKeySecret: 'topsecret with space' },
      encryption: { format: 'openssl', passphrase: 'topsecret' },
      notifications: {
        webhooks: [{ url: 'http://hooks.example/topsecret' }],
        healthchecks: 'topsecret',
        email: { smtp: 'topsecret', from: 'a@b.c', to: ['a@b.c'] },
      },
    })
    const { message } = await folder.refusal({ purpose: 'run' })
    expect(message).not.toContain('topsecret')
    expect(message.split('\n').slice(1)).toEqual([
      'account.accessKeySecret (file) holds a space, a line end or a character no key has; copy it again, in one line and without quotes.',
      'encryption.passphrase (file) has no upper case letter.',
      expect.stringContaining('notifications.email.smtp (file) must be smtps://'),
      'notifications.webhooks[0].url (file) plain http:// is refused except to this machine; use https://.',
      'notifications.healthchecks (file) must be an address that begins with https://.',
    ])
  })
})

describe('a file that cannot be read', () => {
  it.each<[string, string, string, string]>([
    ['a comma too much', 'c.json', '{\n  "zip": {"size": "4GB"},\n}', ':3:1: a comma with nothing after it'],
    ['a missing comma', 'c.json', '{"a": 1 "b": 2}', ':1:9: expected "," or "}"'],
    ['a missing brace', 'c.json', '{"a": {"b": 1}', ':1:15: the file ends before "}"'],
    ['a comment', 'c.json', '{ // why\n}', ':1:3: JSON has no comments; a .yaml file may have them'],
    ['single quotes', 'c.json', "{'a': 1}", ':1:2: expected a key in double quotes'],
    ['a line end in text', 'c.json', '{"a": "b\n"}', ':1:7: text with a line end'],
    ['a key twice', 'c.json', '{"zip": {},\n "zip": {}}', ':2:2: the key zip stands twice'],
    ['a dangerous key', 'c.json', '{"__proto__": {"x": 1}}', ':1:2: the key __proto__ is not allowed'],
    ['text behind', 'c.json', '{} {}', ':1:4: something stands after the end'],
    ['a word that is none', 'c.json', '{"a": True}', ':1:7: expected a value'],
    ['a mountain of brackets', 'c.json', '['.repeat(100_000), 'nested too deeply'],
    ['an empty file', 'c.json', ' \n', 'c.json is empty'],
    ['a bare list', 'c.json', '[]', 'holds no configuration'],
    ['a YAML key twice', 'c.yaml', 'zip: {}\nzip: {}\n', ':2:1: Map keys must be unique'],
    ['a YAML tag', 'c.yaml', 'zip: !!js/function "x"\n', ':1:6: Unresolved tag'],
    ['a YAML tab', 'c.yaml', 'zip:\n\tsize: 4GB\n', ':2:1: Tabs are not allowed'],
    ['a YAML number as key', 'c.yaml', '1: x\n', ':1:1: a key must be text; put it in quotes'],
    ['two YAML documents', 'c.yml', 'zip: {}\n---\nzip: {}\n', ':2:1: '],
    [
      'a YAML bomb',
      'c.yaml',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefg'.replace(
        /./g,
        (c) =>
          `${c}: &${c} [${Array(10)
            .fill(`*${String.fromCharCode(c.charCodeAt(0) - 1)}`)
            .join(',')}]\n`,
      )}`,
      'Excessive alias count',
    ],
    ['YAML that is text', 'c.yaml', 'hello', 'holds no configuration'],
  ])('%s', async (_name, file, content, expected) => {
    folder.write(file, content)
    const { message, exitCode } = await folder.refusal({ flags: { config: file } })
    expect(exitCode).toBe(2)
    expect(message).toContain(expected)
    expect(message).toContain(folder.path)
  })

  it('because it is binary or endless', async () => {
    const windows = { platform: 'win32', uid: undefined } as const
    expect((await folder.refusal({ flags: { config: '/dev/zero' }, host: windows })).message).toContain('larger than 1 MB')
    writeFileSync(join(folder.path, 'latin1.json'), Buffer.from('{"a": "\xe9"}', 'latin1'))
    expect((await folder.refusal({ flags: { config: 'latin1.json' } })).message).toContain('latin1.json is not UTF-8 text')
  })

  it('takes a byte order mark and tells JSON from YAML by name, else by content', async () => {
    folder.write('a.json', `\ufeff${JSON.stringify(OK)}`)
    folder.write('b.conf', JSON.stringify(OK))
    folder.write('c.conf', 'account: { subdomain: acme, accountId: Ac1 } # YAML')
    for (const name of ['a.json', 'b.conf', 'c.conf']) {
      expect((await folder.load({ flags: { config: name } })).config.account.subdomain).toBe('acme')
    }
  })
})
