// One operation: out as an OP frame, back as a promise. Its call is not over before it has been answered, and fails
// if it failed and nobody took notice.
import { OperationError } from './errors.mjs'

/** Which call an operation's error belongs to, for whoever finds that nobody handled it. */
const owners = new WeakMap()

export const ownerOf = (error) => (typeof error === 'object' && error !== null ? owners.get(error) : undefined)

/**
 * Asks for `op` and resolves with what `read` makes of the reply. `names` are groups, keys, topics; `value` is the
 * JSON body, written with `replacer`; `more` are members that the engine reads as they are. What cannot be sent (a name that is no text, data that is no JSON) rejects as a refused operation does.
 *
 * An async function, so that the error is made where V8 still knows who awaits it: its stack names the user's line at
 * no cost for the operations that succeed. (Taking the stack of every operation would cost more than the operation.)
 */
export async function operate(call, op, names, value, read, more, replacer) {
  try {
    const { error, result } = await ask(call, metaOf(call, op, names, more), bodyOf(op, value, replacer))
    if (error !== undefined) throw new OperationError(error.message, error.code)
    return read === undefined ? result : read(result)
  } catch (error) {
    owners.set(error, call)
    call.operationFailed()
    throw error
  }
}

const ask = (call, meta, body) =>
  new Promise((resolve) => {
    call.connection.request(meta, body, (error, bytes) => {
      if (error === undefined) {
        resolve({ result: bytes.length === 0 ? undefined : JSON.parse(bytes.utf8Slice(0, bytes.length)) })
      } else {
        // Before the answer counts: the call must not be over while this error looks for someone to handle it.
        call.operationFailed()
        resolve({ error })
      }
      call.operationAnswered()
    })
    call.operationSent()
  })

function metaOf(call, op, names, more) {
  const meta = { op, call: call.id }
  // Its call is history: a promise or a timer that was left behind asks.
  if (call.over) {
    meta.trace = call.trace
    meta.step = call.step.source
  }
  for (const name in names) meta[name] = nameText(op, name, names[name])
  for (const name in more) {
    const value = more[name]
    // JSON has no NaN: it would count as left out. An invalid Date is one.
    if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${op}: ${name} must not be ${value}`)
    meta[name] = value
  }
  return meta
}

/** Numbers are common ids and become text. Anything else is a mistake that would end up as a key "[object Object]". */
function nameText(op, name, value) {
  if (typeof value === 'string') {
    // Half a surrogate pair has no UTF-8: two such names would be stored as one.
    if (value.isWellFormed()) return value
    throw new TypeError(`${op}: ${name} contains half a surrogate pair, which is no Unicode text`)
  }
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  const what = value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value
  throw new TypeError(`${op}: ${name} must be a string, not ${what}`)
}

function bodyOf(op, value, replacer) {
  if (value === undefined) return undefined
  let text
  try {
    text = JSON.stringify(value, replacer)
  } catch (cause) {
    throw new TypeError(`${op}: the data cannot be written as JSON: ${cause.message}`, { cause })
  }
  if (text === undefined) throw new TypeError(`${op}: a ${typeof value} has no JSON form`)
  return text
}
