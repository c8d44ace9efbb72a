// An ES module with one default export that holds both.
import { ApiRouteConfig, ApiRouteHandler } from 'motia'

const config: ApiRouteConfig = {
  type: 'api',
  name: 'DefaultExport',
  path: '/modules/default-export',
  method: 'GET',
  emits: [],
}

const handler: ApiRouteHandler = async () => ({ status: 200, body: { ok: true } })

export default { config, handler }
