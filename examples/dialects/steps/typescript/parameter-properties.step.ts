// Constructor parameters that become members.
class Greeter {
  constructor(
    private readonly greeting: string,
    public name = 'nobody',
  ) {}

  greet() {
    return `${this.greeting} ${this.name}`
  }
}

export const config = {
  type: 'api',
  name: 'ParameterProperties',
  path: '/typescript/parameter-properties',
  method: 'GET',
  emits: [],
}

export const handler = async () => ({ status: 200, body: { greeting: new Greeter('hello', 'parameters').greet() } })
