// What runs or waits now, by the number that its frames have.
//
// No Map: V8 links the table that a Map has outgrown, or emptied, to the next one. Once one of them is in the old
// generation, all that follow live until the next full collection, and so does what is in them. That cost a seventh of
// the throughput, and pauses of milliseconds.

const SIZE = 1024

export class InFlight {
  /** Numbers are given in turn, so that most find a free place. */
  #numbers = new Uint32Array(SIZE)
  #places = new Array(SIZE).fill(undefined)
  /** Those whose place was taken: what is there takes long. */
  #others = new Map()
  #size = 0

  get size() {
    return this.#size
  }

  get(number) {
    const place = number % SIZE
    if (this.#numbers[place] === number && this.#places[place] !== undefined) return this.#places[place]
    return this.#others.get(number)
  }

  /** `number` is new, and `value` not undefined. */
  add(number, value) {
    const place = number % SIZE
    if (this.#places[place] === undefined) {
      this.#numbers[place] = number
      this.#places[place] = value
    } else {
      this.#others.set(number, value)
    }
    this.#size++
  }

  delete(number) {
    const place = number % SIZE
    if (this.#numbers[place] === number && this.#places[place] !== undefined) this.#places[place] = undefined
    else if (!this.#others.delete(number)) return
    this.#size--
  }

  /** The values, that of the greatest number first. */
  latest() {
    const all = [...this.#others]
    this.#places.forEach((value, place) => {
      if (value !== undefined) all.push([this.#numbers[place], value])
    })
    return all.sort((one, other) => other[0] - one[0]).map(([, value]) => value)
  }
}
