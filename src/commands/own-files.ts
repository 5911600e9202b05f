import { fileURLToPath } from 'node:url'

// Compiled, this file may stand elsewhere, but two folders below the package's root it always is.
/** The package's own package.json. */
export const PACKAGE_JSON = new URL('../../package.json', import.meta.url)
/** The program itself, for whatever is to start it later. */
export const SCRIPT = fileURLToPath(new URL('../../bin/kfbackup.js', import.meta.url))
