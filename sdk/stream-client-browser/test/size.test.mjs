// What a page pays for streams, as a bundler for production makes it.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const LIMIT = 5 * 1024

const require = createRequire(new URL('../../../tests/streams/', import.meta.url))
const sdk = fileURLToPath(new URL('../../', import.meta.url))

async function bundle(contents) {
  const { build } = require('esbuild')
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: sdk },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    logLevel: 'error',
    alias: {
      '@motiadev/stream-client-browser': `${sdk}stream-client-browser`,
      '@motiadev/stream-client': `${sdk}stream-client`,
    },
    resolveExtensions: ['.mjs'],
  })
  return outputFiles[0].contents
}

test('`Stream` with all that it needs is small', async (t) => {
  const code = await bundle("export { Stream } from '@motiadev/stream-client-browser'")
  const { length } = gzipSync(code, { level: 9 })
  t.diagnostic(`${code.length} bytes minified, ${length} gzipped`)
  assert.ok(length < LIMIT, `${length} bytes gzipped are more than ${LIMIT}`)
})

test('what is not used is not in the bundle', async () => {
  const code = await bundle("export { StreamItemSubscription } from '@motiadev/stream-client-browser'")
  assert.doesNotMatch(Buffer.from(code).toString(), /visibilitychange|WebSocket|hello/)
})
