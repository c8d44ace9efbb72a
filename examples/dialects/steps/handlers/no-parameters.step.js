// What a handler gets does not depend on how many parameters it names.
export const config = { type: 'api', name: 'NoParameters', path: '/handlers/no-parameters', method: 'GET', emits: [] }

export const handler = async (...all) => ({ status: 200, body: { given: all.length } })
