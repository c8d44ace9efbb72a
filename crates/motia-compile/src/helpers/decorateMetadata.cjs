// Does nothing unless the project brings `reflect-metadata`.
module.exports = (key, value) => {
  if (typeof Reflect === 'object' && typeof Reflect.metadata === 'function') return Reflect.metadata(key, value)
}
