import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/config/load.js'
import { readBlock, withBlock } from '../../src/core/schedule/crontab-block.js'
import { serviceUnit, timerUnit } from '../../src/core/schedule/systemd-units.js'
import { EXIT } from '../../src/errors.js'
import { EXAMPLES, example, UNIT } from './fixtures.js'

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'kfbackup-examples-'))
}

function bashCheck(text: string): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' })
  return { status, stderr }
}

const program = spawnSync(process.execPath, [join(EXAMPLES, '..', 'bin', 'kfbackup.js'), 'help', 'run'], { encoding: 'utf8' })

it('every example stands in the table of examples/README.md', () => {
  const files = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(EXAMPLES, name)).isFile())
  const readme = example('README.md')
  expect(files.filter((name) => name !== 'README.md' && !readme.includes(`\`${name}\``))).toEqual([])
})

describe('the crontab', () => {
  const text = example('cron', 'kfbackup.crontab')
  const line = text.split('\n').find((candidate) => /^\d/.test(candidate))!

  it('holds one block that "schedule install" would take for its own', () => {
    const name = '/etc/kfbackup/kfbackup.config.json'
    expect(readBlock(text, name)).toEqual([line])
    expect(withBlock(text, name, [line])).toBe(text)
  })

  it('has five columns and a command that is good shell, asks whether it is due, and speaks only of trouble', () => {
    const columns = line.split(' ')
    expect(columns.slice(0, 5)).toEqual(['30', '2', '*', '*', '*'])
    const command = columns.slice(5).join(' ')
    expect(bashCheck(command)).toEqual({ status: 0, stderr: '' })
    expect(command).toMatch(/ run --if-due --quiet /)
    expect(command).not.toContain('%')
  })
})

describe('the systemd units', () => {
  it('are what "schedule install" writes', () => {
    expect(example('systemd', 'kfbackup.service')).toBe(serviceUnit(UNIT))
    expect(example('systemd', 'kfbackup.timer')).toBe(timerUnit(UNIT))
  })
})

describe('the Dockerfile', () => {
  // A line that ends in a backslash goes on in the next.
  const instructions = example('container', 'Dockerfile')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => /^([A-Z]+)\s+(.*)$/.exec(line)!.slice(1) as [string, string])
  const all = (name: string): string[] => instructions.filter(([key]) => key === name).map(([, value]) => value)

  it('knows only instructions there are, and begins with a Node that is new enough', () => {
    const known = ['FROM', 'COPY', 'RUN', 'USER', 'WORKDIR', 'ENV', 'VOLUME', 'STOPSIGNAL', 'ENTRYPOINT', 'CMD']
    expect(instructions.filter(([key]) => !known.includes(key))).toEqual([])
    expect(instructions[0]![0]).toBe('FROM')
    expect(Number(/^node:(\d+)/.exec(all('FROM')[0]!)![1])).toBeGreaterThanOrEqual(20)
  })

  it('runs as nobody special, gets signals itself, and keeps its state on a volume', () => {
    expect(all('USER')).toEqual(['node'])
    expect(JSON.parse(all('ENTRYPOINT')[0]!)).toEqual(['kfbackup'])
    expect(JSON.parse(all('CMD')[0]!)).toEqual(['run', '--if-due'])
    const state = /KFBACKUP_STATE_DIR=(\S+)/.exec(all('ENV').join(' '))![1]
    expect(JSON.parse(all('VOLUME')[0]!)).toContain(state)
  })

  it('has good shell in it, and no secret', () => {
    for (const command of all('RUN')) expect(bashCheck(command)).toEqual({ status: 0, stderr: '' })
    expect(all('ENV').join(' ')).not.toMatch(/SECRET|PASSPHRASE|KEY/)
  })
})

interface KubernetesObject {
  kind: string
  metadata: { name: string }
  data?: Record<string, string>
  stringData?: Record<string, string>
  spec?: unknown
}

interface CronJobSpec {
  schedule: string
  concurrencyPolicy: string
  jobTemplate: {
    spec: { podFailurePolicy: { rules: { onExitCodes: { values: number[]; containerName: string } }[] }; template: { spec: PodSpec } }
  }
}

