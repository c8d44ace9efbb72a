// node:http with nothing around it but Ajv: what Node itself costs.
import { createServer } from 'node:http'
import { Ajv } from 'ajv'
import { address } from './address.mjs'
import { accept, orderSchema } from './order.mjs'

const validate = new Ajv().compile(orderSchema)

function send(response, status, body) {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function order(response, text) {
  let body
  try {
    body = JSON.parse(text)
  } catch {
    return send(response, 400, { error: 'Invalid JSON' })
  }
  if (!validate(body)) return send(response, 400, { error: 'Validation failed', details: validate.errors })
  send(response, 201, accept(body))
}

const server = createServer((request, response) => {
  if (request.method === 'GET' && request.url === '/hello') return send(response, 200, { hello: 'world' })
  if (request.method === 'POST' && request.url === '/orders') {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => order(response, Buffer.concat(chunks).toString()))
    return
  }
  send(response, 404, { error: 'Not found' })
})
server.listen(address.port, address.host)
