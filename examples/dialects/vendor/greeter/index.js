'use strict'
// As a compiler writes a module with a default export for CommonJS: the value lies in `exports.default`.
Object.defineProperty(exports, '__esModule', { value: true })
exports.default = function greet(name) {
  return `hello ${name}`
}
exports.shout = (name) => `HELLO ${name.toUpperCase()}`
