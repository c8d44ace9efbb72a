// `@motiadev/core` is where 0.x projects take `config`, `defineConfig` and some types from. It is `motia` under
// another name.
'use strict'

module.exports = require('../../motia/index.cjs')
