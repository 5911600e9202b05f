// Joins what every command loads into a few files: opening, compiling and linking 300 small ones took a quarter of the time of a short command. Packages
// that are loaded only when they are needed stay as they are.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'rolldown'

const JOINED = ['zod', 'commander', 'csv-stringify']
const FOLDER = 'dist/joined'

const isJoined = (id) => JOINED.some((name) => id === name || id.startsWith(`${name}/`))
const isPath = (id) => id.startsWith('.') || id.startsWith('/')

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
  output: { dir: FOLDER, format: 'esm', cleanDir: true, entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
})
