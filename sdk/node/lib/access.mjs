// Who may watch streams: `streamAuth.authenticate` of motia.config says who a client is, `canAccess` of a stream whether
// that one may have it. The engine asks both by CALL.
import { jsonOf } from './response.mjs'
import { nameOf } from './streaming.mjs'

/** The kinds of CALL that ask, and what they ask. All others run a handler. */
export const QUESTIONS = Object.freeze({
  __proto__: null,
  authenticate: 'streamAuth.authenticate',
  access: 'canAccess',
})

const UNGUARDED = 'config.canAccess is undefined, so everybody may watch the stream'
const ANSWER = JSON.stringify({ type: 'json' })

/** A loaded motia.config. Throws where nobody would be asked who they are. */
export function createAuth(source, { streamAuth }) {
  const question = QUESTIONS.authenticate
  if (streamAuth == null) return { source, question }
  checkFunction(question, streamAuth.authenticate)
  return { source, question, run: (request) => streamAuth.authenticate(request) }
}

/** A loaded stream. Throws where everybody could watch it. */
export function createGuard(source, config) {
  const question = QUESTIONS.access
  if (config.canAccess == null) {
    // It may be meant, or an import that went round in a circle.
    const warnings = config.canAccess === undefined && 'canAccess' in config ? [UNGUARDED] : []
    return { source, question, warnings }
  }
  checkFunction(question, config.canAccess)
  return { source, question, run: ({ subscription, context = null }) => config.canAccess(subscription, context) }
}

function checkFunction(name, value) {
  if (typeof value === 'function') return
  const what = value === undefined ? 'undefined; is its import right?' : nameOf(value)
  throw new TypeError(`config.${name} must be a function, but it is ${what}`)
}

/** The `{meta, body}` of a RESULT. */
export function toAnswer(kind, value) {
  const body = kind === 'access' ? String(Boolean(value)) : jsonOf(value ?? null, `what ${QUESTIONS[kind]} returned`)
  return { meta: ANSWER, body }
}
