// The process of `app: (express) => …` in motia.config: the project's own express behind a private socket. The engine asks it before
// the steps, about the paths that the hook registered; what it does not answer goes on to the steps.
import { createServer } from 'node:http'
import { Socket } from 'node:net'
import { findExpress, mark, recordPaths } from './lib/express-app.mjs'
import { importModule } from './lib/loader.mjs'
import { defaultOf } from './lib/steps.mjs'

const fd = Number(process.env.MOTIA_FD)
if (!Number.isInteger(fd) || fd < 3) {
  process.stderr.write('This runs the `app` hook of motia.config. The motia command starts it.\n')
  process.exit(2)
}
// Processes that user code starts are not ours.
delete process.env.MOTIA_FD

const [, , socket, module, root] = process.argv
const engine = new Socket({ fd, allowHalfOpen: true })
const tell = (message) => engine.write(`${JSON.stringify(message)}\n`)

/** The thread that runs the application says so often: one that is blocked falls silent, and is replaced. */
const ALIVE = 500

// Stopping comes by the end of the stream: a Ctrl-C in the terminal reaches all processes of the group.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

async function start() {
  const express = findExpress(root)
  if (express === undefined) return tell({ missing: 'express' })
  const app = express()
  const recorded = recordPaths(app)
  const config = await defaultOf(await importModule(module))
  await config.app(app)
  const registered = recorded()
  mark(app)
  const server = createServer((request, response) => {
    pretendPeer(request)
    app(request, response)
  })
  // The engine is the only client, and sets the limits of time.
  Object.assign(server, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, timeout: 0 })
  server.listen(socket, () => {
    tell({ ready: registered })
    setInterval(() => tell('alive'), ALIVE).unref()
  })
  engine.on('end', () => server.close(() => process.exit(0)))
}

/** `req.ip` is that of the client, as if there were no socket between. */
function pretendPeer(request) {
  const value = request.headers['x-motia-peer']
  delete request.headers['x-motia-peer']
  const at = request.rawHeaders.findIndex((name, n) => n % 2 === 0 && name.toLowerCase() === 'x-motia-peer')
  if (at >= 0) request.rawHeaders.splice(at, 2)
  Object.defineProperty(request.socket, 'remoteAddress', { value, configurable: true })
}

engine.on('error', () => process.exit(1))
engine.resume()
start().catch((error) => tell({ failed: error?.stack ?? String(error) }))
