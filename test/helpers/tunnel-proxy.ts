import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface TunnelProxy {
  url: string
  /** `host:port` of each tunnel asked for, with the credentials given. */
  tunnels: Array<{ target: string; authorization: string | undefined }>
  close: () => Promise<void>
}

/** A small real HTTP proxy. Every tunnel leads to 127.0.0.1, whatever host was asked for; `refuse` answers with that status instead. */
export async function tunnelProxy(options: { refuse?: number } = {}): Promise<TunnelProxy> {
  const tunnels: TunnelProxy['tunnels'] = []
  const sockets = new Set<Socket>()
  const server = createServer((_request, response) => response.writeHead(501).end())
  server.on('connect', (request, client: Socket) => {
    tunnels.push({ target: request.url ?? '', authorization: request.headers['proxy-authorization'] })
    if (options.refuse !== undefined) {
      client.end(`HTTP/1.1 ${options.refuse} No\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    const upstream = connect(Number((request.url ?? '').split(':').at(-1)), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(client)
      client.pipe(upstream)
    })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
