// Joins the compiled files and what they need of a few packages into few files: opening, compiling and linking 300 small ones took a quarter of the time of
// a short command. CommonJS, which Node starts sooner. Packages that are loaded only when they are needed stay as they are.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { defineConfig } from 'rolldown'

const JOINED = ['zod', 'commander', 'csv-stringify', 'undici']
const FOLDER = 'dist/joined'

const isJoined = (id) => JOINED.some((name) => id === name || id.startsWith(`${name}/`))
const isPath = (id) => id.startsWith('.') || id.startsWith('/')

/** The compiled files that `entry` imports when it is loaded, and those they import; packages left out. */
function loadedBy(...entries) {
  const found = new Set()
  const visit = (path) => {
    if (found.has(path)) return
    found.add(path)
    for (const [, name] of readFileSync(path, 'utf8').matchAll(/^(?:import|export) [^;]*?from '(\.[^']+)'/gms))
      visit(resolve(dirname(path), name))
  }
  for (const entry of entries) visit(resolve(entry))
  return found
}

// What each file below is loaded for; a module that several need goes into the one that is loaded first (test/scenario/loaded-files.test.ts).
const always = loadedBy('dist/main.js')
const program = loadedBy('dist/cli.js')
const key = loadedBy('dist/commands/begin-key.js')
const settings = loadedBy('dist/config/load.js')
const run = loadedBy('dist/commands/run.js', 'dist/crypto/openssl-encryption.js')
const isPackage = (id, name) => id.includes(`/node_modules/${name}/`)

/** Their licences ask for it. */
const licences = {
  name: 'licences',
  writeBundle() {
    const texts = JOINED.map((name) => `${name}\n\n${readFileSync(join('node_modules', name, 'LICENSE'), 'utf8')}`)
    writeFileSync(join(FOLDER, 'LICENSES.txt'), texts.join('\n'))
  },
}

export default defineConfig({
  input: { main: 'dist/main.js' },
  external: (id) => !isPath(id) && !isJoined(id),
  platform: 'node',
  plugins: [licences],
  output: {
    dir: FOLDER,
    format: 'cjs',
    cleanDir: true,
    // Packages that stay outside are ES modules, some of them.
    dynamicImportInCjs: true,
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    codeSplitting: {
      groups: [
        { name: 'always', test: (id) => always.has(id), priority: 5 },
        { name: 'key', test: (id) => key.has(id), priority: 4 },
        { name: 'program', test: (id) => program.has(id) || isPackage(id, 'commander'), priority: 3 },
        { name: 'settings', test: (id) => settings.has(id) || isPackage(id, 'zod'), priority: 2 },
        { name: 'backup', test: (id) => run.has(id), priority: 1 },
      ],
    },
  },
})
