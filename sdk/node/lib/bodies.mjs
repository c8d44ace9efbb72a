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
    const message = new Message(this.#frame, flags, id, WINDOW - CHUNK, 0)
    if (message.put(body.subarray(CHUNK))) return
    this.#messages.set(keyOf(id, flags), message)
    return message.wait()
  }

  /** Begins a message whose body comes bit by bit: by `put`, until `close` or `abort`. */
  open(kind, flags, id, meta) {
    this.#frame(kind, MORE, id, meta)
    const message = new Message(this.#frame, flags, id, WINDOW, MORE)
    this.#messages.set(keyOf(id, flags), message)
    return message
  }

  /** The whole body of an open message has been put. */
  close({ id, flags }) {
    this.#messages.delete(keyOf(id, flags))
    this.#frame(KIND.DATA, flags, id, '')
  }

  granted(id, flags, bytes) {
    const message = this.#messages.get(keyOf(id, flags))
    if (message === undefined) return
    message.allowed += bytes
    if (message.pump() && !message.open) this.#messages.delete(keyOf(id, flags))
  }

  /** Ends a message whose rest nobody wants any more, or whose rest will not come; `meta` says why. */
  abort(id, flags, meta = '') {
    const message = this.#messages.get(keyOf(id, flags))
    if (message === undefined) return
    this.#messages.delete(keyOf(id, flags))
    this.#frame(KIND.ABORT, flags, id, meta)
    message.release()
  }
}

/** A body on its way out, as far as its window allows. */
class Message {
  #frame
  #rest
  #released

  /** `open` is MORE if further bytes follow those that are put. */
  constructor(frame, flags, id, allowed, open) {
    this.#frame = frame
    this.flags = flags
    this.id = id
    this.allowed = allowed
    this.open = open
  }

  /** Sends bytes, once those before are out. Says whether all of them are out now; if not, `wait` for it. */
  put(bytes) {
    this.#rest = bytes
    return this.pump()
  }

  wait() {
    return new Promise((resolve) => {
      this.#released = resolve
    })
  }

  pump() {
    while (this.#rest !== undefined) {
      const size = Math.min(CHUNK, this.allowed, this.#rest.byteLength)
      if (size === 0) return false
      const last = size === this.#rest.byteLength
      this.#frame(KIND.DATA, this.flags | (last ? this.open : MORE), this.id, '', this.#rest.subarray(0, size))
      this.allowed -= size
      this.#rest = last ? undefined : this.#rest.subarray(size)
    }
    this.release()
    return true
  }

  /** Nobody has to wait any more. */
  release() {
    this.#released?.()
    this.#released = undefined
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
    const message = { kind, meta, pieces: new Pieces(meta.length), ungranted: 0 }
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
    message.body = message.pieces.join(body)
    message.pieces = undefined
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
    message.pieces.take(body, borrowed)
    message.ungranted += body.byteLength
    if (message.ungranted < GRANT) return
    this.#frame(KIND.WINDOW, flags & ANSWER, id, `{"bytes":${message.ungranted}}`)
    message.ungranted = 0
  }
}

/** The bytes of a message as they come: long bodies must not be held twice. */
class Pieces {
  /** Room for all of it, where its length is known. */
  #whole
  #filled = 0
  #others = []

  constructor(length) {
    if (Number.isSafeInteger(length) && length > 0) this.#whole = reserve(length)
  }

  take(bytes, borrowed) {
    const fits = this.#whole !== undefined && bytes.byteLength <= this.#whole.length - this.#filled
    if (fits && this.#others.length === 0) {
      this.#whole.set(bytes, this.#filled)
      this.#filled += bytes.byteLength
    } else {
      this.#others.push(borrowed ? Buffer.from(bytes) : bytes)
    }
  }

  /** All of it, once the last bytes are here. */
  join(last) {
    this.take(last, false)
    const begun = this.#whole?.subarray(0, this.#filled)
    if (this.#others.length === 0) return begun ?? Buffer.alloc(0)
    return Buffer.concat(begun === undefined ? this.#others : [begun, ...this.#others])
  }
}

/** Memory that is touched only as it is filled: a client that announces much and sends little costs nothing. */
function reserve(length) {
  try {
    return Buffer.allocUnsafeSlow(length)
  } catch {
    // More than there can be: it is joined at its end, or fails there.
  }
}
