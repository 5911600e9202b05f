import { existsSync } from 'node:fs'
import { type LoadedConfig, loadConfig } from '../../config/load.js'
import { refuseInsecureTls } from '../../config/refuse-insecure-tls.js'
import type { Config } from '../../config/types.js'
import { type Check, fail, failed, pass, warn } from '../../core/doctor/check.js'
import { createAgeEncryption } from '../../crypto/age-encryption.js'
import { BackupError, EXIT } from '../../errors.js'
import type { CommandContext } from '../command-context.js'

/** The config as far as it can be read, and the line `config`. A section with an unset variable fails the check, not the rest of the doctor. */
export async function loadForDoctor({ flags, env, cwd }: CommandContext): Promise<{ loaded: LoadedConfig | undefined; check: Check }> {
  const options = { flags, env, cwd }
  const fix = 'Mend the file; kfbackup help config tells what each key takes.'
  try {
    const loaded = await loadConfig({ ...options, purpose: 'doctor' })
    const [warning] = loaded.warnings
    const check = warning === undefined ? pass('config', loaded.file) : warn('config', warning, fix)
    return { loaded, check }
  } catch (error) {
    if (!(error instanceof BackupError)) throw error
    const problem = new BackupError(error.message.replaceAll('\n', '; '), error.hint === undefined ? {} : { hint: error.hint })
    const check: Check = { ...failed('config', problem, fix), exitCode: EXIT.usage }
    if (error.code !== 'E_CONFIG_UNSET') return { loaded: undefined, check }
    // What does not need the variable can still be looked at.
    return { loaded: await loadConfig({ ...options, purpose: 'show' }).catch(() => undefined), check }
  }
}

/** The lines `node` and `tls`: what every call stands on. */
export function machineChecks(env: NodeJS.ProcessEnv): Check[] {
  return [pass('node', `Node.js ${process.versions.node}, OpenSSL ${process.versions.openssl}`), tlsCheck(env)]
}

function tlsCheck(env: NodeJS.ProcessEnv): Check {
  try {
    refuseInsecureTls(env)
  } catch (error) {
    return failed('tls', error, 'Unset NODE_TLS_REJECT_UNAUTHORIZED.')
  }
  const own = env.NODE_EXTRA_CA_CERTS
  if (own === undefined || own === '') return pass('tls', 'certificates are checked')
  // Node itself goes on without it, with no more than a warning.
  if (!existsSync(own))
    return fail(
      'tls',
      `NODE_EXTRA_CA_CERTS names ${own}, which does not exist`,
      'Name the file of your certificate authority, or unset it.',
      EXIT.usage,
    )
  return pass('tls', `certificates are checked, those of ${own} beside the system's`)
}

/** A section of the config that may need a variable nobody set; then the check that says so. */
export function sectionOr<T>(name: string, read: () => T): { value: T } | { check: Check } {
  try {
    return { value: read() }
  } catch (error) {
    return { check: failed(name, error, 'Set the variable, or change the value in the config.') }
  }
}

/** The lines `encryption` and `passphrase`. */
export async function encryptionChecks(config: Pick<Config, 'encryption'>, signal: AbortSignal): Promise<Check[]> {
  const section = sectionOr('encryption', () => config.encryption)
  if ('check' in section) return [section.check]
  const encryption = section.value
  if (encryption.format === 'none') return [pass('encryption', 'none: backups are plain ZIPs that anyone who gets them can read')]
  if (encryption.format === 'openssl') {
    const summary = pass('encryption', 'openssl: AES-256-CBC, PBKDF2 with 600,000 iterations')
    try {
      await encryption.passphrase.resolve(signal)
      return [summary, pass('passphrase', `available (${encryption.passphrase.origin}) and keeps the rule`)]
    } catch (error) {
      signal.throwIfAborted()
      const fix = 'At least eight characters with upper and lower case and a digit or a symbol; kfbackup init makes a strong one.'
      return [summary, { ...failed('passphrase', error, fix), exitCode: EXIT.usage }]
    }
  }
  try {
    await createAgeEncryption({ recipients: encryption.recipients })
  } catch (error) {
    return [failed('encryption', error, 'Copy the public key again; age-keygen -y prints it from the key file.')]
  }
  const keys = encryption.recipients.length === 1 ? 'one public key' : `${encryption.recipients.length} public keys`
  const { identity } = encryption.reading
  if (identity === undefined || !existsSync(identity))
    return [pass('encryption', `age, for ${keys}; nothing on this machine opens the backups`)]
  const fix = 'Keep the key file elsewhere and take encryption.identity out; name it only when you extract.'
  return [warn('encryption', `age, for ${keys}, but the key that opens the backups lies on this machine too (${identity})`, fix)]
}
