// What JSON makes of undefined, NaN, dates, maps and toJSON.
export const config = { type: 'api', name: 'JsonBody', path: '/responses/json', method: 'GET', emits: [] }

export const handler = async () => ({
  status: 200,
  body: { gone: undefined, nan: Number.NaN, at: new Date(0), map: new Map([[1, 2]]), own: { toJSON: () => 'own' } },
})
