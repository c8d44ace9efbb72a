// As much of the `reflect-metadata` package as decorators need.
declare global {
  namespace Reflect {
    function metadata(key: string, value: unknown): (target: object) => void
    function getMetadata(key: string, target: object): unknown
  }
}

const known = new WeakMap<object, Map<string, unknown>>()

Reflect.metadata = (key, value) => (target) => {
  known.set(target, (known.get(target) ?? new Map()).set(key, value))
}
Reflect.getMetadata = (key, target) => known.get(target)?.get(key)
