// Response bodies that come bit by bit: where their chunks come from, and how they leave, each at once and none before
// the receiver has room for it.

/** Where the chunks of a body come from, `{next(), cancel()}`; undefined if it is no stream. */
export function sourceOf(body) {
  if (isWeb(body, 'ReadableStream')) return webSource(body)
  if (typeof body[Symbol.asyncIterator] !== 'function') return undefined
  return typeof body.destroy === 'function' ? nodeSource(body) : iteratorSource(body[Symbol.asyncIterator]())
}

/** By its reader, not by its iterator: that could not cancel a stream of which a chunk is awaited. */
function webSource(stream) {
  const reader = stream.getReader()
  return { next: () => reader.read(), cancel: () => reader.cancel() }
}

function nodeSource(stream) {
  // It may fail before its first chunk is asked for; the iterator learns of that then.
  stream.on('error', () => {})
  const iterator = stream[Symbol.asyncIterator]()
  return { next: () => iterator.next(), cancel: async () => stream.destroy() }
}

const iteratorSource = (iterator) => ({
  next: async () => iterator.next(),
  cancel: async () => iterator.return?.(),
})

/** A source of which some chunks have been asked for. */
export function startsWith(chunks, source) {
  return { next: () => (chunks.length > 0 ? chunks.shift() : source.next()), cancel: () => source.cancel() }
}

/** The body of one streamed response on its way out. */
export class Streaming {
  #source
  #answer
  #connection
  #cancelled = false
  #closed

  constructor(source, answer, connection) {
    this.#source = source
    this.#answer = answer
    this.#connection = connection
  }

  /** Sends chunk after chunk. Settles once the stream has ended and has cleaned up. */
  async run() {
    try {
      await this.#pump()
    } catch (error) {
      // What a stream says that was told to end is of no interest.
      if (!this.#cancelled) {
        this.#close()
        await this.#closed
        throw error
      }
    }
    await this.#closed
  }

  async #pump() {
    while (!this.#cancelled) {
      const { done, value } = await this.#source.next()
      if (done || this.#cancelled) return
      const bytes = chunkBytes(value)
      if (bytes.byteLength > 0 && !this.#answer.put(bytes)) await this.#answer.wait()
      // Frames leave at the end of the turn, and other calls want theirs, even if the stream never waits for anything.
      await new Promise(setImmediate)
    }
  }

  /** Nobody wants the rest. */
  cancel() {
    if (this.#cancelled) return
    this.#cancelled = true
    this.#answer.release()
    this.#close()
  }

  #close() {
    this.#closed ??= Promise.resolve(this.#source.cancel()).catch(() => {})
  }

  /** Everything that the call did is done: the answer ends, or is broken off. */
  finish(error) {
    if (error === undefined && !this.#cancelled) return this.#connection.closeAnswer(this.#answer)
    this.cancel()
    this.#connection.abortAnswer(this.#answer.id, error && { error })
  }
}

/** Text as UTF-8, bytes as they are. */
export function chunkBytes(chunk) {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  const bytes = bytesOf(chunk)
  if (bytes !== undefined) return bytes
  throw new TypeError(
    `the response's stream yielded ${nameOf(chunk)}; a chunk is a string or bytes. ` +
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what to write
      'For data, yield JSON.stringify(data) and a line feed; for server-sent events, `data: ${JSON.stringify(data)}\\n\\n`',
  )
}

export function bytesOf(body) {
  if (body instanceof Uint8Array) return body
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
}

/** By name, not by class: naming the global `Response` would load Node's whole fetch. */
export const isWeb = (value, name) => value !== null && typeof value === 'object' && value[Symbol.toStringTag] === name

export function nameOf(value) {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`
  if (typeof value === 'number') return `the number ${value}`
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
