// Errors on the wire: {name, message, stack, code, cause}. Whatever user code throws becomes one, and none is too big.
import { inspect } from 'node:util'

/** Small enough that an error with all its causes fits the meta of a frame, whatever JSON escapes it needs. */
const LONGEST = 8_192
const DEEPEST_CAUSE = 4
const OURS = [
  new URL('.', import.meta.url).href,
  decodeURIComponent(new URL('.', import.meta.url).pathname),
  'node:internal/',
]

/** An operation that the engine refused, or that could not be sent. */
export class OperationError extends Error {
  name = 'OperationError'

  constructor(message, code, options) {
    super(message, options)
    if (code !== undefined) this.code = code
  }
}

export const clip = (text, longest = LONGEST) =>
  text.length <= longest ? text : `${text.slice(0, longest)}… (${text.length - longest} more characters)`

/** The wire form of anything that was thrown. Getters of user objects may throw; an error report may not. */
export function toWire(thrown, depth = 0) {
  try {
    if (!isError(thrown)) return { message: clip(typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 2 })) }
    const wire = { name: clip(String(thrown.name)), message: clip(String(thrown.message)) }
    if (typeof thrown.stack === 'string') wire.stack = userStack(thrown.stack)
    if (typeof thrown.code === 'string' || typeof thrown.code === 'number') wire.code = clip(String(thrown.code))
    if (thrown.cause != null && depth < DEEPEST_CAUSE) wire.cause = toWire(thrown.cause, depth + 1)
    return wire
  } catch {
    return { message: 'an error that cannot be read' }
  }
}

/** Errors of other realms (vm, jest) are not `instanceof Error`. */
export const isError = (value) =>
  value instanceof Error || (typeof value === 'object' && Object.prototype.toString.call(value) === '[object Error]')

/** Our own frames, and those inside of Node, tell a user nothing. */
export const userStack = (stack) =>
  clip(
    stack
      .split('\n')
      .filter((line) => !/^\s+at /.test(line) || !OURS.some((place) => line.includes(place)))
      .join('\n'),
  )
