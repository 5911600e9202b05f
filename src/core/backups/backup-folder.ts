/** A backup's id: when its run began, in UTC, and eight random hex digits (details.md 1). */
export const BACKUP_ID = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-[0-9a-f]{8}$/
const FOLDER = /^kfbackup-([a-z0-9-]+?)-(\d{8}T\d{6}Z-[0-9a-f]{8})$/

/** What every backup's folder begins with. */
export const FOLDER_START = 'kfbackup-'
export const COMMIT_MARKER = 'backup.json'
/** End of the name of the file beside a backup's folder that protects it. Beside, because inside it would be a file the backup does not know. */
export const PIN_END = '.pin'

export interface BackupFolder {
  /** Name of the folder. */
  folder: string
  subdomain: string
  id: string
}

/** Reads a folder's name; undefined when it is not that of a backup. */
export function parseFolder(folder: string): BackupFolder | undefined {
  const match = FOLDER.exec(folder)
  if (match?.[1] === undefined || match[2] === undefined || startOf(match[2]) === undefined) return undefined
  return { folder, subdomain: match[1], id: match[2] }
}

/** The name of a backup's folder. */
export function folderOf(subdomain: string, id: string): string {
  return `${FOLDER_START}${subdomain}-${id}`
}

/** When the run of this id began, in milliseconds since the epoch; undefined when it is no id, or no date (20260231T…). */
export function startOf(id: string): number | undefined {
  const match = BACKUP_ID.exec(id)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second] = match
  const text = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const time = Date.parse(`${text}Z`)
  // Date.parse turns the 31st of February into the 3rd of March.
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(text) ? time : undefined
}
