export const CONFIG_TOPIC = `The config file

kfbackup.config.json, .yaml or .yml. Looked for in this order: --config,
KFBACKUP_CONFIG, the working directory, the user's config folder
(\${XDG_CONFIG_HOME:-~/.config}/kfbackup). "kfbackup init" writes one,
"kfbackup config validate" checks it, "kfbackup config show" prints the merged
values with the origin of each. Flags beat environment, environment beats file,
file beats defaults. Relative paths are relative to the file.

  account         subdomain, domain, accountId, accessKeyId, accessKeySecret;
                  baseUrl replaces subdomain and domain
  categories      usersAndGroups, transactions, attachments, auditLogs
  flows           include, exclude (patterns of id or name), types
  storage         mode local {path}, s3 {url, region, endpoint, profile, ...},
                  gcs {url, keyFile}, drive {folder, keyFile or oauth};
                  link "7d": signed download links in the completion mail
  zip             size, default 4GB
  encryption      format none, openssl or age; passphrase, recipients,
                  identity, oldPassphrases
  api             callsPerMinute (1 to 400 or "auto"), reserve, concurrency,
                  pageSize, endpoints
  accept          gaps that do not make a run incomplete: comments, auditLogs,
                  projects, or a flow id
  notifications   on, detail, email {smtp, from, to}, webhooks [{url, format}],
                  healthchecks, kissflow {type, flow, fields}
  commands        before, after, onError: programs as ["name", "argument"];
                  "before" ending with 75 skips the run
  metrics         prometheusFile
  retention       keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly,
                  keepWithin, guard, afterRun
  schedule        every ("6 months"), at ("02:30", local time)
  resume          within: how old an unfinished run may be to be continued

Secrets
  A value may be "\${NAME}" or "\${NAME:-default}" from the environment; a secret
  may also be {"file": "path"} or {"command": ["program", "argument"]}.
  $\${ stands for \${ itself. Keep secrets out of the file and the file at mode
  0600: a config that others may write is refused.

Notifications
  Mails, webhooks and Kissflow items follow "on"; healthchecks and Prometheus
  hear of every run. "detail": true adds names of flows and error texts.
  kissflow.fields maps a field id to a text with {subject} {headline} {text}
  {event} {account} {id} {requester} {host} {time} {started} {duration}
  {location} {records} {attachments} {bytes} {size} {gaps} {error} {exit_code}.

Several accounts: one config each, chosen with --config.
The commands: kfbackup config show, validate, path, schema
("kfbackup config --help").
`
