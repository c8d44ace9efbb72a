import express, { type Express } from 'express'
import { defineConfig } from 'motia'

export default defineConfig({
  app: (app: Express) => {
    app.get('/health', (_req, res) => {
      res.json({ status: 'up', pid: process.pid })
    })
    app.post('/echo/:name', express.json(), (req, res) => {
      res.status(201).json({ name: req.params.name, body: req.body, ip: req.ip })
    })
    // Reads the body of /guarded/orders, marks the answer, and lets the step answer.
    app.use('/guarded', express.json(), (req, res, next) => {
      res.set('x-guard', String(Object.keys(req.body ?? {}).length))
      if (req.get('x-deny')) return res.status(403).json({ error: 'denied' })
      next()
    })
  },
})
