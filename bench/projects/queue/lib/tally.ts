// What was handled so far. Emitters and handlers share this module, since one worker runs both: the end is seen without asking for
// it over and over, and there is one clock.
let handled = 0
let expected = 0
let reached = () => {}
let all = Promise.resolve()
let started = (_at: number) => {}

/** Forgets what came before. */
export function expectEvents(count: number) {
  handled = 0
  expected = count
  all = new Promise((resolve) => {
    reached = resolve
  })
}

/** Resolves once all that are expected have been handled. */
export async function end(): Promise<number> {
  await all
  return handled
}

/** Resolves with the time at which the next handler begins. */
export function nextStart(): Promise<number> {
  return new Promise((resolve) => {
    started = resolve
  })
}

export function handle() {
  started(performance.now())
  handled += 1
  if (handled === expected) reached()
}
