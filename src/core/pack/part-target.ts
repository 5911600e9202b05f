import { createWriteStream, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { BackupPart } from '../../archive/backup-json.js'
import type { Storage, UploadCheckpoint } from '../../storage/storage.js'
import { writeFileAtomic } from '../../util/atomic-file.js'
import { differences, type PackCheckpoint } from './checkpoint.js'

/** Where a part's bytes go while they are made. */
export interface PartTarget {
  stream: Writable
  /** The part is whole. `after` is the place behind it; a target that can go on later writes both down. */
  seal(part: BackupPart, after: PackCheckpoint): void
  /** Gives the part its final name at the destination. */
  store(signal: AbortSignal): Promise<void>
  /** The part is stored and the caller knows: frees what it used here. */
  forget(): void
  /** Leaves nothing half-made behind; a sealed part that can go on later is kept. */
  abort(): Promise<void>
}

/** A finished part in the staging folder, with how far its upload came. */
interface StagedNote {
  part: BackupPart
  after: PackCheckpoint
  upload: UploadCheckpoint | undefined
}

/** Streams straight to the destination: local storage. */
export async function directTarget(storage: Storage, path: string, signal: AbortSignal): Promise<PartTarget> {
  const upload = await storage.put(path, signal)
  return {
    stream: upload.stream,
    seal: () => {},
    store: async () => {
      await upload.commit()
    },
    forget: () => {},
    abort: () => upload.abort(),
  }
}

type Uploader = Required<Pick<Storage, 'uploadFile'>> & Storage

/** True when the storage takes finished files and continues them after a crash. */
export function takesFiles(storage: Storage): storage is Uploader {
  return storage.uploadFile !== undefined
}

/**
 * Parts on their way to a remote destination: each is written to a file, noted down, sent, and freed when it is confirmed. A part that was
 * finished before a crash is sent on from its last confirmed byte.
 */
export class Staging {
  private readonly folder: string
  private readonly storage: Uploader
  private readonly destination: string

  constructor(folder: string, storage: Uploader, destination: string) {
    this.folder = folder
    this.storage = storage
    this.destination = destination
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  create(file: string): PartTarget {
    const path = join(this.folder, file)
    const stream = createWriteStream(path, { mode: 0o600, flush: true })
    stream.on('error', () => {}) // `pipeline` reports it; this only keeps a late one from ending the process
    return this.target(path, stream, undefined)
  }

  /** The parts an earlier process finished behind `checkpoint` and did not store, in order; every other file of the folder is removed. */
  recover(checkpoint: PackCheckpoint): { part: BackupPart; after: PackCheckpoint; target: PartTarget }[] {
    const notes = readdirSync(this.folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => this.readNote(join(this.folder, name)))
      .filter((note) => note !== undefined)
      .sort((left, right) => left.after.parts - right.after.parts)
    const found: { part: BackupPart; after: PackCheckpoint; target: PartTarget }[] = []
    for (const note of notes) {
      const path = join(this.folder, note.part.name)
      const next = note.after.parts === checkpoint.parts + found.length + 1 && differences(note.after, checkpoint).length === 0
      if (!next || statSync(path, { throwIfNoEntry: false })?.size !== note.part.bytes) break
      found.push({ part: note.part, after: note.after, target: this.target(path, undefined, note) })
    }
    const kept = new Set(found.flatMap(({ part }) => [part.name, `${part.name}.json`]))
    for (const name of readdirSync(this.folder)) {
      if (!kept.has(name)) rmSync(join(this.folder, name), { force: true })
    }
    return found
  }

  private readNote(path: string): StagedNote | undefined {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as StagedNote
    } catch {
      // Not one of ours, or unreadable: the part is made again.
      return undefined
    }
  }

  private target(path: string, stream: Writable | undefined, recovered: StagedNote | undefined): PartTarget {
    let note = recovered
    const save = (next: StagedNote): void => {
      note = next
      writeFileAtomic(`${path}.json`, JSON.stringify(next))
    }
    return {
      get stream(): Writable {
        if (stream === undefined) throw new Error('a recovered part takes no bytes')
        return stream
      },
      seal: (part, after) => save({ part, after, upload: undefined }),
      store: async (signal) => {
        if (note === undefined) throw new Error('a part is sealed before it is stored')
        const { part, after, upload } = note
        const onCheckpoint = async (confirmed: UploadCheckpoint): Promise<void> => save({ part, after, upload: confirmed })
        const options = { bytes: part.bytes, sha256: part.sha256, checkpoint: upload, onCheckpoint }
        await this.storage.uploadFile(`${this.destination}/${part.name}`, path, options, signal)
      },
      forget: () => {
        rmSync(`${path}.json`, { force: true })
        rmSync(path, { force: true })
      },
      abort: async () => {
        if (note !== undefined) return
        stream?.destroy()
        // An open may still be in flight: removing the file before it lands would leave it behind.
        if (stream !== undefined) await finished(stream).catch(() => {})
        rmSync(path, { force: true })
      },
    }
  }
}
