import type { ApiRequest, ApiRouteConfig } from 'motia'

export const config: ApiRouteConfig = {
  type: 'api',
  name: 'Report',
  description: 'A table of any length: only the row that is being sent is in memory',
  method: 'GET',
  path: '/report',
  emits: [],
}

async function* rows(count: number) {
  yield 'n,square\n'
  for (let n = 1; n <= count; n++) yield `${n},${n * n}\n`
}

export const handler = async (req: ApiRequest) => ({
  status: 200,
  headers: { 'content-type': 'text/csv' },
  body: rows(Number(req.queryParams.rows ?? 3)),
})
