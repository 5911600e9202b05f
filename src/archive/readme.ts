import type { PackedCounts } from './manifest.js'

export interface ReadmeFacts {
  folder: string
  account: { subdomain: string; accountId: string }
  createdAt: string
  tool: { name: string; version: string }
  categories: string[]
  counts: PackedCounts
  /** File names of all parts, Index included. */
  parts: string[]
  /** Undefined when the parts are plain ZIPs, else what backup.json says of the encryption. */
  encryption: { format: string; extension: string; describe: Record<string, unknown> } | undefined
}

/** Commands are set in by four spaces, alone on their line: ready to be copied. */
const command = (text: string): string => `    ${text}`

function decryptLine(facts: ReadmeFacts, from: string, to: string): string {
  if (facts.encryption?.format === 'age') return `age -d -i key.txt -o ${to} ${from}`
  const { iterations = 600_000, digest = 'sha256' } = facts.encryption?.describe ?? {}
  return `openssl enc -d -aes-256-cbc -pbkdf2 -iter ${iterations} -md ${digest} -in ${from} -out ${to} -pass file:passphrase.txt`
}

function opening(facts: ReadmeFacts): string[] {
  if (facts.encryption === undefined) return ['The ZIPs are not encrypted.']
  const { extension } = facts.encryption
  const example = facts.parts[0] ?? `Index${extension}`
  const zip = `${example.slice(0, -extension.length)}.zip`
  const all = `for f in *${extension}; do ${decryptLine(facts, '"$f"', `"\${f%${extension}}.zip"`)} || break; done`
  if (facts.encryption.format === 'age') {
    return [
      'The parts are encrypted with age (https://age-encryption.org) for the public keys named in backup.json.',
      'Put the private key into key.txt in this folder (mode 0600). All parts:',
      '',
      command(all),
      '',
      'One part:',
      '',
      command(decryptLine(facts, example, zip)),
    ]
  }
  return [
    'The parts are encrypted with AES-256-CBC, as the openssl program (1.1.1 or newer) reads it. Put the passphrase, one line,',
    'into passphrase.txt in this folder (mode 0600). All parts:',
    '',
    command(all),
    '',
    'One part:',
    '',
    command(decryptLine(facts, example, zip)),
    '',
    'To be asked for the passphrase, leave out the last two words:',
    '',
    command(decryptLine(facts, example, zip).replace(' -pass file:passphrase.txt', '')),
    '',
    'openssl notices few wrong passphrases and no damage. Check with sha256sum, as above, before you decrypt; kfbackup verify checks more.',
  ]
}

const CATEGORY_TEXT: Record<string, string> = {
  usersAndGroups: 'users, groups and roles',
  transactions: 'records of all flows, with comments, activity, fields and members',
  attachments: 'attachments and images',
  auditLogs: 'audit log of the last year',
}

function contents({ counts, categories }: ReadmeFacts): string[] {
  const number = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',')
  const lines = categories.map((category) => `  ${CATEGORY_TEXT[category] ?? category}`)
  return [
    'Asked for:',
    ...lines,
    `Holds ${number(counts.flows)} flows, ${number(counts.records)} records, ${number(counts.comments)} comments, ${number(counts.files)} files,`,
    `${number(counts.usersAndGroups)} users, groups and roles, ${number(counts.auditEvents)} audit events.`,
  ]
}

/** Readme.txt: how to check, open and read this very backup with stock tools. Of an encrypted backup it tells no counts. */
export function readmeText(facts: ReadmeFacts): Buffer {
  const { encryption } = facts
  const flow = 'TransactionalData-*/Process/Some_Flow/Some_Flow.json'
  const lines = [
    `Backup of the Kissflow account ${facts.account.subdomain} (${facts.account.accountId}), begun ${facts.createdAt}`,
    `${facts.folder}, made by ${facts.tool.name} ${facts.tool.version}`,
    '',
    'All commands below are for a shell in this folder (Linux, macOS; on Windows, Git Bash or WSL).',
    '',
    '1. CHECK',
    '',
    'backup.json was written last: a folder without it is no complete backup. Every other file can be checked with',
    '',
    command('sha256sum -c SHA256SUMS'),
    '',
    '(on macOS: shasum -a 256 -c SHA256SUMS). With kfbackup, this checks every entry and every record:',
    '',
    command('kfbackup verify .'),
    '',
    '2. OPEN',
    '',
    ...opening(facts),
    '',
    'Unpack all ZIPs into one folder:',
    '',
    command('for f in *.zip; do unzip -q -o "$f" -d unpacked || break; done'),
    '',
    'With kfbackup, this does both, into the folder named:',
    '',
    command('kfbackup extract . --to unpacked'),
    '',
    '3. READ',
    '',
    ...(encryption === undefined ? [...contents(facts), ''] : []),
    'UserAndGroup.json              one JSON array: users, groups (Descendants are their members), roles',
    'flows.csv                      every flow: name, id, type, and the part it lies in',
    'TransactionalData-0000/        -0001, -0002 ... for larger accounts',
    '  Process/ Board/ Dataset/ Form/ Project/',
    '    <Flow ID>/',
    '      <Flow ID>.json           one JSON array of records, as Kissflow sent them',
    '      <Flow ID>_Users.json     who had access',
    '      <Flow ID>_Fields.json    the fields',
    '      Comment/Comment.json     [{"_id": "<record id>", "Comments": [...]}]',
    '      Activity/Activity.json   the same for the history of board items',
    '      Attachments/<record>/<field>/<attachment>/<file>',
    '                               in a child table: <record>/<table>~<row>~<field>/...',
    'AuditLogs-0000/',
    '  AuditLog_000000000000.json   JSON Lines: one event a line',
    'manifest.json                  counts, API calls, the proof of completeness, SHA-256 of every part',
    'entries.jsonl                  every file of every ZIP: path, original name, size, SHA-256, part',
    'records.jsonl                  every record: flow, id, SHA-256, the file it lies in',
    'gaps.json                      what could not be read, and why',
    '',
    'manifest.json, entries.jsonl, records.jsonl, gaps.json and flows.csv come from the Index part. Characters that some filesystem does',
    'not allow in a name stand as _ in it; entries.jsonl has the original.',
    '',
    'Never in a backup, since Kissflow offers it to no key: definitions of flows and apps, service accounts, access keys,',
    'external users, who has access to projects, one moment in time (records are as they were when they were read).',
    '',
    'A flow too large for one part goes on in the next, under the same Flow ID, as another whole JSON array. jq joins them:',
    '',
    command(`jq -s add unpacked/${flow} > Some_Flow.json`),
    '',
  ]
  return Buffer.from(lines.join('\n'))
}
