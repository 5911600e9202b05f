import type { Building } from './cli-building.js'
import { examples } from './cli-help.js'

/** The commands about backups at the destination. */
export function addBackupCommands({ add, run }: Building): void {
  add('list [place]', 'backups at the destination, or at a folder or s3:// or gs:// URL')
    .addHelpText(
      'after',
      examples(
        'kfbackup list',
        'kfbackup list s3://acme-backups/kissflow',
        `kfbackup list --json | jq -r 'select(.message_type=="backup").id'`,
      ),
    )
    .action(run(async () => (await import('./commands/list.js')).listCommand, 'place'))
  add('prune', 'remove what retention does not keep, and say why the rest stays')
    .option('--dry-run', 'only say what would go')
    .option('--leftovers', 'also remove what never became a backup and no run can continue')
    .addHelpText('after', examples('kfbackup prune --dry-run', 'kfbackup prune --leftovers'))
    .action(run(async () => (await import('./commands/prune.js')).pruneCommand))
  add('pin <backup>', 'protect a backup from prune')
    .addHelpText('after', examples('kfbackup pin latest', 'kfbackup pin 20261123T0230'))
    .action(run(async () => (await import('./commands/pin.js')).pinCommand, 'backup'))
  add('unpin <backup>', 'take the protection away')
    .addHelpText('after', examples('kfbackup unpin 20261123T0230'))
    .action(run(async () => (await import('./commands/pin.js')).unpinCommand, 'backup'))
  add('link <backup>', 'fresh signed download links of a backup in s3 or gcs')
    .option('--expires <span>', 'how long they are good, at most 7d')
    .option('--plain', 'also when the backup is not encrypted')
    .addHelpText('after', examples('kfbackup link latest', 'kfbackup link latest --expires 24h'))
    .action(run(async () => (await import('./commands/link.js')).linkCommand, 'backup'))
}
