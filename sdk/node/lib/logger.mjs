// The logger of handlers, and of everyone who imports `globalLogger`.
import { inspect } from 'node:util'
import { isError } from './errors.mjs'

const LEVELS = { debug: 0, info: 1, warn: 2, error: 3 }
const threshold = LEVELS[process.env.LOG_LEVEL?.trim().toLowerCase()] ?? LEVELS.info

/**
 * A logger over `send(level, message, details)`. Its methods need no `this`, so that they can be taken apart.
 * `fields` are added to the details of every line.
 */
export function createLogger(send, fields) {
  // Most loggers live for one call and have no listener.
  let listeners
  const write = (level, args) => {
    if (listeners !== undefined) notify(listeners, level, args)
    if (LEVELS[level] >= threshold) send(level, messageOf(args[0]), withFields(fields, detailsOf(args)))
  }
  const info = (...args) => write('info', args)
  return {
    debug: (...args) => write('debug', args),
    info,
    warn: (...args) => write('warn', args),
    error: (...args) => write('error', args),
    log: info,
    child: (more) => createLogger(send, { ...fields, ...more }),
    addListener: (listener) => {
      listeners ??= []
      listeners.push(listener)
    },
  }
}

/** A listener that throws must not take the line, nor the handler, with it. */
function notify(listeners, level, [message, ...args]) {
  for (const listener of listeners) {
    try {
      listener(level, message, ...args)
    } catch (error) {
      console.error('a log listener failed:', error)
    }
  }
}

function messageOf(message) {
  if (typeof message === 'string') return message
  try {
    return isError(message) ? String(message.message) : inspect(message, { depth: 3, breakLength: Infinity })
  } catch {
    return '[unreadable]'
  }
}

/** `error(err)` has its details in the first argument; more than one further argument becomes a list. */
function detailsOf([message, ...rest]) {
  if (rest.length === 0) return isError(message) ? { error: message } : undefined
  return rest.length === 1 ? rest[0] : rest
}

function withFields(fields, details) {
  if (fields === undefined) return details
  if (details === undefined) return fields
  const plain = typeof details === 'object' && details !== null && !Array.isArray(details) && !isError(details)
  return plain ? { ...fields, ...details } : { ...fields, details }
}
