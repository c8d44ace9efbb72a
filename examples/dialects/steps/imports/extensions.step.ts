// No extension, a folder's index, and `.js` for a file that is `.ts`.
import { greet } from '../../lib/greet'
import { greet as sameGreet } from '../../lib/greet.js'
import { area } from '../../lib/shapes'

export const config = { type: 'api', name: 'Extensions', path: '/imports/extensions', method: 'GET', emits: [] }

export const handler = async () => ({
  status: 200,
  body: { greeting: greet('extensions'), same: greet === sameGreet, area: area(2, 3) },
})
