import type { Sandbox } from '../../src/sandbox/server.js'
import type { Step } from '../helpers/pty.js'

export const DOWN = '\u001b[B'
export const ENTER = '\r'

/** The questions about the account, answered for a sandbox: an address pasted with a path, an id with a space, keys. */
export function accountSteps(sandbox: Sandbox, overrides: { secret?: string } = {}): Step[] {
  const id = `${sandbox.accountId.slice(0, 4)} ${sandbox.accountId.slice(4)}`
  return [
    { expect: 'Your Kissflow address', send: `${sandbox.baseUrl}/view/process/Leave_Request_A00${ENTER}` },
    { expect: 'Account id', send: `${id}${ENTER}` },
    { expect: 'Access key id', send: `${sandbox.accessKeyId}${ENTER}` },
    { expect: 'Access key secret', send: `${overrides.secret ?? sandbox.accessKeySecret}${ENTER}` },
  ]
}
