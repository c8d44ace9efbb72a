// The calls that run now: from CALL to RESULT.
import { Call } from './call.mjs'
import { createContext, streamsClass } from './context.mjs'
import { KIND } from './frames.mjs'
import { InFlight } from './in-flight.mjs'
import { isQuestion, missing } from './call-kinds.mjs'
import { current } from './log.mjs'
import { Streaming } from './streaming.mjs'

export class Calls {
  #connection
  #steps
  #log
  #running = new InFlight()
  #Streams = streamsClass([])
  #finished = (call) => this.#finish(call)
  #drained
  /** Whether a file is being imported: its code belongs to no call. */
  importing = false

  /** `steps` maps a source to what was loaded of it. */
  constructor(connection, steps, log) {
    this.#connection = connection
    this.#steps = steps
    this.#log = log
  }

  /** The streams of contexts made from now on. */
  set streams(names) {
    this.#Streams = streamsClass(names)
  }

  /** The steps in flight, the latest call first. */
  sources() {
    return [...new Set(this.#running.latest().map((call) => call.step.source))]
  }

  start(id, meta, body, borrowed) {
    const step = this.#steps.get(meta.step)
    if (step?.runs[meta.kind] === undefined) return this.#refuse(id, meta, step)
    const call = new Call(id, meta, step, this.#connection, this.#finished)
    this.#running.add(id, call)
    current.run(call, () => {
      if (isQuestion(meta.kind)) call.ask(body)
      else call.run(meta, body, borrowed, createContext(call, this.#Streams, this.#log))
    })
  }

  #refuse(id, meta, step) {
    this.#connection.answer(KIND.RESULT, id, { error: { message: missing(meta, step), code: 'step-unknown' } })
  }

  /** The body of a call will never be complete. No handler ran, but every CALL is answered. */
  aborted(id) {
    const error = { message: 'the request was broken off', code: 'aborted' }
    this.#connection.answer(KIND.RESULT, id, { error })
  }

  cancel(id, reason) {
    const call = this.#running.get(id)
    if (call === undefined) this.#connection.abortAnswer(id)
    else call.cancel(reason)
  }

  /** `drained` is called once no call runs and every result is out. */
  stop(drained) {
    this.#drained = drained
    this.#checkDrained()
  }

  #finish(call) {
    const { meta, body, stream } = call.outcome
    if (stream !== undefined) {
      const answer = this.#connection.openAnswer(KIND.RESULT, call.id, meta)
      current.run(call, () => call.stream(new Streaming(stream, answer, this.#connection)))
      return
    }
    // Errors that no promise of the user took, and that are not the call's own, would be lost.
    for (const error of call.lostErrors()) {
      this.#log.send('error', `an operation failed: ${error.message}`, { error }, 'worker', call)
    }
    const sent =
      call.streaming === undefined
        ? this.#connection.answer(KIND.RESULT, call.id, meta, body)
        : call.streaming.finish(meta.error)
    this.#running.delete(call.id)
    call.close()
    if (sent === undefined) this.#checkDrained()
    else sent.then(() => this.#checkDrained())
  }

  #checkDrained() {
    if (this.#drained !== undefined && this.#running.size === 0 && this.#connection.idle) this.#drained()
  }
}
