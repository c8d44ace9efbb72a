'use strict'
// Old-fashioned: no tool can tell the names of these exports by reading the file.
const tools = {}
for (const factor of ['double:2', 'triple:3']) {
  const [name, by] = factor.split(':')
  tools[name] = (n) => n * by
}
module.exports = tools
