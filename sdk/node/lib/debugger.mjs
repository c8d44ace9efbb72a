// A debugger attaches to the worker that serves, and to it alone. The one before it may hold the port a little longer.
import { once } from 'node:events'
import { createServer } from 'node:net'

const PAUSE = 100
const HOST = '127.0.0.1'

export class Debugger {
  #wanted

  /** Listens on a port of this machine; on none any more without one. */
  async listen(port) {
    this.#wanted = port
    const inspector = await import('node:inspector')
    if (inspector.url() !== undefined) inspector.close()
    while (port !== undefined && this.#wanted === port) {
      if (await isFree(port)) return inspector.open(port, HOST)
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
  }
}

/** `inspector.open` says that a port is taken on stderr alone. */
async function isFree(port) {
  const server = createServer().listen(port, HOST)
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
