// A debugger attaches to the worker that serves, and to it alone. The one before it may hold the port a little longer.
import { once } from 'node:events'
import { createServer } from 'node:net'

const PAUSE = 100
/** So often is a port that is taken tried before that is said. */
const QUIET = 15
const HOST = '127.0.0.1'

export class Debugger {
  #wanted

  /**
   * Listens on a port of this machine; on none any more without one. `say` gets what is wrong with the port, if that
   * lasts.
   */
  async listen(port, say) {
    this.#wanted = port
    const inspector = await import('node:inspector')
    if (inspector.url() !== undefined) inspector.close()
    for (let tries = 1; port !== undefined && this.#wanted === port; tries++) {
      const problem = await problemOf(port)
      if (problem === undefined) return inspector.open(port, HOST)
      if (tries === QUIET) say(complaint(port, problem))
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    }
  }
}

const complaint = (port, { code }) =>
  code === 'EADDRINUSE'
    ? `no debugger can attach: port ${port} is taken, by another program or by a worker before this one that stands at a breakpoint. Free it, and this worker listens there; or choose another: motia dev --inspect=PORT`
    : `no debugger can attach: port ${port} cannot be used (${code}). Choose another: motia dev --inspect=PORT`

/** Why a port cannot be listened on. `inspector.open` says that on stderr alone. */
async function problemOf(port) {
  const server = createServer().listen(port, HOST)
  try {
    await once(server, 'listening')
  } catch (error) {
    return error
  } finally {
    server.close()
  }
}
