// Frames on their way out. All frames of one turn leave in one write: a system call costs more than many small frames.
import { frameBound, writeFrame } from './frames.mjs'

const SIZE = 65_536

export class Outbox {
  #write
  #buffer = Buffer.allocUnsafeSlow(SIZE)
  #used = 0
  #scheduled = false
  #flush = () => this.flush()

  /** `write(bytes)` says whether all of it has left already, so that the memory may be used again. */
  constructor(write) {
    this.#write = write
  }

  frame(kind, flags, id, meta, body) {
    const bound = frameBound(meta, body)
    if (bound > this.#buffer.length - this.#used) {
      this.flush()
      if (bound > SIZE) {
        const own = Buffer.allocUnsafeSlow(bound)
        this.#write(own.subarray(0, writeFrame(own, 0, kind, flags, id, meta, body)))
        return
      }
    }
    this.#used = writeFrame(this.#buffer, this.#used, kind, flags, id, meta, body)
    if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#flush)
    }
  }

  flush() {
    this.#scheduled = false
    if (this.#used === 0) return
    const bytes = this.#buffer.subarray(0, this.#used)
    this.#used = 0
    if (!this.#write(bytes)) this.#buffer = Buffer.allocUnsafeSlow(SIZE)
  }
}
