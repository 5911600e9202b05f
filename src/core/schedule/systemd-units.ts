import { ConfigError, EXIT } from '../../errors.js'
import { type Schedule, wakeHours } from './schedule-spec.js'

/** First line of every unit file kfbackup writes; a file without it is somebody else's. */
export const UNIT_MARK = '# Written by "kfbackup schedule install"; "kfbackup schedule remove" takes it away.'

export interface UnitOptions {
  schedule: Schedule
  /** For the description: the account. */
  account: string
  /** Program and arguments, the program absolute. */
  argv: readonly string[]
  /** A system unit runs as this user and gets the full sandbox; undefined makes a unit of the user's own manager. */
  user?: string | undefined
  /** Folders the run writes to, absolute. Everything else is read-only for a system unit. */
  writable: readonly string[]
  /** Name of a folder below /var/lib that systemd makes for the unit's user and hands over as $STATE_DIRECTORY. */
  stateDirectory?: string | undefined
  /** File of `NAME=value` lines, absolute. */
  environmentFile?: string | undefined
  /** Files handed over as `$CREDENTIALS_DIRECTORY/<name>`. */
  credentials?: readonly { name: string; path: string }[] | undefined
}

const MAX_DELAY_SECONDS = 15 * 60
const DELAY_SHARE = 0.05
const RETRY_AFTER = '30min'
const RETRIES_A_DAY = 12
const HOURS_A_DAY = 24
/** What trying again will not mend. Left over are 75 and being killed, after which a run continues. (systemd refuses RestartForceExitStatus= for oneshot.) */
const FINAL_EXIT_CODES = Object.values(EXIT).filter((code) => code !== EXIT.ok && code !== EXIT.tryLater)

function checkLine(value: string): string {
  if (/[\u0000-\u001f\u007f]/.test(value)) {
    throw new ConfigError('A path with a line break or control character cannot stand in a systemd unit.', {
      hint: 'Rename the file or folder.',
    })
  }
  return value
}

/** A value in which systemd expands `%`. */
function specifierSafe(value: string): string {
  return checkLine(value).replaceAll('%', '%%')
}

/** A word of a list such as ReadWritePaths=. */
function quoted(value: string): string {
  return `"${specifierSafe(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** A word of ExecStart=, where `$` is expanded, too. */
function execWord(word: string): string {
  return /^[A-Za-z0-9_@:,./=-]+$/.test(word) ? word : quoted(word).replaceAll('$', '$$$$')
}

/** `*-*-* 02:30:00`, local time. */
export function onCalendar(schedule: Schedule): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const hours = wakeHours(schedule)?.map(two).join(',') ?? '*'
  return `*-*-* ${hours}:${two(schedule.minute)}:00`
}

/** What Node needs to stay alive: no MemoryDenyWriteExecute (its compiler writes code), netlink for host names, pkey calls of newer V8. */
const SANDBOX = [
  'ProtectSystem=strict',
  'ProtectHome=read-only',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'ProtectClock=yes',
  'ProtectControlGroups=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
  'RestrictNamespaces=yes',
  'RestrictSUIDSGID=yes',
  'CapabilityBoundingSet=',
  'SystemCallFilter=@system-service @pkey',
  'SystemCallErrorNumber=EPERM',
]
/** These work in a user's own manager, too. */
const EVERYWHERE = ['NoNewPrivileges=yes', 'LockPersonality=yes', 'RestrictRealtime=yes', 'SystemCallArchitectures=native', 'UMask=0077']

/** Text of the service unit. Exit 75 (try later) and a kill are tried again after half an hour, twelve times a day; every other failure leaves the unit failed, for `systemctl --failed`. */
export function serviceUnit({
  schedule,
  account,
  argv,
  user,
  writable,
  stateDirectory,
  environmentFile,
  credentials = [],
}: UnitOptions): string {
  const lines = [
    UNIT_MARK,
    '[Unit]',
    `Description=Backup of the Kissflow account ${specifierSafe(account)}`,
    // A user's manager knows no network-online.target.
    ...(user === undefined ? [] : ['Wants=network-online.target', 'After=network-online.target']),
    'StartLimitIntervalSec=1d',
    `StartLimitBurst=${(wakeHours(schedule)?.length ?? HOURS_A_DAY) + RETRIES_A_DAY}`,
    '',
    '[Service]',
    'Type=oneshot',
    ...(user === undefined ? [] : [`User=${specifierSafe(user)}`]),
    ...(stateDirectory === undefined ? [] : [`StateDirectory=${specifierSafe(stateDirectory)}`, 'StateDirectoryMode=0700']),
    ...(environmentFile === undefined ? [] : [`EnvironmentFile=${specifierSafe(environmentFile)}`]),
    ...credentials.map(({ name, path }) => `LoadCredential=${specifierSafe(name)}:${specifierSafe(path)}`),
    `ExecStart=${argv.map(execWord).join(' ')}`,
    'Restart=on-failure',
    `RestartPreventExitStatus=${FINAL_EXIT_CODES.join(' ')}`,
    `RestartSec=${RETRY_AFTER}`,
    '# SIGTERM lets the run save its place.',
    'TimeoutStopSec=30s',
    'TimeoutStartSec=infinity',
    'Nice=10',
    ...EVERYWHERE,
    ...(user === undefined ? [] : [...SANDBOX, ...(writable.length > 0 ? [`ReadWritePaths=${writable.map(quoted).join(' ')}`] : [])]),
  ]
  return `${lines.join('\n')}\n`
}

/** Text of the timer unit: catches up after the machine was off, and spreads the start so that many machines do not call at once. */
export function timerUnit({ account, schedule }: Pick<UnitOptions, 'account' | 'schedule'>): string {
  const delaySeconds = Math.floor(Math.min(MAX_DELAY_SECONDS, (schedule.everyMs / 1000) * DELAY_SHARE))
  const lines = [
    UNIT_MARK,
    '[Unit]',
    `Description=Looks whether a backup of the Kissflow account ${specifierSafe(account)} is due`,
    '',
    '[Timer]',
    `OnCalendar=${onCalendar(schedule)}`,
    'Persistent=true',
    `RandomizedDelaySec=${delaySeconds}`,
    '',
    '[Install]',
    'WantedBy=timers.target',
  ]
  return `${lines.join('\n')}\n`
}
