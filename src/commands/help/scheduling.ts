export const SCHEDULING_TOPIC = `Backups by themselves

  "schedule": { "every": "6 months", "at": "02:30" }

  kfbackup schedule install      crontab line or systemd timer for this config
  kfbackup schedule show         what is installed
  kfbackup schedule remove       takes it away again

The timer calls "kfbackup run --if-due" once a day (more often for intervals
below a day). It does nothing, exit 0, unless the start of the last good backup
lies at least "every" minus 10 % (at most 6 hours) back. So a run that failed is
tried again the next day, not in half a year, and one that was interrupted is
continued.

cron
  The lines stand between "# kfbackup begin" and "# kfbackup end"; no other
  line is touched. cron has no environment of yours: secrets come from files
  or programs ({"file": ...}, {"command": [...]} in the config), or from a file
  of NAME=value lines: schedule install --env-file <file>. Output appears only
  when something is wrong, and cron mails it.

systemd
  --with systemd makes a service and a timer that catches up after the machine
  was off. As root it is a system unit (sandboxed, --run-as <user>), else one of
  your own manager; "loginctl enable-linger" lets that run while you are logged
  out. --credential <name>=<file> hands a secret over through LoadCredential:
  {"file": "\${CREDENTIALS_DIRECTORY}/<name>"} in the config reads it.

The alarm when nothing happens
  A schedule that does not run sends no mail. Let a healthchecks check miss the
  ping ("notifications.healthchecks"), or let monitoring call
  "kfbackup status --max-age 26h": exit 5 when no good backup is that young.

Files for cron, systemd, containers, Kubernetes and CI: examples/ in the
package.
`
