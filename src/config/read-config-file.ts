import { type FileHandle, open } from 'node:fs/promises'
import { extname } from 'node:path'
import { ConfigError } from '../errors.js'
import { parseJson } from './json-text.js'
import { type ParsedText, TextError } from './parsed-text.js'

/** Far more than any config; keeps `-c /dev/zero` from filling the memory. */
const MAX_BYTES = 1_000_000

/** Who runs this process and on what; an argument so that rules about owners can be tested. */
export interface Host {
  platform: NodeJS.Platform
  /** Undefined on Windows. */
  uid: number | undefined
}

export interface ConfigFileContent extends ParsedText {
  /** Somebody beside the owner may read the file. */
  readableByOthers: boolean
}

interface FileFacts {
  mode: number
  uid: number
  gid: number
}

/** Reads and parses a config file. Throws ConfigError naming the file, and the line where the text is wrong. */
export async function readConfigFile(path: string, host: Host): Promise<ConfigFileContent> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    throw unreadable(path, error)
  }
  try {
    // The checks look at the open file, not at the path: another file may stand there a moment later.
    const stat = await handle.stat()
    if (stat.isDirectory()) throw new ConfigError(`${path} is a folder, not a config file.`, { hint: 'Name the file itself.' })
    checkOwner(path, stat, host)
    const parsed = await parseText(path, await readText(path, handle))
    return { ...parsed, readableByOthers: host.platform !== 'win32' && (stat.mode & 0o044) !== 0 }
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(path, error)
  } finally {
    await handle.close()
  }
}

/** A config can name programs to run and where data goes: only its owner, who must be the user or root, may write it (details.md 20). */
export function checkOwner(path: string, stat: FileFacts, host: Host): void {
  if (host.platform === 'win32' || host.uid === undefined) return
  if (stat.uid !== host.uid && stat.uid !== 0) {
    throw new ConfigError(`${path} belongs to another user (uid ${stat.uid}); kfbackup obeys only files of its own user or of root.`, {
      hint: `Copy it, or make it yours: sudo chown ${host.uid} '${path}'`,
      code: 'E_CONFIG_OWNER',
    })
  }
  // Where every user has a group of the same number, that group is nobody else.
  const groupIsOther = stat.gid !== stat.uid
  if ((stat.mode & 0o002) !== 0 || ((stat.mode & 0o020) !== 0 && groupIsOther)) {
    throw new ConfigError(`${path} can be changed by other users (mode ${(stat.mode & 0o777).toString(8)}).`, {
      hint: `Take their right away: chmod go-w '${path}'`,
      code: 'E_CONFIG_WRITABLE',
    })
  }
}

async function readText(path: string, handle: FileHandle): Promise<string> {
  const buffer = Buffer.alloc(MAX_BYTES + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null)
    if (bytesRead === 0) break
    length += bytesRead
    if (length > MAX_BYTES) throw new ConfigError(`${path} is larger than 1 MB; that is no config file.`)
  }
  try {
    // The decoder takes a byte order mark off.
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length))
  } catch {
    throw new ConfigError(`${path} is not UTF-8 text.`, { hint: 'Save it as UTF-8.' })
  }
}

async function parseText(path: string, text: string): Promise<ParsedText> {
  if (text.trim() === '') throw new ConfigError(`${path} is empty.`, { hint: 'kfbackup init writes a config file.' })
  try {
    // Reading YAML costs 30 ms of start-up, which a JSON config need not pay.
    return isYaml(path, text) ? (await import('./yaml-text.js')).parseYaml(text) : parseJson(text)
  } catch (error) {
    if (!(error instanceof TextError)) throw error
    throw new ConfigError(`${path}:${error.line}:${error.column}: ${error.message}`, {
      cause: error,
      hint: `Mend the file, then run kfbackup config validate.`,
    })
  }
}

function isYaml(path: string, text: string): boolean {
  const extension = extname(path).toLowerCase()
  if (extension === '.yaml' || extension === '.yml') return true
  return extension !== '.json' && !text.trimStart().startsWith('{')
}

function unreadable(path: string, error: unknown): ConfigError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new ConfigError(`The config file ${path} does not exist.`, {
      hint: 'Name another with -c, or write one with kfbackup init.',
      cause: error,
    })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new ConfigError(`The config file ${path} may not be read.`, {
      hint: 'Run as its owner, or give the right to read it.',
      cause: error,
    })
  }
  return new ConfigError(`The config file ${path} could not be read: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
}
