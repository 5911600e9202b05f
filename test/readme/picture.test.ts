import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CATEGORY_LABELS, PHASE_LABELS } from '../../src/ui/describe.js'

const HERE = join(import.meta.dirname, 'picture')
const recording = readFileSync(join(HERE, 'session.cast'), 'utf8')

describe("README's picture", () => {
  it('is drawn from the recording that lies here', async () => {
    const { sessionSvg } = (await import(join(HERE, 'svg.mjs'))) as { sessionSvg: (recording: string) => string }
    const svg = sessionSvg(recording)
    expect(readFileSync(join(HERE, '../../../examples/terminal.svg'), 'utf8')).toBe(svg)
    // Without animation the last screen is seen.
    const [last] = svg.match(/<g id="f\d+">/g) ?? []
    expect(last).toBeDefined()
    expect(svg.match(/<g id="f\d+" visibility="hidden">/g)?.length).toBeGreaterThan(8)
  })

  it('shows what the program says today, and no path of the machine it was made on', () => {
    const text = recording
      .split('\n')
      .slice(1)
      .flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as [number, string, string])[2]]))
      .join('')
    for (const label of [...Object.values(CATEGORY_LABELS), PHASE_LABELS.collect, PHASE_LABELS.pack, 'Backup completed.', 'is whole']) {
      expect(text).toContain(label)
    }
    expect(text).not.toMatch(/\/(tmp|home|root|work)\//)
  })
})
