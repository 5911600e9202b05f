import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readmeText } from '../../src/archive/readme.js'
import { environmentOverrides } from '../../src/config/origins.js'
import { configJsonSchema } from '../../src/config/schema.js'
import { GAP_CODES } from '../../src/core/gap-codes.js'
import { EXIT } from '../../src/errors.js'
import { ENDPOINTS } from '../../src/kissflow/endpoints.js'
import { readJson, start, withWorkspace } from '../helpers/workspace.js'
import { keysOf } from './config-keys.js'
import { blocksOf, codeIn, tableOf, tablesOf } from './markdown.js'
import { leavesOf, problemOf, theProgram } from './program.js'

const ROOT = join(import.meta.dirname, '../..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const PROSE = README.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')

describe('README', () => {
  it('has the two commands, and package.json what they call', () => {
    const blocks = blocksOf(README, 'sh').map((block) => block.trim())
    expect(blocks).toContain('npm ci && npm run demo')
    expect(blocks).toContain('npm ci && npm test')
    const { scripts } = readJson(join(ROOT, 'package.json')) as { scripts: Record<string, string> }
    const called = [...README.matchAll(/npm (?:run )?(test(?::\w+)?|demo|bench|check)\b/g)].map(([, name]) => name)
    expect(called.length).toBeGreaterThan(5)
    for (const name of called) expect(Object.keys(scripts)).toContain(name)
  })

  it('names every command in its table, and none that does not exist', () => {
    const program = theProgram()
    const told = tableOf(README, 'command').rows.flatMap(([commands = '']) => codeIn(commands))
    expect(told.filter((name) => !leavesOf(program).has(name))).toEqual([])
    expect([...leavesOf(program).keys()].filter((name) => !told.includes(name))).toEqual([])
  })

  it('shows only command lines that the program takes', () => {
    const program = theProgram()
    const lines = [...blocksOf(README, 'sh').flatMap((block) => block.split('\n')), ...codeIn(PROSE)].filter((line) =>
      line.startsWith('kfbackup '),
    )
    expect(lines.length).toBeGreaterThan(10)
    expect(lines.flatMap((line) => problemOf(program, line) ?? [])).toEqual([])
  })

  it('has every key of the config with its default, and no other', () => {
    const keys = keysOf(configJsonSchema())
    const rows = tableOf(README, 'key').rows.map(([key = '', value = '']) => [codeIn(key)[0] ?? '', codeIn(value)[0]] as const)
    // Its short form is a key of its own.
    expect(rows.map(([key]) => key).filter((key) => !keys.has(key) && key !== 'storage.link')).toEqual([])
    expect([...keys.keys()].filter((key) => !rows.some(([told]) => told === key))).toEqual([])
    for (const [key, told] of rows) {
      const value = keys.get(key)
      if (value === undefined || (Array.isArray(value) && told === undefined)) continue
      expect(told, key).toBe(typeof value === 'string' ? value : JSON.stringify(value))
    }
  })

  it('shows configs that validate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kfbackup-readme-'))
    try {
      const blocks = [...blocksOf(README, 'yaml'), ...blocksOf(README, 'json')]
      expect(blocks.length).toBeGreaterThan(0)
      for (const [index, block] of blocks.entries()) {
        const file = join(folder, `${index}.yaml`)
        writeFileSync(file, block, { mode: 0o600 })
        const { code, stderr } = await start(['config', 'validate', '-c', file], {
          cwd: folder,
          env: { HOME: folder, KISSFLOW_ACCESS_KEY_ID: 'Ak1' },
        }).ended
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('names the variables of the environment that the sources read', () => {
    const told = tableOf(README, 'variable').rows.flatMap(([names = '']) => codeIn(names))
    const account = told.filter((name) => name.startsWith('KISSFLOW_'))
    expect(environmentOverrides(Object.fromEntries(account.map((name) => [name, 'x']))).length).toBe(account.length)
    expect(account.length).toBe(5)
    for (const name of ['KFBACKUP_CONFIG', 'KFBACKUP_STATE_DIR', 'KFBACKUP_PASSPHRASE', 'KFBACKUP_PASSPHRASE_FILE', 'NO_COLOR']) {
      expect(told).toContain(name)
    }
  })

  it('has the exit codes of the program', () => {
    const told = tableOf(README, 'code').rows.map(([code = '']) => Number(codeIn(code)[0]))
    expect(told).toEqual(Object.values(EXIT))
  })

  it('says of every endpoint how sure it is', () => {
    const told = tablesOf(README)
      .filter(({ header }) => header[1] === 'how sure')
      .flatMap(({ rows }) => rows.flatMap(([, sure = '', names = '']) => codeIn(names).map((name) => [name, sure] as const)))
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(Object.entries(ENDPOINTS).map(([name, { sure }]) => [name, sure])))
    expect(new Set(told.map(([name]) => name)).size).toBe(told.length)
  })

  it('names what the API offers to no key, and the event that a download writes', () => {
    const words: Record<string, string> = {
      service_accounts: 'service accounts',
      access_keys: 'access keys',
      external_users: 'external (portal) users',
      project_members: 'who has access to a project',
      definitions: 'definitions of flows',
      snapshot: 'one consistent moment',
    }
    const codes = Object.entries(GAP_CODES).flatMap(([code, entry]) => (entry.class === 'notOffered' ? [code] : []))
    expect(Object.keys(words).sort()).toEqual([...codes].sort())
    const flat = README.replaceAll(/\s+/g, ' ')
    for (const word of Object.values(words)) expect(flat).toContain(word)
    expect(flat).toMatch(/each file download may write a "File download" event into the account's audit log/)
  })

  it('opens a backup with the very commands of its Readme.txt', () => {
    const shell = blocksOf(README, 'sh').find((block) => block.includes('sha256sum')) ?? ''
    const facts = {
      folder: 'kfbackup-acme-20261123T023000Z-1a2b3c4d',
      account: { subdomain: 'acme', accountId: 'Ac1' },
      createdAt: '2026-11-23T02:30:00Z',
      tool: { name: 'kfbackup', version: '0.1.0' },
      categories: ['transactions'],
      counts: { flows: 1, records: 1, comments: 0, activity: 0, files: 0, usersAndGroups: 0, auditEvents: 0, entries: 1 },
      parts: [],
    }
    const texts = [
      { format: 'openssl', extension: '.aes256cbc', describe: { iterations: 600_000, digest: 'sha256' } },
      { format: 'age', extension: '.zip.age', describe: {} },
    ].map((encryption) => readmeText({ ...facts, encryption }).toString())
    const lines = shell.trim().split('\n')
    expect(lines.length).toBe(4)
    for (const line of lines)
      expect(
        texts.some((text) => text.includes(line)),
        line,
      ).toBe(true)
  })

  it('names every dependency, and no package that is none', () => {
    const { dependencies, devDependencies } = readJson(join(ROOT, 'package.json')) as Record<string, Record<string, string>>
    const told = tableOf(README, 'package').rows.flatMap(([names = '']) => codeIn(names))
    expect([...told].sort()).toEqual([...Object.keys(dependencies ?? {}), ...Object.keys(devDependencies ?? {})].sort())
  })

  it('links to files and headings that exist', () => {
    const slugs = [...README.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} -]/gu, '')
        .replaceAll(' ', '-'),
    )
    const targets = [...PROSE.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target).filter((target) => !/^https?:/.test(target))
    expect(targets.length).toBeGreaterThan(3)
    for (const target of targets) {
      if (target.startsWith('#')) expect(slugs).toContain(target.slice(1))
      else expect(existsSync(join(ROOT, target)), target).toBe(true)
    }
    for (const target of [
      ...readFileSync(join(ROOT, 'examples/README.md'), 'utf8').matchAll(/`([\w.-]+\/[\w.-]+\.\w+|[\w.-]+\.(?:json|yaml))`/g),
    ]) {
      expect(existsSync(join(ROOT, 'examples', target[1] ?? '')), target[1]).toBe(true)
    }
  })

  it('tells every field that a run prints with --json', async () => {
    const told = Object.fromEntries(
      tableOf(README, '`message_type`').rows.map(([type = '', , fields = '']) => [codeIn(type)[0], codeIn(fields).sort()]),
    )
    // A capped page is a warning, so that there is one.
    await withWorkspace({ faults: 'cap=7' }, async (workspace) => {
      const { lines, code } = await workspace.run()
      expect(code).toBe(0)
      const seen = new Map<unknown, string[]>()
      for (const { message_type: type, ...fields } of lines) seen.set(type, Object.keys(fields).sort())
      const failed = await workspace.run(['run', '--no-such-flag'])
      const { message_type: type, ...fields } = failed.error as unknown as Record<string, unknown>
      seen.set(type, Object.keys(fields).sort())
      expect(Object.fromEntries(seen)).toEqual(told)
    })
  })
})
