// The kinds of CALL: what of a file each of them runs, and what is answered to those that are questions.
import { jsonOf } from './response.mjs'

/** By kind: what a file must have for it, as messages call it. */
const NEEDS = Object.freeze({
  __proto__: null,
  api: 'handler',
  event: 'handler',
  cron: 'handler',
  authenticate: 'streamAuth.authenticate',
  access: 'canAccess',
  join: 'onJoin',
  leave: 'onLeave',
  storage: 'custom storage',
})

/** The kinds that ask for JSON, and how what was returned becomes it. What they run has no context. */
const ANSWERS = Object.freeze({
  __proto__: null,
  authenticate: (context) => jsonOf(context ?? null, `what ${NEEDS.authenticate} returned`),
  access: (allowed) => String(Boolean(allowed)),
  // It is JSON already, see storage.mjs.
  storage: (json) => json,
})

const ANSWER = JSON.stringify({ type: 'json' })

export const isQuestion = (kind) => ANSWERS[kind] !== undefined

/** The `{meta, body}` of the RESULT of a question. */
export const toAnswer = (kind, value) => ({ meta: ANSWER, body: ANSWERS[kind](value) })

/** Why a call cannot run: `step` is what was loaded of the file, if anything was. */
export function missing({ step: source, kind }, step) {
  if (step === undefined) return `${source} is not loaded`
  const what = NEEDS[kind]
  if (what === undefined) return `${source} has nothing for calls of the kind '${kind}'`
  return what === 'handler' ? `${source} exports no handler` : `${source} has no ${what}`
}
