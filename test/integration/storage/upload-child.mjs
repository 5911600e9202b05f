// One process that sends a staging file and keeps its checkpoint in a file, as a run does. The test kills it.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { S3Storage } from '../../../dist/storage/s3.js'

const [bucket, endpoint, path, file, sha256, bytes, checkpointFile, partBytes] = process.argv.slice(2)
const storage = new S3Storage({ bucket, prefix: 'crash', endpoint, forcePathStyle: true }, { partBytes: Number(partBytes) })
let checkpoint
try {
  checkpoint = JSON.parse(readFileSync(checkpointFile, 'utf8'))
} catch {}
await storage.uploadFile(
  path,
  file,
  {
    bytes: Number(bytes),
    sha256,
    checkpoint,
    onCheckpoint: async (saved) => {
      writeFileSync(`${checkpointFile}.new`, JSON.stringify(saved))
      renameSync(`${checkpointFile}.new`, checkpointFile)
    },
    onProgress: (confirmed) => process.stdout.write(`${confirmed}\n`),
  },
  new AbortController().signal,
)
await storage.close()
process.stdout.write('done\n')
