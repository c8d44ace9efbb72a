// `import.meta.url` and its sisters name this source.
import { readFile } from 'node:fs/promises'

export const config = { type: 'api', name: 'ImportMeta', path: '/whereabouts/import-meta', method: 'GET', emits: [] }

export const handler = async () => {
  const note = await readFile(new URL('./note.txt', import.meta.url), 'utf8')
  return { status: 200, body: { note, same: import.meta.dirname === __dirname && import.meta.filename === __filename } }
}
