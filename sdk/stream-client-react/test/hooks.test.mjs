// The hooks on each React that they are for. `npm ci` in `react-18` and in `tests/streams` first.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const kit = fileURLToPath(new URL('../../../tests/streams/', import.meta.url))
const sdk = fileURLToPath(new URL('../../', import.meta.url))
const require = createRequire(kit)

const { build } = require('esbuild')
const { JSDOM } = require('jsdom')

const { window } = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost/', pretendToBeVisual: true })
for (const name of ['document', 'navigator', 'HTMLElement', 'HTMLIFrameElement', 'Event'])
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true })
globalThis.window = window
after(() => window.close())
globalThis.IS_REACT_ACT_ENVIRONMENT = true
// React's `act` makes many and closes none: those of Node would keep the process.
globalThis.MessageChannel = class {
  port1 = {}
  port2 = { postMessage: (data) => setImmediate(() => this.port1.onmessage?.({ data })) }
}

for (const [name, modules] of [
  ['React 18', join(here, 'react-18/node_modules')],
  ['React 19', join(kit, 'node_modules')],
]) {
  const outfile = join(kit, 'node_modules/.cache', `${name}.cjs`)
  await build({
    entryPoints: [join(here, 'suite.mjs')],
    outfile,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    nodePaths: [modules],
    alias: {
      '@motiadev/stream-client-browser': `${sdk}stream-client-browser`,
      '@motiadev/stream-client': `${sdk}stream-client`,
    },
    resolveExtensions: ['.mjs', '.js'],
    define: { 'process.env.NODE_ENV': '"development"' },
    logLevel: 'error',
  })
  require(outfile).define(name)
}
