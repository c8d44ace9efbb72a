// Errors that no handler caught, and exits that nobody asked for: each is laid at the door of the step that caused it.
// Neither ends the process, but what threw out of a callback, or wanted to end everything, may have left anything in a
// bad state: the worker asks to be replaced, and finishes what it holds.
import { inspect } from 'node:util'
import { current } from './log.mjs'
import { ownerOf } from './operate.mjs'

/** What `process.exit` throws, since the lines after it must not run. */
class Exit extends Error {
  name = 'ProcessExit'
}

/** `calls` names what is in flight, where nobody knows whose code it was. */
export function watchProcess(connection, log, calls) {
  /** Unhandled promises of operations, for the ones that are handled late. */
  const owners = new WeakMap()

  /** Fails the call if it still runs, and takes the worker out of service. */
  function blame(what, error, call) {
    if (call !== undefined && !call.over) call.fail(error)
    connection.retire(`${what} ${whose(call)}`)
  }

  function whose(call) {
    if (call !== undefined) return `in ${call.step.source}`
    const sources = calls.sources()
    return sources.length === 0 ? 'outside of any call' : `outside of any call (in flight: ${sources.join(', ')})`
  }

  process.on('unhandledRejection', (reason, promise) => {
    if (reason instanceof Exit) return
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
    if (error instanceof Exit) return
    const call = current.getStore()
    log.send('error', `uncaught exception: ${messageOf(error)}`, { error }, 'worker', call)
    blame('uncaught exception', error, call)
  })

  process.exit = (code = process.exitCode ?? 0) => {
    const call = current.getStore()
    const error = new Exit(`process.exit(${inspect(code)}) was called`)
    // A file that is being imported is refused with this; it takes nothing else down.
    if (call === undefined && calls.importing) throw error
    log.send('error', `${error.message} ${whose(call)}`, { error }, 'worker', call)
    blame('process.exit was called', error, call)
    throw error
  }
}

function messageOf(reason) {
  try {
    return String(reason?.message ?? reason)
  } catch {
    return 'an error that cannot be read'
  }
}
