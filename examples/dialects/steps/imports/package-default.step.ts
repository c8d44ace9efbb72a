// A CommonJS package with `__esModule`: its default import is the value, and `.default` of it is the value too.
import greet, { shout } from 'greeter'
import * as all from 'greeter'

const { default: required } = require('greeter')

export const config = {
  type: 'api',
  name: 'PackageDefault',
  path: '/imports/package-default',
  method: 'GET',
  emits: [],
}

export const handler = async () => {
  const { default: late } = await import('greeter')
  return {
    status: 200,
    body: {
      plain: greet('plain'),
      twice: greet.default('twice'),
      namespace: all.default('namespace'),
      required: required('required'),
      late: late('late'),
      named: shout('named'),
    },
  }
}
