// `__dirname` in an ES module, and when the file is loaded: it is the folder of this source.
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const note = readFileSync(join(__dirname, 'note.txt'), 'utf8')

export const config = { type: 'api', name: 'Dirname', path: '/whereabouts/dirname', method: 'GET', emits: [] }

export const handler = async () => ({ status: 200, body: { note, file: basename(__filename) } })
