// What a step file exports, in each of the shapes that projects use, as one thing that can be called.

/** `{config, handler}` of a module: named exports, a default export, `module.exports`. */
export function exportsOf(module) {
  return { config: member(module, 'config'), handler: member(module, 'handler') }
}

function member(module, name) {
  if (module?.[name] !== undefined) return module[name]
  // A CommonJS module that was compiled from `export default` has a default inside its default.
  return module?.default?.[name] ?? module?.default?.default?.[name]
}

/** The default export of `motia.config`, or `module.exports`; undefined for an ES module without a default. */
export function defaultOf(module) {
  // A CommonJS module that was compiled from `export default` has a default inside its default.
  let value = module
  while (value?.default !== undefined) value = value.default
  return value?.[Symbol.toStringTag] === 'Module' ? undefined : value
}

/**
 * A loaded step. `runs` maps a kind of CALL to what it runs, here the handler within its middleware. Throws where a step
 * would run unprotected.
 */
export function createStep(source, { config, handler }) {
  const flows = Array.isArray(config.flows) ? config.flows : []
  const runs = { __proto__: null }
  if (typeof handler === 'function') {
    runs.api = runs.event = runs.cron = withMiddleware(config.middleware, handler)
  }
  return { source, flows, runs }
}

function withMiddleware(middleware, handler) {
  if (middleware == null) return handler
  const layers = Array.isArray(middleware) ? middleware : [middleware]
  layers.forEach((layer, at) => {
    if (typeof layer === 'function') return
    // Leaving it out could leave out the check of who is asking.
    const what = layer === undefined ? 'undefined; is its import right?' : typeof layer
    throw new TypeError(`config.middleware[${at}] must be a function, but it is ${what}`)
  })
  return layers.reduceRight(wrap, handler)
}

const wrap = (inner, layer) => (req, ctx) => {
  let called = false
  return layer(req, ctx, async () => {
    if (called) throw new Error(`the middleware ${layer.name || '(anonymous)'} called next() twice`)
    called = true
    return inner(req, ctx)
  })
}
