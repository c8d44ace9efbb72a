// Events by BullMQ: a queue and its worker per concurrency, jobs removed once they are done, as Motia does it. Queue and worker share
// a process, as emitter and handler do in Motia's worker; each has a connection of its own, as BullMQ's documentation asks.
import { Queue, Worker } from 'bullmq'
import Fastify from 'fastify'
import { address, redis } from './address.mjs'

let handled = 0
let expected = 0
let reached = () => {}
let all = Promise.resolve()
let started = () => {}

/** Forgets what came before. */
function expectJobs(count) {
  handled = 0
  expected = count
  all = new Promise((resolve) => {
    reached = resolve
  })
}

/** Resolves once all that are expected have been handled. */
async function end() {
  await all
  return handled
}

async function handle() {
  started(performance.now())
  handled += 1
  if (handled === expected) reached()
}

const queues = new Map()
for (const concurrency of [1, 10, 50]) {
  const name = `concurrency-${concurrency}`
  const queue = new Queue(name, { connection: redis, defaultJobOptions: { removeOnComplete: true } })
  const worker = new Worker(name, handle, { connection: { ...redis, maxRetriesPerRequest: null }, concurrency })
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
  queues.set(concurrency, queue)
}

const app = Fastify({ logger: false })
app.get('/hello', async () => ({ hello: 'world' }))

// Answers once all jobs have been handled. `emitted`: the milliseconds until all were stored.
app.post('/emit', async (request) => {
  const { concurrency, count, bulk } = request.body
  const queue = queues.get(concurrency)
  expectJobs(count)
  const began = performance.now()
  if (bulk) await queue.addBulk(Array.from({ length: count }, (_, n) => ({ name: 'thing', data: { n } })))
  else await Promise.all(Array.from({ length: count }, (_, n) => queue.add('thing', { n })))
  const emitted = performance.now() - began
  return { emitted, handled: await end() }
})

// Before many requests add one job each: GET /end answers once all have been handled.
app.post('/expect', async (request) => {
  expectJobs(request.body.count)
  return {}
})
app.get('/end', async () => ({ handled: await end() }))
app.post('/emit/one', async () => {
  await queues.get(10).add('thing', { n: 0 })
  return {}
})

// One job at a time, with a pause before each: from the call of add to the first line of the handler, in microseconds.
app.post('/latency', async (request) => {
  const { count, pause } = request.body
  const micros = []
  for (let n = 0; n < count; n++) {
    await new Promise((resolve) => setTimeout(resolve, pause))
    const next = new Promise((resolve) => {
      started = resolve
    })
    const began = performance.now()
    await queues.get(10).add('thing', { n })
    micros.push(Math.round(((await next) - began) * 1000))
  }
  return { micros }
})

await app.listen(address)
