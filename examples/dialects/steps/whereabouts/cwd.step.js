// The working directory is the project's root, and `.motia` is there.
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

export const config = { type: 'api', name: 'Cwd', path: '/whereabouts/cwd', method: 'GET', emits: [] }

export const handler = async () => ({
  status: 200,
  body: { name: JSON.parse(readFileSync(resolve('package.json'), 'utf8')).name, motia: existsSync(resolve('.motia')) },
})
