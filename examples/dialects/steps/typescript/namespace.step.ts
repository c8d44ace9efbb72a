// A namespace with values.
namespace Limits {
  export const most = 3
  export const twice = () => most * 2
}

export const config = { type: 'api', name: 'Namespace', path: '/typescript/namespace', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { most: Limits.most, twice: Limits.twice() } })
