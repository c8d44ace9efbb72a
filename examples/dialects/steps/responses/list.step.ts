// So is a list.
export const config = { type: 'api', name: 'ListBody', path: '/responses/list', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: [{ n: 1 }, 'two', null] })
