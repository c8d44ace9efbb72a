// A door between a client and the server: it counts what came through, and can be shut.
import { connect, createServer } from 'node:net'

/**
 * `url` leads through it to `target`; `cut()` ends every connection, as a network that fails; after `stall()` nothing more
 * comes through those that there are, and nobody is told; `received()` counts bytes.
 */
export async function createProxy(target) {
  const { hostname, port } = new URL(target)
  const pairs = new Set()
  let bytes = 0

  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const pair = [client, upstream]
    const end = () => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    pairs.add(pair)
    upstream.on('data', (chunk) => {
      bytes += chunk.length
    })
    client.pipe(upstream)
    upstream.pipe(client)
    for (const socket of pair) socket.on('close', end).on('error', end)
  })
  const cut = () => {
    const all = [...pairs]
    for (const socket of all.flat()) socket.destroy()
    return all.length
  }
  const stall = () => {
    for (const [client, upstream] of pairs) {
      client.unpipe(upstream).pause()
      upstream.unpipe(client).pause()
    }
  }
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    cut,
    stall,
    received: () => bytes,
    close: () => {
      cut()
      server.close()
    },
  }
}
