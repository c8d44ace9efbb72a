// Returns a BigInt.
export const config = { type: 'api', name: 'ReturnsBigInt', path: '/handlers/bigint', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { n: 1n } })
