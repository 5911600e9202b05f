export const ENCRYPTION_TOPIC = `Encryption

  "encryption": { "format": "openssl", "passphrase": "\${KFBACKUP_PASSPHRASE}" }
  "encryption": { "format": "age", "recipients": ["age1..."] }

openssl
  Every part becomes <name>.aes256cbc: AES-256-CBC with PBKDF2, as Kissflow's
  own backups. Stock openssl opens it, kfbackup is not needed; the command
  stands in Readme.txt next to the parts. backup.json holds a MAC of every part,
  so that "kfbackup verify" notices each changed byte.
  The passphrase keeps Kissflow's rule; "kfbackup init" names it and offers to
  make a strong one. It may come from the environment, a file or a program,
  never from the command line.

age
  Every part becomes <name>.zip.age for the public keys in "recipients". The
  machine that makes backups needs no key that opens them. To read one here,
  put the path of the key file into "identity".

Losing the key loses the backups
  Nobody can open an encrypted backup without its passphrase or key. Keep a
  copy outside this machine, with a printed Readme.txt.

Changing the passphrase
  Set the new one and put the old one into "oldPassphrases": older backups stay
  readable for verify and extract. An unfinished run is not continued across
  the change.

What can be read without the key
  Readme.txt, SHA256SUMS and backup.json: account, times, names and sizes of the
  parts; no name of a flow and no count. While a run goes on, its spool in the
  state folder is encrypted, too.

Exit code 12: wrong passphrase or key. 4: the data was changed.
`
