import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decrypter } from 'age-encryption'

/** Copies a backup's parts into a new folder as plain ZIPs, opened with stock openssl as Readme.txt says. */
export function openWithOpenssl(folder: string, passphrase: string): string {
  const plain = mkdtempSync(join(tmpdir(), 'kfbackup-plain-'))
  for (const name of readdirSync(folder).filter((part) => part.endsWith('.aes256cbc'))) {
    const out = join(plain, name.replace(/\.aes256cbc$/, '.zip'))
    const args = ['enc', '-d', '-aes-256-cbc', '-pbkdf2', '-iter', '600000', '-md', 'sha256', '-in', join(folder, name), '-out', out]
    execFileSync('openssl', [...args, '-pass', 'env:PASSPHRASE'], { env: { PATH: process.env['PATH'], PASSPHRASE: passphrase } })
  }
  return plain
}

/** The same for age, with an identity (`AGE-SECRET-KEY-1…`). */
export async function openWithAge(folder: string, identity: string): Promise<string> {
  const plain = mkdtempSync(join(tmpdir(), 'kfbackup-plain-'))
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  for (const name of readdirSync(folder).filter((part) => part.endsWith('.zip.age')))
    writeFileSync(join(plain, name.replace(/\.age$/, '')), await decrypter.decrypt(readFileSync(join(folder, name))))
  return plain
}
