// Express as most write it: express.json() and Ajv in front of the handler.
import { Ajv } from 'ajv'
import express from 'express'
import { address } from './address.mjs'
import { accept, orderSchema } from './order.mjs'

const validate = new Ajv().compile(orderSchema)

const app = express()
app.use(express.json())
app.get('/hello', (_request, response) => {
  response.json({ hello: 'world' })
})
app.post('/orders', (request, response) => {
  if (!validate(request.body)) {
    response.status(400).json({ error: 'Validation failed', details: validate.errors })
    return
  }
  response.status(201).json(accept(request.body))
})
app.listen(address.port, address.host)
