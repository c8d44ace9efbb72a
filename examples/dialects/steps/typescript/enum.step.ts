// A member of an enum as path, and a `const enum` in the answer: of this file, and of another.
import { ApiRouteConfig, Handlers } from 'motia'
import { Colour, Size as Sizes } from '../../lib/sizes'
import { Path } from '../../lib/topics'

const enum Size {
  Small = 1,
  Large = Small << 3,
}

export const config: ApiRouteConfig = { type: 'api', name: 'Enum', path: Path.Enum, method: 'GET', emits: [] }

export const handler: Handlers['Enum'] = async () => ({
  status: 200,
  body: { path: Path.Enum, size: Size.Large, other: Sizes.Large, colour: Colour.Red },
})
