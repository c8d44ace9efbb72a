// Large bodies: Fastify with its limit raised, JSON parsed as by default, bytes as one buffer.
import Fastify from 'fastify'
import { address } from './address.mjs'

const app = Fastify({ logger: false, bodyLimit: 10 * 1024 * 1024 })
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
app.get('/hello', async () => ({ hello: 'world' }))
app.post('/items', async (request) => ({ length: request.body.items.length }))
app.post('/bytes', async (request) => ({ length: request.body.length }))
await app.listen(address)
