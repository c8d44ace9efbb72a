// `wss`.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const require = createRequire(new URL('../../../tests/streams/', import.meta.url))
const { WebSocketServer } = require('ws')
const siblings = fileURLToPath(new URL('../../stream-client/test/support/siblings.mjs', import.meta.url))

/** A certificate that whoever names it in `NODE_EXTRA_CA_CERTS` trusts; null where there is no openssl. */
function createCertificate(folder) {
  const [key, certificate] = ['key.pem', 'certificate.pem'].map((name) => join(folder, name))
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate]
  try {
    execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
  } catch {
    return null
  }
  return { key: readFileSync(key), cert: readFileSync(certificate), file: certificate }
}

const program = (url) => `
  import { Stream } from '${new URL('../index.mjs', import.meta.url)}'
  const stream = new Stream('${url}', { token: 't' })
  const group = stream.subscribeGroup('s', 'g')
  const timer = setTimeout(() => { console.log(stream.state); stream.close() }, 1500)
  group.addChangeListener((items) => { clearTimeout(timer); console.log(items[0].id); stream.close() })`

test('streams come over TLS, from those alone whose certificate is trusted', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const certificate = createCertificate(folder)
  if (!certificate) return t.skip('there is no openssl')
  const server = createServer({ key: certificate.key, cert: certificate.cert })
  const wire = new WebSocketServer({ server })
  wire.on('connection', (socket, { url }) =>
    socket.on('message', (text) => {
      const { type, data } = JSON.parse(text)
      const event = { type: 'sync', data: [{ id: url }] }
      if (type === 'join') socket.send(JSON.stringify({ ...data, timestamp: 1, event }))
    }),
  )
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())

  const run = async (env) => {
    const given = ['--import', siblings, '--input-type=module', '--eval', program(url)]
    const { stdout } = await promisify(execFile)(process.execPath, given, { env: { ...process.env, ...env } })
    return stdout.trim()
  }
  const url = `wss://localhost:${server.address().port}/path`
  assert.equal(await run({ NODE_EXTRA_CA_CERTS: certificate.file }), '/path?token=t')
  assert.equal(await run({}), 'reconnecting')
})
