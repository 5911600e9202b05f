export const TROUBLESHOOTING_TOPIC = `Troubleshooting

Begin with "kfbackup doctor": it tries keys, host, rate, permissions, storage,
disk, clock and notifications, and names the fix for each fault. --verbose adds
the causes of an error to any command.

It takes long
  Kissflow allows 400 calls a minute, people's clicks included. A record costs a
  call, its comments another, a board item's history a third, each file one:
  100,000 records are nine hours or more. "kfbackup plan" counts it beforehand.
  "auto" leaves api.reserve calls a minute to people; a run at night may set
  "callsPerMinute": 400. Exclude flows nobody needs. Interrupting costs nothing:
  the next run continues.

It stopped (exit 75)
  Kissflow or the storage could not be reached or asked for a long pause. The
  place is saved; run again later. "kfbackup status" shows where it stands.

Kissflow refused the keys (13), or a flow is forbidden
  Keys belong to a user or service account and see what it sees. It should be
  Super Admin and admin of every flow. A wrong host is exit 2: check subdomain
  and domain (kissflow.com or kissflow.eu).

The storage refused (14)
  s3     the usual chain of the AWS SDK: environment, profile, role. "run"
         and "doctor" need s3:PutObject, s3:GetObject and s3:ListBucket,
         "prune" also s3:DeleteObject. README has the table.
  gcs    keyFile, or the ambient credentials; storage.objects create, get,
         list, delete.
  drive  a service account sees only shared drives it is a member of; an
         oauth token may have been withdrawn.
  local  the folder must exist or be creatable, and have room; a disk that is
         not mounted is best caught by commands.before.

Where are the files
  storage.path in the config, relative to the config file, not to where the
  command runs. "kfbackup history show latest" prints the place, "kfbackup
  config show" the merged values. Unfinished runs lie in the state folder
  (KFBACKUP_STATE_DIR, else STATE_DIRECTORY, else ~/.local/state/kfbackup).

An upload fails
  Sent pieces are kept and the next run goes on with the rest. Nothing stands
  under its final name before it is whole. Behind a proxy set HTTPS_PROXY; for
  an own certificate authority NODE_EXTRA_CA_CERTS.

Another run holds the lock (11)
  "kfbackup status" shows it. Is its process gone, "kfbackup unlock" frees the
  lock; of another host only with --force.

No mail arrives
  "kfbackup notify test" sends a sample of every message and says what each
  channel answered.
`
