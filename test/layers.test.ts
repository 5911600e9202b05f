import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'

const SRC = join(import.meta.dirname, '..', 'src')

/** Who may import whom. A folder missing from a list is a rule, not an oversight. */
const MAY_IMPORT: Record<string, string[]> = {
  util: [],
  http: ['util'],
  crypto: ['util'],
  archive: ['util'],
  config: ['util'],
  state: ['util'],
  notify: ['http', 'util'],
  kissflow: ['http', 'util'],
  storage: ['http', 'util'],
  sandbox: ['util'],
  core: ['archive', 'crypto', 'kissflow', 'notify', 'state', 'storage', 'http', 'util'],
  ui: ['config', 'core', 'util'],
  commands: ['archive', 'config', 'core', 'crypto', 'http', 'kissflow', 'notify', 'sandbox', 'state', 'storage', 'ui', 'util'],
  '.': ['commands', 'ui', 'util'],
}
/** Terminal, vendor and process belong to their own folder. */
const PACKAGE_HOME: Record<string, string[]> = {
  commander: ['.'],
  inquirer: ['ui'],
  ora: ['ui'],
  'cli-progress': ['ui'],
  chalk: ['ui'],
  undici: ['http'],
  conf: ['config'],
  zod: ['config'],
  yaml: ['config'],
  nodemailer: ['notify'],
  'age-encryption': ['crypto'],
  'csv-stringify': ['archive'],
  '@aws-sdk/client-s3': ['storage'],
  '@aws-sdk/s3-request-presigner': ['storage'],
  '@google-cloud/storage': ['storage'],
  '@googleapis/drive': ['storage'],
}
const MAX_LINES = 300

interface Sources {
  [file: string]: string
}

function layerOf(name: string): string {
  return name.includes('/') ? name.slice(0, name.indexOf('/')) : '.'
}

function specifiers(text: string): string[] {
  return [...text.matchAll(/(?:(?<![.\w])from|\bimport)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!)
}

function localImports(name: string, text: string): string[] {
  return specifiers(text)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) =>
      relative(SRC, join(SRC, dirname(name), specifier))
        .split(sep)
        .join('/')
        .replace(/\.js$/, '.ts'),
    )
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}

/** Every broken rule of the house in these sources, one sentence each. */
function violations(sources: Sources): string[] {
  const found: string[] = []
  for (const [name, text] of Object.entries(sources)) {
    const layer = layerOf(name)
    const allowed = new Set([layer, ...(MAY_IMPORT[layer] ?? [])])
    for (const target of localImports(name, text)) {
      if (target !== 'errors.ts' && !allowed.has(layerOf(target))) found.push(`${name} imports ${target}`)
    }
    for (const specifier of specifiers(text)) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
      const home = PACKAGE_HOME[packageOf(specifier)]
      if (home === undefined || !home.includes(layer)) found.push(`${name} imports package ${specifier}`)
    }
    if (layer !== '.' && /\bprocess\.exit(Code)?\b/.test(text)) found.push(`${name} touches the process's exit`)
    if (text.split('\n').length > MAX_LINES) found.push(`${name} is longer than ${MAX_LINES} lines`)
  }
  return found
}

function circles(sources: Sources): string[] {
  const done = new Set<string>()
  const found: string[] = []
  const visit = (name: string, path: string[]): void => {
    if (path.includes(name)) {
      found.push([...path.slice(path.indexOf(name)), name].join(' -> '))
      return
    }
    if (done.has(name) || sources[name] === undefined) return
    for (const target of localImports(name, sources[name])) visit(target, [...path, name])
    done.add(name)
  }
  for (const name of Object.keys(sources)) visit(name, [])
  return found
}

const real: Sources = Object.fromEntries(
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name.split(sep).join('/'), readFileSync(join(SRC, name), 'utf8')]),
)

describe('the house', () => {
  it('keeps to its layers, package homes and file lengths', () => {
    expect(violations(real)).toEqual([])
  })

  it('has no import circle', () => {
    expect(circles(real)).toEqual([])
  })

  it('would notice a wrong import, a vendor package outside its room, an exit and a circle', () => {
    expect(violations({ 'util/clock.ts': "import { x } from '../core/run.js'" })).toEqual(['util/clock.ts imports core/run.ts'])
    expect(violations({ 'core/run.ts': "import chalk from 'chalk'" })).toEqual(['core/run.ts imports package chalk'])
    expect(violations({ 'core/run.ts': "const x = await import('left-pad')" })).toEqual(['core/run.ts imports package left-pad'])
    expect(violations({ 'core/run.ts': 'process.exitCode = 1' })).toEqual(["core/run.ts touches the process's exit"])
    expect(circles({ 'core/a.ts': "import './b.js'", 'core/b.ts': "import './a.js'" })).toEqual(['core/a.ts -> core/b.ts -> core/a.ts'])
  })
})
