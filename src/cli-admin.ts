import { Option } from 'commander'
import type { Building } from './cli-building.js'
import { examples } from './cli-help.js'
import type { DoctorOptions } from './commands/doctor.js'
import type { InitOptions } from './commands/init/options.js'

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value]
}

/** `init`: every question has a flag, so that a script can answer them all. */
function addInit({ add, run }: Pick<Building, 'add' | 'run'>): void {
  add('init', 'asks for account, keys, storage and the rest, tries them, writes the config file')
    .option('--subdomain <name|url>', 'acme, or the address of your Kissflow as you see it in the browser')
    .option('--base-url <url>', 'instead of the subdomain')
    .option('--account-id <id>', 'Ac…')
    .option('--access-key-id <id>', 'or KISSFLOW_ACCESS_KEY_ID')
    .option('--access-key-secret-file <file>', 'a file that holds it; or KISSFLOW_ACCESS_KEY_SECRET')
    .addOption(new Option('--secrets <where>', 'where secrets given in variables are kept (default: env)').choices(['file', 'env']))
    .option('--categories <list>', 'usersAndGroups, transactions, attachments, auditLogs (default: all)', collect)
    .option('--exclude <flows>', 'ids, names or patterns to leave out', collect)
    .option('--accept <list>', 'what may be missing: comments, auditLogs, projects, ids of flows', collect)
    .option('--storage <mode>', 'local, s3, gcs, drive (default: local)')
    .option('--path <folder>', 'local: where backups go (default: ~/kissflow-backups)')
    .option('--url <url>', 's3://bucket/prefix or gs://bucket/prefix')
    .option('--region <name>', 's3')
    .option('--endpoint <url>', 's3: a server that is not Amazon')
    .option('--profile <name>', "s3: profile of the AWS SDK's credentials file")
    .option('--key-file <file>', 'gcs, drive: key of a service account')
    .option('--folder <id|path>', 'drive')
    .option('--zip-size <size>', 'largest ZIP (default: 4GB)')
    .option('--encryption <format>', 'openssl, age, none')
    .option('--passphrase-file <file>', 'holds the passphrase; or KFBACKUP_PASSPHRASE')
    .option('--make-passphrase <file>', 'make a strong one and write it there')
    .option('--recipient <key>', 'age public key (repeatable)', collect)
    .option('--email <address>', 'who gets mail (repeatable)', collect)
    .option('--email-from <address>', 'sender of the mails')
    .option('--smtp <env:NAME|file:PATH>', 'where the mail server stands (default: env:SMTP_URL)')
    .option('--webhook <[slack=]env:NAME|file:PATH>', 'where the address of a webhook stands (repeatable)', collect)
    .option('--healthchecks <env:NAME|file:PATH>', 'where the ping address of a check stands')
    .option('--schedule <interval>', '"1 day", "1 week", "6 months", or none')
    .option('--at <HH:MM>', 'time of day (default: 02:30)')
    .option('--install-schedule', 'install the timer')
    .option('--run', 'make the first backup at the end')
    .option('--no-probe', 'try neither account nor storage')
    .option('--force', 'replace an existing config')
    .option('-y, --yes', 'take what is usual for whatever is not given')
    .addHelpText('after', '\nSecrets are taken from variables, files, or typed hidden; never from flags.')
    .addHelpText(
      'after',
      examples(
        'kfbackup init',
        'kfbackup init -c acme.json',
        'kfbackup init --yes --subdomain acme --account-id Ac1a2b3c4d5e6 \\\n    --make-passphrase ~/kfbackup-passphrase --schedule "1 day" --secrets file',
      ),
    )
    .action(run<InitOptions>(async () => (await import('./commands/init.js')).initCommand))
}

/** The commands before the first backup and around it: init, doctor, plan. */
export function addAdminCommands({ add, run }: Pick<Building, 'add' | 'run'>): void {
  addInit({ add, run })
  add('doctor', 'keys, host, rate, permission on every flow, storage, disk, clock: what is wrong and how to mend it')
    .option('--send', 'send a sample through every notification channel')
    .option('--bundle <file>', 'write a file for support, with names and ids replaced')
    .addHelpText('after', examples('kfbackup doctor', 'kfbackup doctor --bundle kfbackup-support.json'))
    .action(run<DoctorOptions>(async () => (await import('./commands/doctor.js')).doctorCommand))
  add('plan', 'what a run would do: flows, records, calls, minutes, bytes; writes nothing')
    .addHelpText('after', examples('kfbackup plan', 'kfbackup plan --json | jq -s "last.minutes"'))
    .action(run(async () => (await import('./commands/plan.js')).planCommand))
}
