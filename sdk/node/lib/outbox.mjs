// Frames on their way out. All frames of one turn leave in one write: a system call costs more than many small frames.
import { frameBound, writeFrame } from './frames.mjs'

const SIZE = 65_536
/** So many frames leave at once in so many milliseconds; the others of a burst share their writes. */
const AT_ONCE = 16
const BURST = 5

export class Outbox {
  #write
  #buffer = Buffer.allocUnsafeSlow(SIZE)
  #used = 0
  #scheduled = false
  #burst = 0
  #hurried = 0
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

  /**
   * Sends what is there without waiting for the end of the turn, which may never come: code that loops or kills the
   * process would take with it what says why.
   */
  hurry() {
    const now = performance.now()
    if (now - this.#burst >= BURST) {
      this.#burst = now
      this.#hurried = 0
    }
    if (this.#hurried === AT_ONCE) return
    this.#hurried++
    this.flush()
  }

  flush() {
    this.#scheduled = false
    if (this.#used === 0) return
    const bytes = this.#buffer.subarray(0, this.#used)
    this.#used = 0
    if (!this.#write(bytes)) this.#buffer = Buffer.allocUnsafeSlow(SIZE)
  }
}
