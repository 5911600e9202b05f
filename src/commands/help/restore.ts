export const RESTORE_TOPIC = `Getting data back

  kfbackup list                          what is there, also from elsewhere
  kfbackup verify latest                 every part, entry and count
  kfbackup extract latest --to ./out     decrypt and unpack everything
  kfbackup extract latest --to ./leave --only 'Process/Leave_*/**'

Without kfbackup
  Parts are ordinary ZIP files. Encrypted ones are opened by stock openssl or
  age first; Readme.txt beside the parts has the exact commands.

What is where
  UserAndGroup.zip            people and groups
  TransactionalData-0000.zip  by type (Process, Board, Dataset, Form, Project)
                              and flow id: <flow id>.json holds the records as
                              the API sent them, Comment/ the comments,
                              Activity/ the history of board items,
                              Attachments/<record>/ the files
  AuditLogs-0000.zip          audit events, one a line
  Index.zip                   flows.csv, and entries.jsonl and records.jsonl:
                              which record and file is in which part

Back into Kissflow
  Kissflow has no API that restores a backup, and kfbackup writes nothing into
  an account. Restoring is work by hand or by import:
  - dataset and form rows: Kissflow's import of CSV or XLSX, by flow
  - process and board items: created anew; ids, dates, steps and people of
    the past do not come back
  - files: uploaded again to their records
  Definitions of flows and apps are not in any backup the API can make.

An extraction that was interrupted is continued by the same command. Other
folders that are not empty are refused; --force overwrites files.
`
