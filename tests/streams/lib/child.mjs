// One client of one version, in a process of its own: what it throws is its own.
import { pathToFileURL } from 'node:url'
import { createEnv } from './env.mjs'
import { load } from './versions.mjs'
import { run as runWire } from './wire-checks.mjs'

const { place, alias, client, features, file, options } = JSON.parse(process.argv[2])
const env = createEnv(options)

const places = {
  wire: () => runWire({ env }),
  node: nodeClient,
  page: pageInNode,
  jsdom: pageInJsdom,
  chromium: async () => {
    const { pageInChromium } = await import('./chromium.mjs')
    await pageInChromium({ file, features, env, options })
  },
}

async function nodeClient() {
  const { run } = await import('./checks.mjs')
  const loaded = file ? await import(pathToFileURL(file)) : await load(alias)
  await run({ Stream: client === 'core' ? await streamOnWs(loaded.Stream) : loaded.Stream, features, env })
}

/** `@motiadev/stream-client` has no socket of its own: a project gives it one. */
async function streamOnWs(Stream) {
  const { WebSocket } = await import('ws')
  const adapter = (address, protocols) => {
    const socket = new WebSocket(address, protocols)
    socket.on('error', () => {})
    return {
      connect() {},
      close: () => socket.removeAllListeners('close').close(),
      send: (message) => socket.send(message),
      isOpen: () => socket.readyState === WebSocket.OPEN,
      onMessage: (listener) => socket.on('message', (data) => listener(data.toString())),
      onOpen: (listener) => socket.on('open', listener),
      onClose: (listener) => socket.on('close', listener),
    }
  }
  return class extends Stream {
    constructor(address, { protocols, ...own } = {}) {
      super(() => adapter(address, protocols), own)
    }
  }
}

/** A build for browsers, with the WebSocket of `ws` as the global one. */
async function pageInNode() {
  const { WebSocket } = await import('ws')
  globalThis.WebSocket = class extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols)
      // As a browser's: it does not throw where nobody listens for errors, and what is not text is a Blob.
      this.on('error', () => {})
      this.binaryType = 'blob'
    }
  }
  const { start } = await import(pathToFileURL(file))
  await start({ features, env })
}

async function pageInJsdom() {
  const { JSDOM, VirtualConsole } = await import('jsdom')
  const quiet = new VirtualConsole()
  quiet.on('jsdomError', (error) => env.threw(error))
  const { window } = new JSDOM('<!doctype html><body></body>', {
    url: options.http,
    pretendToBeVisual: true,
    virtualConsole: quiet,
  })
  for (const name of ['document', 'navigator', 'WebSocket', 'HTMLElement', 'HTMLIFrameElement', 'Event']) {
    Object.defineProperty(globalThis, name, { value: window[name], configurable: true })
  }
  globalThis.window = window
  // The hooks of 0.17.14 complain there while the provider has no connection yet.
  console.error = () => {}
  const { start } = await import(pathToFileURL(file))
  await start({ features, env })
}

await env.ready()
try {
  await places[place]()
} catch (error) {
  await env.report({ check: 'start', ok: false, detail: String(error.stack ?? error) })
}
process.disconnect()
process.exit(0)
