// Stands for `@motiadev/plugin-*/plugin`. What those plugins showed is part of the Workbench; a project's config that
// lists them must load all the same. A plugin is a function of a context that returns what it adds: this one adds
// nothing.
'use strict'

function plugin() {
  return { workbench: [] }
}

module.exports = plugin
module.exports.default = plugin
module.exports.plugin = plugin
