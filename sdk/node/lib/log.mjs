// LOG frames: one line of a user's log, with the call that it belongs to.
import { AsyncLocalStorage } from 'node:async_hooks'
import { detailsJson } from './details.mjs'
import { clip } from './errors.mjs'
import { KIND } from './frames.mjs'

const LONGEST_MESSAGE = 65_536

/** Whose code runs: the current `Call`, carried along by Node through promises, timers and callbacks. */
export const current = new AsyncLocalStorage()

/** `call` is undefined where nobody knows whose line it is. After a call's result its trace and step stand for it. */
function meta(level, message, source, call) {
  const line = { level, message: clip(message, LONGEST_MESSAGE), source }
  if (call !== undefined) Object.assign(line, call.origin())
  return line
}

export class LogSender {
  #connection

  constructor(connection) {
    this.#connection = connection
  }

  send(level, message, details, source, call) {
    this.#connection.send(KIND.LOG, 0, meta(level, message, source, call), detailsJson(details))
    this.#connection.hurry()
  }
}
