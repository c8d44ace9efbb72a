// The worker's end of the stream: messages in and out, and the worker's own requests (operations) with their replies.
import { Socket } from 'node:net'
import { Incoming, Outgoing } from './bodies.mjs'
import { ANSWER, Decoder, KIND, metaText, MORE } from './frames.mjs'
import { InFlight } from './in-flight.mjs'
import { Outbox } from './outbox.mjs'

const READ_BUFFER = 65_536
const BROKEN_OFF = { message: 'the engine broke off its reply', code: 'aborted' }

export class Connection {
  #socket
  #outbox = new Outbox((bytes) => this.#write(bytes))
  #frame = (kind, flags, id, meta, body) => this.#outbox.frame(kind, flags, id, meta, body)
  #outgoing = new Outgoing(this.#frame)
  #incoming = new Incoming(this.#frame)
  #decoder = new Decoder((kind, flags, id, meta, body, borrowed) =>
    this.#receive(kind, flags, id, meta, body, borrowed),
  )
  #replies = new InFlight()
  #lastId = 0
  #resting = false
  #on

  /**
   * `on` holds what the worker does about `load`, `streams`, `call`, `cancel` and `stop`, about `aborted(id)`: a call
   * whose body will never be complete, and about the `end` of the stream, which gets the error that broke it, if any.
   */
  constructor(fd, on) {
    this.#on = on
    this.fd = fd
    // One read buffer for all reads: what outlives its frame is copied, which is the rare and the small case.
    const onread = { buffer: Buffer.allocUnsafeSlow(READ_BUFFER), callback: (size, buffer) => this.#read(buffer, size) }
    this.#socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true, onread })
    this.#socket.on('end', () => this.#end())
    this.#socket.on('error', (error) => this.#end(error))
  }

  /** Sends a message that is no answer. Returns a promise if its body has to wait for the receiver. */
  send(kind, id, meta, body) {
    return this.#outgoing.send(kind, 0, id, metaText(meta), body)
  }

  /** Answers a request of the engine. */
  answer(kind, id, meta, body) {
    return this.#outgoing.send(kind, ANSWER, id, metaText(meta), body)
  }

  /** Begins an answer whose body comes bit by bit; see Outgoing. */
  openAnswer(kind, id, meta) {
    return this.#outgoing.open(kind, ANSWER, id, metaText(meta))
  }

  closeAnswer(message) {
    this.#outgoing.close(message)
  }

  /** Asks the engine. `replied(error, body)` gets a view of the reply's body that is good until it returns. */
  request(meta, body, replied) {
    const text = metaText(meta)
    let id
    do id = this.#lastId = (this.#lastId + 1) >>> 0
    while (id === 0 || this.#replies.get(id) !== undefined)
    this.#replies.add(id, replied)
    if (this.#resting) this.#socket.ref()
    this.#outgoing.send(KIND.OP, 0, id, text, body)
  }

  /** Asks to be taken out of service: whoever caused this may have left anything in a bad state. */
  retire(reason) {
    this.send(KIND.RETIRE, 0, { reason })
    this.flush()
  }

  /** Stops sending the answer to a request: nobody waits for it any more, or the rest will not come; `meta` says why. */
  abortAnswer(id, meta) {
    this.#outgoing.abort(id, ANSWER, metaText(meta))
  }

  /** Whether nothing waits for the receiver. */
  get idle() {
    return this.#outgoing.idle
  }

  /** Sends what waits soon, whatever happens to the thread: at once, unless much does so. */
  hurry() {
    this.#outbox.hurry()
  }

  /** Sends what waits now, before code runs that may never let go of the thread. */
  flush() {
    this.#outbox.flush()
  }

  /**
   * From now on the connection alone does not keep the process alive: what user code left behind (promises, timers)
   * still does, and each of its operations until it is answered.
   */
  rest() {
    this.#resting = true
    if (this.#replies.size === 0) this.#socket.unref()
  }

  #end(error) {
    this.#on.end(error)
  }

  #write(bytes) {
    this.#socket.write(bytes)
    return this.#socket.writableLength === 0
  }

  #read(buffer, size) {
    try {
      this.#decoder.push(buffer.subarray(0, size))
    } catch (error) {
      this.#end(error)
    }
    return true
  }

  #receive(kind, flags, id, meta, body, borrowed) {
    switch (kind) {
      case KIND.DATA: {
        const message = this.#incoming.data(flags, id, body, borrowed)
        if (message !== undefined) this.#dispatch(message.kind, id, message.meta, message.body, false)
        return
      }
      case KIND.WINDOW:
        return this.#outgoing.granted(id, flags, meta.bytes)
      case KIND.ABORT: {
        const message = this.#incoming.abort(flags, id)
        if (message?.kind === KIND.REPLY) this.#reply(id, BROKEN_OFF)
        else if (message?.kind === KIND.CALL) this.#on.aborted(id)
        return
      }
    }
    if (flags & MORE) this.#incoming.begin(kind, kind === KIND.REPLY ? ANSWER : 0, id, meta, body, borrowed)
    else this.#dispatch(kind, id, meta, body, borrowed)
  }

  #dispatch(kind, id, meta, body, borrowed) {
    switch (kind) {
      case KIND.CALL:
        return this.#on.call(id, meta, body, borrowed)
      case KIND.REPLY:
        return this.#reply(id, meta.error, body)
      case KIND.CANCEL:
        return this.#on.cancel(id, meta.reason)
      case KIND.PING:
        // At once: what comes behind a ping that is not answered has not been seen.
        this.#frame(KIND.PONG, 0, id, `{"memory":${process.memoryUsage.rss()}}`)
        return this.flush()
      case KIND.LOAD:
        return this.#on.load(meta, JSON.parse(body))
      case KIND.STREAMS:
        return this.#on.streams(JSON.parse(body))
      case KIND.STOP:
        return this.#on.stop()
      case KIND.INSPECT:
        return this.#on.inspect(meta.port)
      // Other kinds are of a newer engine.
    }
  }

  #reply(id, error, body) {
    const replied = this.#replies.get(id)
    if (replied === undefined) return
    this.#replies.delete(id)
    // The engine may refuse before it has the whole body.
    this.#outgoing.abort(id, 0)
    if (this.#resting && this.#replies.size === 0) this.#socket.unref()
    replied(error, body)
  }
}
