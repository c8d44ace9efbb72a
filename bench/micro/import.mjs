// How long does Node need to import what Motia compiled? Without Motia, in a process that is up and has done nothing else.
//
//   node micro/import.mjs .motia/compiled/<generation>
//
// Prints milliseconds.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const steps = join(process.argv[2], 'steps')
const modules = readdirSync(steps).filter((name) => name.endsWith('.mjs'))
const began = performance.now()
for (const name of modules) await import(pathToFileURL(join(steps, name)).href)
console.log(performance.now() - began)
