// Asks one question on whatever terminal this process has. argv: the compiled sources, the question's kind.
const [dist, kind] = process.argv.slice(2)
const { createPrompts } = await import(`${dist}/ui/prompts.js`)
const stop = new AbortController()
const prompts = createPrompts({ stdin: process.stdin, stderr: process.stderr }, stop.signal)
const choices = [
  { value: 'local', name: 'A folder \u001b[31m here' },
  { value: 's3', name: 'S3' },
]
const questions = {
  input: () =>
    prompts.input({ message: 'Subdomain?', flag: '--subdomain', default: 'acme', validate: (text) => text !== 'bad' || 'Not that one' }),
  password: () => prompts.password({ message: 'Passphrase?', flag: 'KFBACKUP_PASSPHRASE', confirm: true }),
  select: () => prompts.select({ message: 'Where to?', flag: '--storage', choices }),
  checkbox: () => prompts.checkbox({ message: 'Which?', flag: '--categories', choices }),
  confirm: () => prompts.confirm({ message: 'Sure?', flag: '--yes', default: false }),
  aborted: () => {
    setTimeout(() => stop.abort(new Error('stopped from outside')), 300)
    return prompts.input({ message: 'Waiting?', flag: '--wait' })
  },
}
try {
  process.stdout.write(`answer ${JSON.stringify(await questions[kind]())}\n`)
} catch (error) {
  process.stdout.write(`${error.name} ${error.exitCode} ${error.message} ${error.hint ?? ''}\n`)
}
