'use strict'

module.exports = require('../../motia/workbench.cjs')
