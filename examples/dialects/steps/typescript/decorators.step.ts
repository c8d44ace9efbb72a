// Decorators of `experimentalDecorators`.
const exclaimed = (_target: object, _key: string, descriptor: PropertyDescriptor) => {
  const method = descriptor.value
  descriptor.value = (...args: unknown[]) => `${method(...args)}!`
}

class Greeter {
  @exclaimed
  greet(name: string) {
    return `hello ${name}`
  }
}

export const config = { type: 'api', name: 'Decorators', path: '/typescript/decorators', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { greeting: new Greeter().greet('decorators') } })
