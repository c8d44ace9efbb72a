// console.* as log lines. Node's own Console does the formatting (%s, tables, groups, counters, timers), so that
// lines look as they do without us; only where they go differs. What is written to process.stdout itself stays there.
import { Console } from 'node:console'

/** Methods with a level of their own; the others print through `log` or, when they complain, through `warn`. */
const LEVELS = { debug: 'debug', info: 'info', warn: 'warn', error: 'error', trace: 'info', assert: 'error' }

export function captureConsole(send) {
  let level = 'info'
  const sink = {
    write(text) {
      send(level, text.endsWith('\n') ? text.slice(0, -1) : text)
    },
  }
  const formatter = new Console({ stdout: sink, stderr: sink, ignoreErrors: false, colorMode: false })
  for (const [name, method] of Object.entries(formatter)) {
    if (typeof method !== 'function' || typeof console[name] !== 'function') continue
    console[name] = (...args) => {
      // Console writes before it returns, and a method that calls another one keeps its own level.
      const outer = level
      level = LEVELS[name] ?? 'info'
      try {
        return method.apply(formatter, args)
      } finally {
        level = outer
      }
    }
  }
}
