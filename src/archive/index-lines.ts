/** A line of entries.jsonl: one ZIP entry (details.md 9). */
export interface EntryLine {
  path: string
  /** The name as the account has it, before it was made safe. */
  original: string
  bytes: number
  sha256: string
  /** File name of the part, without its extension. */
  part: string
  /** Record, field and attachment id as the account has them; only where a folder's name had to be changed. */
  original_folders?: string[] | undefined
}

/** A line of records.jsonl: one record (details.md 9). */
export interface RecordLine {
  flow: string
  id: string
  modified_at?: string | undefined
  /** Of the record's bytes as stored. */
  sha256: string
  /** Path of the ZIP entry that holds it. */
  entry: string
}

/** Formats lines of entries.jsonl. */
export function entryLine(line: EntryLine): string {
  return `${JSON.stringify(line)}\n`
}

/** Formats lines of records.jsonl for one flow in one entry: what they share is written once. */
export function recordLines(flow: string, entry: string): (id: string, modifiedAt: string | undefined, sha256: string) => string {
  const start = `{"flow":${JSON.stringify(flow)},"id":`
  const end = `","entry":${JSON.stringify(entry)}}\n`
  return (id, modifiedAt, sha256) => {
    const modified = modifiedAt === undefined ? '' : `,"modified_at":${JSON.stringify(modifiedAt)}`
    return `${start}${JSON.stringify(id)}${modified},"sha256":"${sha256}${end}`
  }
}

/** A JSON array of values as a stream, a line for each. */
export async function* jsonArray(values: AsyncIterable<unknown>): AsyncGenerator<Buffer, void, undefined> {
  let separator = '[\n'
  for await (const value of values) {
    yield Buffer.from(`${separator}${JSON.stringify(value)}`)
    separator = ',\n'
  }
  yield Buffer.from(separator === '[\n' ? '[]\n' : '\n]\n')
}
