// One call of a handler, or of what else a file has for the engine. It is over when that has settled and every operation
// it sent has been answered.
import { toWire } from './errors.mjs'
import { isQuestion, toAnswer } from './call-kinds.mjs'
import { buildRequest, InvalidBody } from './request.mjs'
import { toResult } from './response.mjs'

/** What is returned is dropped, but by requests and questions. */
const DONE = Object.freeze({ meta: '', body: undefined })

const REASONS = {
  timeout: ['the call took too long', 'TimeoutError'],
  disconnect: ['the client went away', 'AbortError'],
  shutdown: ['the server is stopping', 'AbortError'],
}

export class Call {
  over = false
  /** The `{meta, body}` of its RESULT, once the handler has settled; `{meta, stream}` if its body is a stream. */
  outcome
  /** Sends the body of a streamed response. */
  streaming

  /** What calls of this kind run of the file. */
  #target
  #finished
  #pending = 0
  /** An operation failed just now: whether its promise is handled shows at the end of the turn. */
  #undecided = false
  /** Promise to error, of the operations that failed and that nobody handles so far. */
  #unhandled
  #controller
  #reason

  constructor(id, meta, step, connection, finished) {
    this.id = id
    this.kind = meta.kind
    this.trace = meta.trace
    this.traceparent = meta.traceparent
    this.step = step
    this.connection = connection
    this.#target = step.runs[meta.kind]
    this.#finished = finished
  }

  run(meta, body, borrowed, context) {
    // Not as a method: what is run has no business with this object.
    const target = this.#target
    try {
      if (this.kind === 'cron') return this.#settleWith(target(context))
      if (this.kind !== 'api') return this.#settleWith(target(dataOf(body), context))
      const request = buildRequest(meta, body, borrowed)
      this.#settleWith(
        request instanceof Promise ? request.then((req) => target(req, context)) : target(request, context),
      )
    } catch (error) {
      this.fail(error)
    }
  }

  /** A question. Who answers it has no context. */
  ask(body) {
    const target = this.#target
    try {
      this.#settleWith(target(parsed(body)))
    } catch (error) {
      this.fail(error)
    }
  }

  /** No `await`: what a handler returns at once is answered at once. */
  #settleWith(value) {
    if (typeof value?.then !== 'function') return this.#settle(value)
    value.then(
      (settled) => this.#settle(settled),
      (error) => this.fail(error),
    )
  }

  #settle(value) {
    const asked = isQuestion(this.kind)
    if (this.kind !== 'api' && !asked) return this.#conclude(DONE)
    try {
      const result = asked ? toAnswer(this.kind, value) : toResult(value)
      if (!(result instanceof Promise)) return this.#conclude(result)
      result.then(
        (outcome) => this.#conclude(outcome),
        (error) => this.fail(error),
      )
    } catch (error) {
      this.fail(error)
    }
  }

  fail(error) {
    const meta = error instanceof InvalidBody ? { invalid: error.message } : { error: toWire(error) }
    this.#conclude({ meta, body: undefined })
  }

  /** The head of a streamed response is out. What concludes the call now is the end of its body. */
  stream(streaming) {
    this.outcome = undefined
    this.streaming = streaming
    streaming.run().then(
      () => this.#conclude(DONE),
      (error) => this.fail(error),
    )
  }

  #conclude(outcome) {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    this.#tryFinish()
  }

  #tryFinish() {
    if (this.over || this.#pending > 0 || this.outcome === undefined) return
    if (this.#undecided) {
      this.#undecided = false
      // By then Node has said which rejections of this turn are unhandled.
      setImmediate(() => this.#tryFinish())
      return
    }
    this.#blameUnhandled()
    this.#finished(this)
  }

  #blameUnhandled() {
    if (this.#unhandled === undefined || this.#unhandled.size === 0 || this.outcome.meta.error !== undefined) return
    const [[promise, error]] = this.#unhandled
    this.#unhandled.delete(promise)
    this.outcome = { meta: { error: toWire(error) }, body: undefined }
  }

  /** Operations report themselves, see operate.mjs. */
  operationSent() {
    this.#pending++
  }

  operationAnswered() {
    this.#pending--
    this.#tryFinish()
  }

  operationFailed() {
    this.#undecided = true
  }

  rejectionUnhandled(promise, error) {
    this.#unhandled ??= new Map()
    this.#unhandled.set(promise, error)
  }

  rejectionHandled(promise) {
    this.#unhandled?.delete(promise)
  }

  /** Failed operations that nobody handled and that are not what the call failed with. */
  lostErrors() {
    return this.#unhandled?.values() ?? []
  }

  /** The result is on its way. Timers and promises of the handler may hold this object for long, so it lets go. */
  close() {
    this.over = true
    this.outcome = undefined
    this.streaming = undefined
    this.#unhandled = undefined
  }

  get signal() {
    this.#controller ??= new AbortController()
    if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  cancel(reason) {
    const [message, name] = REASONS[reason] ?? [`the call was cancelled: ${reason}`, 'AbortError']
    this.#reason = new DOMException(message, name)
    this.#controller?.abort(this.#reason)
    this.streaming?.cancel()
  }

  /** Contexts hold their call. Someone who prints a context does not want to see it. */
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return `call ${this.trace}`
  }

  /** How a log line names it: its id means nothing to the engine once it is over. */
  origin() {
    return this.over ? { trace: this.trace, step: this.step.source } : { call: this.id }
  }
}

/** An event, or who comes or goes. An empty body is the language's "nothing". */
const dataOf = (body) => (body.length === 0 ? undefined : parsed(body))

const parsed = (body) => JSON.parse(body.utf8Slice(0, body.length))
