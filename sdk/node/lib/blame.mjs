// Errors that no handler caught, and exits that no one asked for: each is laid at the door of the step that caused
// it, and none ends the worker.
import { writeSync } from 'node:fs'
import { current, logFrame } from './log.mjs'
import { ownerOf } from './operate.mjs'

export function watchProcess(connection, log) {
  /** Unhandled promises of operations, for the ones that are handled late. */
  const owners = new WeakMap()

  process.on('unhandledRejection', (reason, promise) => {
    const owner = ownerOf(reason)
    if (owner !== undefined && !owner.over) {
      owners.set(promise, owner)
      owner.rejectionUnhandled(promise, reason)
      return
    }
    const call = owner ?? current.getStore()
    log.send('error', `unhandled rejection: ${messageOf(reason)}`, { error: reason }, 'worker', call)
  })

  process.on('rejectionHandled', (promise) => owners.get(promise)?.rejectionHandled(promise))

  process.on('uncaughtException', (error) => {
    const call = current.getStore()
    log.send('error', `uncaught exception: ${messageOf(error)}`, { error }, 'worker', call)
    if (call !== undefined && !call.over) call.fail(error)
  })

  // Comes before an exit that nobody asked for by `process.exit`, and before that alone.
  process.on('beforeExit', () => connection.leave())

  process.on('exit', (code) => {
    const waiting = connection.take()
    if (waiting === null) return
    const call = current.getStore()
    const who = call === undefined ? 'process.exit' : `${call.step.source}: process.exit`
    const line = logFrame('error', `${who} was called, with code ${code}`, 'worker', call)
    try {
      writeSync(connection.fd, Buffer.concat([waiting, line]))
    } catch {
      // The stream is full or gone. The engine sees the process end in any case.
    }
  })
}

function messageOf(reason) {
  try {
    return String(reason?.message ?? reason)
  } catch {
    return 'an error that cannot be read'
  }
}