interface PodSpec {
  restartPolicy: string
  securityContext: { runAsNonRoot: boolean }
  containers: {
    name: string
    args: string[]
    env: { name: string; value: string }[]
    securityContext: { readOnlyRootFilesystem: boolean; allowPrivilegeEscalation: boolean }
    volumeMounts: { name: string; mountPath: string }[]
  }[]
  volumes: {
    name: string
    configMap?: { name: string; defaultMode: number }
    secret?: { secretName: string }
    persistentVolumeClaim?: { claimName: string }
  }[]
}

describe('the Kubernetes CronJob', () => {
  const documents = parseAllDocuments(example('kubernetes', 'cronjob.yaml'), { version: '1.1' })
  const objects = documents.map((document) => document.toJS() as KubernetesObject)
  const find = (kind: string, name = 'kfbackup'): KubernetesObject =>
    objects.find((object) => object.kind === kind && object.metadata.name === name)!
  const cronJob = find('CronJob').spec as CronJobSpec
  const pod = cronJob.jobTemplate.spec.template.spec
  const container = pod.containers[0]!

  it('is YAML without a mistake, with Secret, ConfigMap, two volumes and the job', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([])
    expect(objects.map(({ kind }) => kind)).toEqual(['Secret', 'ConfigMap', 'PersistentVolumeClaim', 'PersistentVolumeClaim', 'CronJob'])
  })

  it('mounts what exists, and every volume is used', () => {
    for (const { configMap, secret, persistentVolumeClaim } of pod.volumes) {
      if (configMap !== undefined) expect(find('ConfigMap', configMap.name)).toBeDefined()
      if (secret !== undefined) expect(find('Secret', secret.secretName)).toBeDefined()
      if (persistentVolumeClaim !== undefined) expect(find('PersistentVolumeClaim', persistentVolumeClaim.claimName)).toBeDefined()
    }
    expect(container.volumeMounts.map(({ name }) => name).toSorted()).toEqual(pod.volumes.map(({ name }) => name).toSorted())
  })

  it('keeps state on a volume, runs one at a time as nobody special on a read-only disk', () => {
    const state = container.env.find(({ name }) => name === 'KFBACKUP_STATE_DIR')!.value
    expect(container.volumeMounts.find(({ mountPath }) => mountPath === state)?.name).toBe('state')
    expect(cronJob.concurrencyPolicy).toBe('Forbid')
    expect(cronJob.schedule).toMatch(/^\d+ \d+ \* \* \*$/)
    expect(pod.securityContext.runAsNonRoot).toBe(true)
    expect(container.securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false })
    expect(container.args.slice(0, 2)).toEqual(['run', '--if-due'])
  })

  it('gives up at once only on exit codes of the contract that waiting does not mend', () => {
    const [rule] = cronJob.jobTemplate.spec.podFailurePolicy.rules
    const codes = rule!.onExitCodes.values
    expect(rule!.onExitCodes.containerName).toBe(container.name)
    expect(codes.filter((code) => !Object.values(EXIT).some((known) => known === code))).toEqual([])
    expect(codes).not.toContain(EXIT.tryLater)
    // A pod failure policy is refused with any other restart policy.
    expect(pod.restartPolicy).toBe('Never')
  })

  it('has a config that kfbackup takes, whose secrets are keys of the Secret', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'kfbackup.config.yaml')
    const text = find('ConfigMap').data!['kfbackup.config.yaml']!
    writeFileSync(file, text, { mode: 0o600 })
    const { config } = await loadConfig({ flags: { config: file }, env: {}, cwd: folder, purpose: 'run' })
    expect(config.storage).toMatchObject({ mode: 'local', path: container.volumeMounts.find(({ name }) => name === 'backups')!.mountPath })
    const used = [...text.matchAll(/file: \/secrets\/([a-z-]+)/g)].map((match) => match[1]!)
    expect(used.toSorted()).toEqual(Object.keys(find('Secret').stringData!).toSorted())
  })
})

