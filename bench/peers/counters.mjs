// A counter per path in Redis, read and written by two commands, as the step of projects/counters does it.
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { address, redis } from './address.mjs'

const store = new Redis(redis)

const app = Fastify({ logger: false })
app.get('/hello', async () => ({ hello: 'world' }))
app.post('/counters/:name', async (request) => {
  const key = `counters:${request.params.name}`
  const count = Number((await store.get(key)) ?? 0) + 1
  await store.set(key, count)
  return { count }
})
await app.listen(address)
