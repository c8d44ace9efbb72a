// The `app` hook of motia.config: which express it gets, which paths it registers, and how the engine learns that it did not answer.
import { realpathSync } from 'node:fs'
import { METHODS } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** The header of an answer that is none. */
export const PASS = 'x-motia-pass'

/** The project's own express, or that of an installed original; undefined where there is none. */
export function findExpress(root) {
  for (const folder of [root, join(root, 'node_modules/motia'), join(root, 'node_modules/@motiadev/core')]) {
    try {
      const require = createRequire(join(realpathSync(folder), 'package.json'))
      return require(require.resolve('express'))
    } catch (error) {
      if (error?.code !== 'MODULE_NOT_FOUND' && error?.code !== 'ENOENT') throw error
    }
  }
  return undefined
}

/** The last of all: nobody answered. What middleware put into the headers so far goes along. */
export function mark(app) {
  app.use((_request, response) => {
    response.statusCode = 404
    response.setHeader(PASS, '1')
    response.end()
  })
}

/**
 * Listens to what is registered. The result says which paths concern the application: more than it answers, never less, since
 * express itself decides. `middleware` names what has no path and so concerns every request.
 */
export function recordPaths(app) {
  const paths = new Map()
  const middleware = new Set()
  const add = (path, under) => {
    for (const one of [path].flat(Infinity)) {
      const place = typeof one === 'string' ? placeOf(one, under) : { path: '', under: true }
      paths.set(`${place.path} ${place.under}`, place)
    }
  }
  const listen = (name, heard) => {
    const original = app[name]
    if (typeof original !== 'function') return
    app[name] = function (...args) {
      heard(args)
      return original.apply(this, args)
    }
  }
  listen('use', (args) => {
    if (typeof [args[0]].flat(Infinity)[0] !== 'function') return add(args[0], true)
    // Four parameters make it a handler of errors, which concerns no request by itself.
    const handlers = args.flat(Infinity).filter((handler) => handler.length !== 4)
    for (const handler of handlers) middleware.add(handler.name || 'anonymous')
    if (handlers.length > 0) add('/', true)
  })
  listen('route', ([path]) => add(path, false))
  listen('all', ([path]) => add(path, false))
  // `app.get(name)` alone reads a setting.
  for (const method of METHODS)
    listen(method.toLowerCase(), ([path, ...handlers]) => handlers.length > 0 && add(path, false))
  return () => ({ paths: [...paths.values()], middleware: [...middleware] })
}

const SPECIAL = /[:*?+(){}[\]\\]/

/** The part of a pattern that every matching path begins with, up to a whole segment. */
function placeOf(pattern, under) {
  const special = pattern.search(SPECIAL)
  const text = special < 0 ? pattern : pattern.slice(0, Math.max(0, pattern.lastIndexOf('/', special)))
  return { path: text.replace(/\/+$/, '').toLowerCase(), under: under || special >= 0 }
}
