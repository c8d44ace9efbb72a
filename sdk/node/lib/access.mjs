// Who watches streams: `streamAuth.authenticate` of motia.config says who a client is, `canAccess` of a stream whether
// that one may have it; its `onJoin` and `onLeave` hear of those who come and go. The engine runs them by CALL.
import { createStorage } from './storage.mjs'
import { nameOf } from './streaming.mjs'

/** A loaded motia.config. Throws where nobody would be asked who they are. */
export function createAuth(source, { streamAuth }) {
  const runs = { __proto__: null }
  if (streamAuth != null) {
    checkFunction('streamAuth.authenticate', streamAuth.authenticate)
    runs.authenticate = (request) => streamAuth.authenticate(request)
  }
  return { source, runs }
}

/** The functions of a stream's config: the kind of CALL that runs each, and what it means that it is undefined. */
const FUNCTIONS = [
  ['canAccess', 'access', 'so everybody may watch the stream'],
  ['onJoin', 'join', 'so nothing hears of those who come'],
  ['onLeave', 'leave', 'so nothing hears of those who go'],
]

/** A loaded stream. Throws where everybody could watch it, or its items would go elsewhere than its author wants. */
export function createStream(source, config) {
  const runs = { __proto__: null }
  const warnings = []
  for (const [name, kind, meaning] of FUNCTIONS) {
    if (config[name] != null) {
      checkFunction(name, config[name])
      runs[kind] = ({ subscription, context = null }, ...ctx) => config[name](subscription, context, ...ctx)
    } else if (config[name] === undefined && name in config) {
      // It may be meant, or an import that went round in a circle.
      warnings.push(`config.${name} is undefined, ${meaning}`)
    }
  }
  if (config.baseConfig?.storageType === 'custom') {
    checkFunction(
      'baseConfig.factory',
      config.baseConfig.factory,
      " that makes the stream's adapter, as storageType is 'custom'",
    )
    runs.storage = createStorage(config)
  }
  return { source, flows: [], runs, warnings }
}

function checkFunction(name, value, which = '') {
  if (typeof value === 'function') return
  const what = value === undefined ? 'undefined; is its import right?' : nameOf(value)
  throw new TypeError(`config.${name} must be a function${which}, but it is ${what}`)
}
