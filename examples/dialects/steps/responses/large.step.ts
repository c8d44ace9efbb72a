// A body of a megabyte.
export const config = { type: 'api', name: 'LargeBody', path: '/responses/large', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { length: 1 << 20, text: 'x'.repeat(1 << 20) } })
