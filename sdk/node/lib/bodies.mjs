// Bodies that do not fit one frame: cut into DATA frames on the way out, put together on the way in, and never further
// ahead of the receiver than the window allows.
import { ANSWER, CHUNK, INLINE_BODY, KIND, MORE, WINDOW } from './frames.mjs'

/** Small grants would double the number of frames, one at the end of the window would stop the sender. */
const GRANT = WINDOW / 4

/** Questions are numbered by one side and answers by the other, so an id alone names two messages. */
const keyOf = (id, flags) => id * 2 + (flags & ANSWER ? 1 : 0)

export class Outgoing {
  #frame
  #messages = new Map()

  /** `frame(kind, flags, id, meta, body)` puts a frame into the outbox. */
  constructor(frame) {
    this.#frame = frame
  }

  get idle() {
    return this.#messages.size === 0
  }

  /** Sends a message. Returns a promise if some of it has to wait for the receiver, and nothing if all of it is out. */
  send(kind, flags, id, meta, body) {
    if (typeof body === 'string' && body.length * 3 > INLINE_BODY) body = Buffer.from(body)
    if (body === undefined || typeof body === 'string' || body.byteLength <= INLINE_BODY) {
      this.#frame(kind, 0, id, meta, body)
      return
    }
    this.#frame(kind, MORE, id, meta, body.subarray(0, CHUNK))
    const message = { id, flags, body, sent: CHUNK, allowed: WINDOW, done: undefined }
    if (this.#pump(message)) return
    this.#messages.set(keyOf(id, flags), message)
    return new Promise((resolve) => {
      message.done = resolve
    })
  }

  /** Whether the whole body is out now. */
  #pump(message) {
    const { id, flags, body } = message
    while (message.sent < body.byteLength && message.sent < message.allowed) {
      const end = Math.min(message.sent + CHUNK, message.allowed, body.byteLength)
      this.#frame(KIND.DATA, end < body.byteLength ? flags | MORE : flags, id, '', body.subarray(message.sent, end))
      message.sent = end
    }
    return message.sent === body.byteLength
  }

  granted(id, flags, bytes) {
    const message = this.#messages.get(keyOf(id, flags))
    if (message === undefined) return
    message.allowed += bytes
    if (this.#pump(message)) this.#end(message)
  }

  /** Ends a message that nobody wants any more. */
  abort(id, flags) {
    const message = this.#messages.get(keyOf(id, flags))
    if (message === undefined) return
    this.#frame(KIND.ABORT, flags, id, '')
    this.#end(message)
  }

  #end(message) {
    this.#messages.delete(keyOf(message.id, message.flags))
    message.done()
  }
}

export class Incoming {
  #frame
  #messages = new Map()

  constructor(frame) {
    this.#frame = frame
  }

  /**
   * The first frame of a message with more to come. `flags` says whose number `id` is; `borrowed` bytes are copied (see
   * Decoder).
   */
  begin(kind, flags, id, meta, body, borrowed) {
    const message = { kind, meta, pieces: [], ungranted: 0 }
    this.#messages.set(keyOf(id, flags), message)
    this.#take(message, flags, id, body, borrowed)
  }

  /** The next piece. Returns the message, with its whole `body`, once this was the last one. */
  data(flags, id, body, borrowed) {
    const key = keyOf(id, flags)
    const message = this.#messages.get(key)
    if (message === undefined) return
    if (flags & MORE) {
      this.#take(message, flags, id, body, borrowed)
      return
    }
    this.#messages.delete(key)
    message.body = Buffer.concat([...message.pieces, body])
    return message
  }

  /** The sender gave up. Returns the message it concerns. */
  abort(flags, id) {
    const key = keyOf(id, flags)
    const message = this.#messages.get(key)
    this.#messages.delete(key)
    return message
  }

  #take(message, flags, id, body, borrowed) {
    message.pieces.push(borrowed ? Buffer.from(body) : body)
    message.ungranted += body.byteLength
    if (message.ungranted < GRANT) return
    this.#frame(KIND.WINDOW, flags & ANSWER, id, `{"bytes":${message.ungranted}}`)
    message.ungranted = 0
  }
}
