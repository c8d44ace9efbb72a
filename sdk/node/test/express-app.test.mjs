// Which requests concern the `app` hook.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordPaths } from '../lib/express-app.mjs'

const application = () => {
  const app = {}
  for (const name of ['use', 'all', 'route', 'get', 'post']) app[name] = () => app
  return app
}
const handler = () => {}

test('paths are recorded up to what a pattern leaves open', () => {
  const app = application()
  const recorded = recordPaths(app)
  app.get('/Health', handler)
  app.get('port')
  app.post('/users/:id?', handler)
  app.use('/api/auth/', handler)
  app.all(['/a/b*', '/c'], handler)
  app.get('/files/{*path}', handler)
  app.use((_error, _request, _response, _next) => {})
  assert.deepEqual(recorded(), {
    paths: [
      { path: '/health', under: false },
      { path: '/users', under: true },
      { path: '/api/auth', under: true },
      { path: '/a', under: true },
      { path: '/c', under: false },
      { path: '/files', under: true },
    ],
    middleware: [],
  })
})

test('middleware without a path and expressions concern every request', () => {
  const app = application()
  const recorded = recordPaths(app)
  app.use([function cors() {}], handler)
  assert.deepEqual(recorded(), { paths: [{ path: '', under: true }], middleware: ['cors', 'handler'] })
  const other = application()
  const recordedThere = recordPaths(other)
  other.get(/^\/x/, handler)
  assert.deepEqual(recordedThere().paths, [{ path: '', under: true }])
})
