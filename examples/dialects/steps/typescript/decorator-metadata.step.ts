// `emitDecoratorMetadata`: what containers for dependencies live on.
import '../../lib/reflect'
import { Clock } from '../../lib/clock'

const typesOf = (target: object) => Reflect.getMetadata('design:paramtypes', target) as { name: string }[]
const injectable = (_target: object) => {}

@injectable
class Shop {
  constructor(
    private readonly clock: Clock,
    readonly name: string,
  ) {}

  hour() {
    return `${this.name} at ${this.clock.hour}`
  }
}

export const config = {
  type: 'api',
  name: 'DecoratorMetadata',
  path: '/typescript/decorator-metadata',
  method: 'GET',
  emits: [],
}

export const handler = async () => ({
  status: 200,
  body: { types: typesOf(Shop).map((type) => type.name), hour: new Shop(new Clock(), 'shop').hour() },
})
