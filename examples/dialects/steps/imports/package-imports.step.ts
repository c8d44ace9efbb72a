// A `#name` of the project's own package.json.
import { greet } from '#lib/greet'

export const config = {
  type: 'api',
  name: 'PackageImports',
  path: '/imports/package-imports',
  method: 'GET',
  emits: [],
}

export const handler = async () => ({ status: 200, body: { greeting: greet('imports') } })
