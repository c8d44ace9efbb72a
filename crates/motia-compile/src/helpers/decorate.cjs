// Applies decorators by TypeScript's older rules, the last one first. `descriptor` is undefined for a field, null for a
// method or an accessor, and absent for a class.
module.exports = function decorate(decorators, target, key, descriptor) {
  const isMember = arguments.length > 2
  if (descriptor === null) descriptor = Object.getOwnPropertyDescriptor(target, key)
  const isField = isMember && descriptor === undefined
  let result = isMember ? descriptor : target
  for (const decorator of [...decorators].reverse()) {
    if (!decorator) continue
    const replaced = isField ? decorator(target, key) : isMember ? decorator(target, key, result) : decorator(result)
    result = replaced || result
  }
  if (isMember && result) Object.defineProperty(target, key, result)
  return result
}
