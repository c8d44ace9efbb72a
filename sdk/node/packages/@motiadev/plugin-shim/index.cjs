// Stands for `@motiadev/plugin-*/plugin`, and in a `motia.config` for any package that is not there. What those plugins
// showed is part of the Workbench; a config that uses them must load all the same, and keep the rest of what it says.
// So this can be called, constructed and asked for any member, and all of it is this again.
'use strict'

const STUB = Symbol.for('motia.stub')

const anything = new Proxy(function plugin() {}, {
  get(target, key) {
    if (key === STUB) return true
    if (key === Symbol.toPrimitive) return () => ''
    // A member `then` would make it a promise that never settles, `toJSON` a function of its own text.
    if (typeof key === 'symbol' || key === 'then' || key === 'toJSON' || key === 'prototype') return target[key]
    return anything
  },
  set: () => true,
  apply: () => anything,
  construct: () => anything,
})

module.exports = anything
