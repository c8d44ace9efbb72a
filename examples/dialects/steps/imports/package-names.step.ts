// Named imports of a CommonJS package whose names cannot be told by reading it.
import tools, { double, triple } from 'toolbox'

export const config = { type: 'api', name: 'PackageNames', path: '/imports/package-names', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { four: double(2), six: triple(2), eight: tools.double(4) } })
