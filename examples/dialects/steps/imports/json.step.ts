// A JSON file by import, and by require.
import menu from '../../data/menu.json'

const { price } = require('../../data/menu.json')

export const config = { type: 'api', name: 'Json', path: '/imports/json', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { dish: menu.dish, price } })
