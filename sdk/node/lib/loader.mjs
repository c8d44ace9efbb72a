// LOAD: imports user files one after the other and tells the engine what each of them is.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createAuth, createStream } from './access.mjs'
import { configJson } from './config-json.mjs'
import { toWire } from './errors.mjs'
import { KIND } from './frames.mjs'
import { createStep, defaultOf, exportsOf } from './steps.mjs'

/** Of which kind of CALL `handler` says that the file has what it runs. Of others, the config's JSON says so. */
const TOLD_BY_HANDLER = { step: 'api', stream: 'access', config: 'authenticate' }

export class Loader {
  #connection
  #steps
  #calls
  #turn = Promise.resolve()

  /** `steps` is filled: source to what was loaded. `calls` is told while a file is imported. */
  constructor(connection, steps, calls) {
    this.#connection = connection
    this.#steps = steps
    this.#calls = calls
  }

  /** Loads wait for each other, so that the answers of two do not mix. */
  load(root, files) {
    this.#turn = this.#turn.then(() => this.#load(root, files))
  }

  async #load(root, files) {
    this.#calls.importing = true
    for (const file of files) {
      this.#connection.send(KIND.IMPORTING, 0, { file: file.source })
      // The file may never return. The engine then has to know which one it was.
      this.#connection.flush()
      await this.#import(root, file)
    }
    this.#calls.importing = false
    this.#connection.send(KIND.READY, 0, { memory: process.memoryUsage.rss() })
  }

  async #import(root, { source, module, kind }) {
    try {
      const exported = await importModule(module)
      const { config, step } =
        kind === 'config' ? await projectConfig(source, exported) : stepOf(source, kind, exported)
      const instances = kind === 'config' ? 'named' : 'walked'
      const { json, warnings } = await configJson(config, join(root, source), { instances })
      const meta = {
        file: source,
        handler: step.runs[TOLD_BY_HANDLER[kind]] !== undefined,
        warnings: [...warnings, ...(step.warnings ?? [])],
      }
      this.#steps.set(source, step)
      await this.#connection.send(KIND.IMPORTED, 0, meta, json)
    } catch (error) {
      await this.#connection.send(KIND.REFUSED, 0, { file: source }, JSON.stringify(describe(error)))
    }
  }
}

/** A file without what its kind of file needs. It says all there is to say: where it was noticed is of no use to anyone. */
class Unsuitable extends Error {}

const describe = (error) => (error instanceof Unsuitable ? { message: error.message } : toWire(error))

/** `.cjs` goes through `require`: what `import` makes of a CommonJS module lacks names that only running it shows. */
export const importModule = (module) =>
  module.endsWith('.cjs') ? createRequire(module)(module) : import(pathToFileURL(module).href)

async function projectConfig(source, exported) {
  const config = await defaultOf(exported)
  if (config === null || typeof config !== 'object') {
    throw new Unsuitable('motia.config must have a default export, such as: export default defineConfig({ … })')
  }
  return { config, step: createAuth(source, config) }
}

function stepOf(source, kind, exported) {
  const { config, handler } = exportsOf(exported)
  if (config === undefined) {
    throw new Unsuitable(`${source} exports no config. Add: export const config = { ${EXAMPLE[kind] ?? EXAMPLE.step} }`)
  }
  if (config === null || typeof config !== 'object') {
    throw new Unsuitable(
      `${source} exports a config that is ${config === null ? 'null' : `a ${typeof config}`}, not an object`,
    )
  }
  return { config, step: kind === 'stream' ? createStream(source, config) : createStep(source, { config, handler }) }
}

const EXAMPLE = {
  step: "type: 'api', name: 'MyStep', path: '/my-step', method: 'GET', emits: []",
  stream: "name: 'myStream', schema, baseConfig: { storageType: 'default' }",
}
