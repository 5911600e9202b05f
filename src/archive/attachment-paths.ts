import { UniqueNames } from './unique-names.js'

/** Where a file hangs in the account. */
export interface AttachmentPlace {
  recordId: string
  fieldId: string
  /** Both set for a file inside a child table. */
  tableId: string | undefined
  rowId: string | undefined
  /** Undefined for an image whose value has no id. */
  attachmentId: string | undefined
  name: string
}

/** A file's path below its flow's folder, and what was changed for it. */
export interface AttachmentPath {
  path: string
  /** The folder names before they were made safe; undefined when they needed no change. */
  originalFolders: string[] | undefined
}

interface FieldNames {
  attachments: UniqueNames
  files: Map<string, UniqueNames>
}

/**
 * Gives the files of one flow their paths (details.md 5 and 6). Files come grouped by record: below the record's folder only the current
 * record's names are kept.
 */
export class AttachmentPaths {
  private readonly records = new UniqueNames({ extension: false })
  private recordId: string | undefined
  private recordFolder = ''
  private fieldNames = new UniqueNames({ extension: false })
  private fields = new Map<string, FieldNames>()

  /** The path of the next file. */
  next(place: AttachmentPlace): AttachmentPath {
    if (place.recordId !== this.recordId) {
      this.enter(place.recordId)
      this.recordFolder = this.records.idFor(place.recordId)
    }
    const originals = originalsOf(place)
    const fieldFolder = this.fieldNames.idFor(originals[1])
    const field = this.field(fieldFolder)
    const attachmentFolder = field.attachments.idFor(originals[2])
    const folders = [this.recordFolder, fieldFolder, attachmentFolder]
    const name = filesOf(field, attachmentFolder).nextFor(place.name)
    const changed = folders.some((folder, index) => folder !== originals[index])
    return { path: `Attachments/${folders.join('/')}/${name}`, originalFolders: changed ? originals : undefined }
  }

  /** Puts back a path given by an earlier process; call it for every file before the first `next`, in order. */
  restore(path: string, originalName: string, originalFolders: string[] | undefined): void {
    const [, record = '', fieldFolder = '', attachment = '', name = ''] = path.split('/')
    const originals = originalFolders ?? [record, fieldFolder, attachment]
    if (originals[0] !== this.recordId) {
      this.enter(originals[0] ?? record)
      this.recordFolder = record
      this.records.restore(originals[0] ?? record, record)
    }
    this.fieldNames.restore(originals[1] ?? fieldFolder, fieldFolder)
    const field = this.field(fieldFolder)
    field.attachments.restore(originals[2] ?? attachment, attachment)
    filesOf(field, attachment).restore(originalName, name)
  }

  private enter(recordId: string): void {
    this.recordId = recordId
    this.fieldNames = new UniqueNames({ extension: false })
    this.fields = new Map()
  }

  private field(folder: string): FieldNames {
    let field = this.fields.get(folder)
    if (field === undefined) {
      field = { attachments: new UniqueNames({ extension: false }), files: new Map() }
      this.fields.set(folder, field)
    }
    return field
  }
}

function originalsOf(place: AttachmentPlace): [string, string, string] {
  const inTable = place.tableId !== undefined && place.rowId !== undefined
  return [place.recordId, inTable ? `${place.tableId}~${place.rowId}~${place.fieldId}` : place.fieldId, place.attachmentId ?? 'image']
}

function filesOf(field: FieldNames, attachmentFolder: string): UniqueNames {
  let names = field.files.get(attachmentFolder)
  if (names === undefined) {
    names = new UniqueNames({ extension: true })
    field.files.set(attachmentFolder, names)
  }
  return names
}
