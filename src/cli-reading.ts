import type { Building } from './cli-building.js'
import { examples } from './cli-help.js'

/** The commands that read a backup. */
export function addReadingCommands({ add, run }: Building): void {
  add('verify <backup>', 'check every part, entry, JSON file, record and count; <backup> is an id, its beginning, latest, a path or a URL')
    .option('--sample <share>', 'read only a random share of the data, as 5%')
    .option('--part <slice>', 'read one of n slices that together are all, as 1/7')
    .option('-i, --identity <file>', 'age identity file, for backups encrypted to age keys')
    .addHelpText(
      'after',
      examples(
        'kfbackup verify latest',
        'kfbackup verify latest --sample 5%',
        'kfbackup verify s3://acme/kissflow/kfbackup-acme-20261123T023000Z-1a2b3c4d',
      ),
    )
    .action(run(async () => (await import('./commands/verify.js')).verifyCommand, 'backup'))
  add('extract <backup>', 'decrypt and unpack, all or some files')
    .option('--to <dir>', 'the folder to fill, new or empty; an interrupted extraction goes on')
    .option('--only <glob>', 'paths as Process/Leave_*/**; may be given several times', (glob: string, before: string[] = []) => [
      ...before,
      glob,
    ])
    .option('--stdout', 'write the one file that --only names to stdout')
    .option('--force', 'overwrite files in a folder that is not empty; links are never followed or replaced')
    .option('-i, --identity <file>', 'age identity file, for backups encrypted to age keys')
    .addHelpText(
      'after',
      examples(
        'kfbackup extract latest --to ./restored',
        "kfbackup extract latest --to ./restored --only '**/Leave_Request_*/**'",
        "kfbackup extract latest --only '**/UserAndGroup.json' --stdout | jq length",
      ),
    )
    .action(run(async () => (await import('./commands/extract.js')).extractCommand, 'backup'))
}
