/** Functions to be called with what happens. One that throws costs neither the others nor the connection. */
export class Listeners {
  #all = new Set()

  /** The answer takes it off again. */
  add(listener) {
    this.#all.add(listener)
    return () => this.remove(listener)
  }

  remove(listener) {
    this.#all.delete(listener)
  }

  call(...given) {
    for (const listener of [...this.#all]) {
      try {
        listener(...given)
      } catch (error) {
        console.error('A listener of a stream threw:', error)
      }
    }
  }
}
