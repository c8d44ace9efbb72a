// The scope of `using` declarations: `u` and `a` take a resource in, `e` is set to what the scope threw, and `d` disposes
// of everything, the last one first.
const sync = Symbol.dispose ?? Symbol.for('Symbol.dispose')
const async = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')
const none = {}

const suppressed = (error, before) => {
  if (typeof SuppressedError === 'function') return new SuppressedError(error, before)
  return Object.assign(new Error('an error was suppressed during disposal'), { name: 'SuppressedError', error, suppressed: before })
}

module.exports = function usingCtx() {
  const resources = []
  const take = (value, isAsync) => {
    if (value === null || value === undefined) {
      if (isAsync) resources.push({ isAsync, dispose: () => {} })
      return value
    }
    if (Object(value) !== value) throw new TypeError('using declarations need an object, null or undefined')
    const method = (isAsync && value[async]) || value[sync]
    if (typeof method !== 'function') throw new TypeError('this object cannot be disposed of')
    resources.push({ isAsync, dispose: () => method.call(value) })
    return value
  }
  return {
    e: none,
    u: (value) => take(value, false),
    a: (value) => take(value, true),
    d() {
      let error = this.e
      const failed = (cause) => (error = error === none ? cause : suppressed(cause, error))
      const next = () => {
        while (resources.length > 0) {
          const { isAsync, dispose } = resources.pop()
          try {
            const result = dispose()
            if (isAsync) return Promise.resolve(result).then(next, (cause) => (failed(cause), next()))
          } catch (cause) {
            if (isAsync) return Promise.resolve().then(() => (failed(cause), next()))
            failed(cause)
          }
        }
        if (error !== none) throw error
      }
      return next()
    },
  }
}
