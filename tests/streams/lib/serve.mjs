// A server in a process of its own, and the clients against it.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { folder } from './versions.mjs'

const START_LIMIT = 30_000

export function freePort() {
  const server = createServer()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** A program that serves the test project's steps at `port`; it can be stopped and started again. */
export function createServed(port, command, given, options = {}) {
  let program
  async function start() {
    program = spawn(command, given, { stdio: ['ignore', 'ignore', 'inherit'], ...options })
    const end = Date.now() + START_LIMIT
    while (Date.now() < end) {
      const answer = await fetch(`http://127.0.0.1:${port}/group/none`).catch(() => null)
      if (answer?.ok) return
      if (program.exitCode !== null) break
      await sleep(20)
    }
    await stop('SIGKILL')
    throw new Error(`${command} ${given.join(' ')} does not serve`)
  }
  function stop(signal = 'SIGTERM') {
    if (program.exitCode !== null || program.signalCode !== null) return
    return new Promise((resolve) => {
      program.once('exit', resolve)
      program.kill(signal)
    })
  }
  return { port, start, stop }
}

/** Every line that `clients.mjs` prints; `onLine` gets each at once. Restarts the server where it is asked for, with `signal`. */
export async function runClients(served, given, { onLine = () => {}, signal = 'SIGTERM' } = {}) {
  const all = [join(folder, 'clients.mjs'), '--url', `ws://127.0.0.1:${served.port}`, ...given]
  const clients = spawn('node', all, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = []
  for await (const text of createInterface({ input: clients.stdout })) {
    const line = JSON.parse(text)
    lines.push(line)
    onLine(line)
    if (line.hook !== 'restart') continue
    await served.stop(signal)
    await served.start()
    clients.stdin.write('restarted\n')
  }
  return lines
}