describe('the CI job', () => {
  const workflow = parse(example('ci', 'github-actions.yml')) as {
    on: { schedule: { cron: string }[] }
    concurrency: { 'cancel-in-progress': boolean }
    jobs: {
      backup: {
        env: Record<string, string>
        'timeout-minutes': number
        steps: { name?: string; run?: string; if?: string; with?: Record<string, string> }[]
      }
    }
  }
  const { steps, env } = workflow.jobs.backup
  const script = steps.find(({ name }) => name === 'Back up')!.run!

  it('runs weekly, never two at once, with secrets from the secret store alone', () => {
    expect(workflow.on.schedule[0]!.cron).toBe('30 2 * * 0')
    expect(workflow.concurrency['cancel-in-progress']).toBe(false)
    for (const [name, value] of Object.entries(env)) {
      if (name !== 'KFBACKUP_STATE_DIR') expect(value).toBe(`\${{ secrets.${name} }}`)
    }
  })

  it('keeps the state also when the run did not finish', () => {
    const save = steps.find(({ name }) => name === 'Keep the state')!
    expect(save.if).toBe('always()')
    expect(env.KFBACKUP_STATE_DIR).toContain(save.with!.path)
  })

  it.each([
    [0, 0, 'complete'],
    [3, 3, 'something is missing'],
    [13, 13, ''],
    [75, 0, 'the next run continues'],
    [124, 0, 'the next run continues'],
    [143, 0, 'the next run continues'],
  ])('turns exit %i of the run into %i', (ends, expected, says) => {
    expect(bashCheck(script)).toEqual({ status: 0, stderr: '' })
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'timeout'), `#!/bin/sh\nexit ${ends}\n`)
    chmodSync(join(folder, 'timeout'), 0o755)
    const { status, stdout } = spawnSync('bash', ['-e', '-c', script], { env: { PATH: `${folder}:/usr/bin:/bin` }, encoding: 'utf8' })
    expect(status).toBe(expected)
    expect(stdout).toContain(says)
  })
})

describe('the hook', () => {
  const file = join(EXAMPLES, 'hooks', 'only-when-mounted.sh')

  function run(disk: string, mounted: boolean): { status: number | null; stderr: string } {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'mountpoint'), `#!/bin/sh\nexit ${mounted ? 0 : 32}\n`)
    chmodSync(join(folder, 'mountpoint'), 0o755)
    const { status, stderr } = spawnSync(file, [disk], {
      env: { PATH: `${folder}:/usr/bin:/bin`, KFBACKUP_ACCOUNT: 'acme' },
      encoding: 'utf8',
    })
    return { status, stderr }
  }

  it('is good shell and may be executed', () => {
    expect(bashCheck(example('hooks', 'only-when-mounted.sh'))).toEqual({ status: 0, stderr: '' })
    expect(statSync(file).mode & 0o111).toBe(0o111)
  })

  it('skips the run without the disk, lets it go with it, stops it when the disk is not there to write to', () => {
    const disk = join(temporaryFolder(), 'disk')
    mkdirSync(disk)
    expect(run(disk, false)).toMatchObject({ status: EXIT.tryLater, stderr: expect.stringContaining('no backup of acme now') })
    expect(run(disk, true)).toMatchObject({ status: 0, stderr: '' })
    expect(run(join(disk, 'gone'), true)).toMatchObject({ status: 1 })
  })
})

it.skipIf(program.status !== 0)('every flag the examples give to "kfbackup run" is a flag of it', () => {
  const texts = ['cron/kfbackup.crontab', 'systemd/kfbackup.service', 'ci/github-actions.yml'].map((path) => example(path))
  const flags = texts.flatMap((text) =>
    [...text.matchAll(/(?:kfbackup\.js|kfbackup@\S+) run((?: +--?[\w-]+(?: [^-\s]\S*)?)*)/g)].map((match) => match[1]!),
  )
  expect(flags).toHaveLength(3)
  for (const flag of flags.flatMap((text) => text.match(/--[\w-]+/g) ?? [])) expect(program.stdout).toContain(flag)
})
