import { ConfigError } from '../errors.js'

/** Throws ConfigError when the environment turns the check of certificates off: every key would go to whoever stands in between (details.md 34). */
export function refuseInsecureTls(env: NodeJS.ProcessEnv): void {
  if (env.NODE_TLS_REJECT_UNAUTHORIZED !== '0') return
  throw new ConfigError('NODE_TLS_REJECT_UNAUTHORIZED=0 turns the check of certificates off; kfbackup does not send keys that way.', {
    hint: 'Unset it; name the certificate of your own authority in NODE_EXTRA_CA_CERTS instead.',
    code: 'E_INSECURE_TLS',
  })
}
