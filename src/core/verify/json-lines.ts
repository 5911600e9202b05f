import { DamagedError } from '../../errors.js'

const LINE_FEED = 0x0a
/** No line kfbackup writes comes near this; a longer one is damage, or an attempt to fill the memory. */
const MAX_LINE_BYTES = 16 * 2 ** 20

/** The values of JSON Lines, those of a chunk together. Throws DamagedError at a line that is no JSON. */
export async function* readJsonLines(source: AsyncIterable<Buffer>, name: string): AsyncGenerator<unknown[]> {
  let rest: Buffer = Buffer.alloc(0)
  let line = 0
  const parse = (bytes: Buffer): unknown => {
    line++
    try {
      return JSON.parse(bytes.toString('utf8')) as unknown
    } catch (error) {
      throw new DamagedError(`Line ${line} of ${name} is no JSON.`, { cause: error })
    }
  }
  for await (const chunk of source) {
    const values: unknown[] = []
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      const piece = chunk.subarray(start, end)
      values.push(parse(rest.length === 0 ? piece : Buffer.concat([rest, piece])))
      rest = Buffer.alloc(0)
      start = end + 1
    }
    if (start < chunk.length) rest = rest.length === 0 ? Buffer.from(chunk.subarray(start)) : Buffer.concat([rest, chunk.subarray(start)])
    if (rest.length > MAX_LINE_BYTES) throw new DamagedError(`Line ${line + 1} of ${name} has no end.`)
    if (values.length > 0) yield values
  }
  if (rest.length > 0) yield [parse(rest)]
}
