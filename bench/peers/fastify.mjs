// Fastify as its documentation writes it: bodies checked by Ajv, answers written by the response schema.
// PROCESSES=2 runs it as a cluster.
import cluster from 'node:cluster'
import Fastify from 'fastify'
import { address } from './address.mjs'
import { accept, acceptedSchema, helloSchema, orderSchema } from './order.mjs'

const processes = Number(process.env.PROCESSES ?? 1)

if (processes > 1 && cluster.isPrimary) {
  for (let at = 0; at < processes; at++) cluster.fork()
  // One that is gone would halve the figure unseen.
  cluster.on('exit', () => process.exit(1))
} else {
  const app = Fastify({ logger: false })
  app.get('/hello', { schema: { response: { 200: helloSchema } } }, async () => ({ hello: 'world' }))
  app.post('/orders', { schema: { body: orderSchema, response: { 201: acceptedSchema } } }, async (request, reply) => {
    reply.code(201)
    return accept(request.body)
  })
  await app.listen(address)
}
