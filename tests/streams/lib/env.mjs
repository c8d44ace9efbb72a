// What checks need of the world around them, for a process that `clients.mjs` started.
import { createProxy } from './proxy.mjs'

export function createEnv({ url, http, only, restarts, hello }) {
  const errors = []
  const threw = (error) => errors.push(String(error?.message ?? error).split('\n')[0])
  process.on('uncaughtException', threw)
  process.on('unhandledRejection', threw)

  const answers = new Map()
  process.on('message', ({ to, value }) => {
    answers.get(to)?.(value)
    answers.delete(to)
  })
  const ask = (message) =>
    new Promise((resolve) => {
      answers.set(message, resolve)
      process.send({ ask: message })
    })

  return {
    url,
    only,
    restarts,
    hello,
    threw,
    /** Until it is this one's turn. */
    ready: () => ask('turn'),
    /** Until all others wait for it too and the server was restarted; false where nobody says so. */
    restart: () => ask('restart'),
    report: (line) => new Promise((resolve) => process.send({ line }, resolve)),
    takeErrors: async () => errors.splice(0),
    proxy: () => createProxy(url),
    async http(method, path, body) {
      const response = await fetch(`${http}${path}`, {
        method,
        ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${method} ${path} answers ${response.status}: ${text.slice(0, 200)}`)
      return JSON.parse(text)
    },
  }
}
