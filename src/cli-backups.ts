import type { Building } from './cli-building.js'

/** The commands about backups at the destination. */
export function addBackupCommands({ add, run }: Building): void {
  add('list [place]', 'backups at the destination, or at a folder or s3:// or gs:// URL').action(
    run(async () => (await import('./commands/list.js')).listCommand, 'place'),
  )
  add('prune', 'remove what retention does not keep, and say why the rest stays')
    .option('--dry-run', 'only say what would go')
    .option('--leftovers', 'also remove what never became a backup and no run can continue')
    .action(run(async () => (await import('./commands/prune.js')).pruneCommand))
  add('pin <backup>', 'protect a backup from prune').action(run(async () => (await import('./commands/pin.js')).pinCommand, 'backup'))
  add('unpin <backup>', 'take the protection away').action(run(async () => (await import('./commands/pin.js')).unpinCommand, 'backup'))
  add('link <backup>', 'fresh signed download links of a backup in s3 or gcs')
    .option('--expires <span>', 'how long they are good, at most 7d')
    .option('--plain', 'also when the backup is not encrypted')
    .action(run(async () => (await import('./commands/link.js')).linkCommand, 'backup'))
}
