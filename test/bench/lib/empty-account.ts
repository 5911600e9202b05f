import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

// An account that holds nothing at all, not even a user: every list is empty.
const server = createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json' }).end('[]')
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  const said = { base_url: `http://127.0.0.1:${port}`, account_id: 'AcEmpty0001', access_key_id: 'key', access_key_secret: 'empty-account' }
  process.stdout.write(`${JSON.stringify(said)}\n`)
})
process.once('SIGTERM', () => process.exit(0))
