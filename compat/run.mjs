// Runs other people's projects with motia: do their steps load, do their routes answer as their code says?
//
//   node compat/run.mjs [part of a project's name …]
//
// The descriptions are in `projects/`, the projects themselves in `target/compat`. Without a name all of them run and
// the table in `docs/compatibility.md` is written anew.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { check } from './check.mjs'
import { motiaBinary, start } from './engine.mjs'
import { filesPresent, languageOf } from './present.mjs'
import { page } from './report.mjs'
import { checkOut, installPackages, installPythonPackages } from './source.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const repository = dirname(here)
const SLOW_IMPORT_LIMIT = 30_000
const cache = join(repository, 'target', 'compat')

/** The projects that are described, those of one repository after each other. */
function descriptions() {
  const files = readdirSync(join(here, 'projects')).sort()
  return files.flatMap((file) => {
    const { projects, ...shared } = JSON.parse(readFileSync(join(here, 'projects', file), 'utf8'))
    const env = (project) => ({ ...shared.env, ...project.env })
    return projects.map((project) => ({
      ...shared,
      ...project,
      env: env(project),
      name: [shared.repo, project.folder].filter(Boolean).join('/'),
    }))
  })
}

async function runProject(binary, project) {
  const result = { project, present: nothing(), loaded: nothing(), checks: [], lines: [] }
  let engine
  try {
    const copy = checkOut(cache, project)
    const root = join(copy, project.folder ?? '')
    result.present = filesPresent(root)
    // Those of a pnpm workspace beside it come first, as it may link to them.
    for (const [folder, options] of Object.entries(project.beside ?? {})) installPackages(join(copy, folder), options)
    installPackages(root, project)
    const files = [...result.present.steps, ...result.present.streams]
    if (files.some((file) => languageOf(file) === 'Python')) installPythonPackages(binary, root, project)
    engine = await start(binary, root, project.env)
    result.lines = engine.lines
    result.loaded = await loadedFiles(engine, result.present)
    result.checks = await check(engine, project.requests)
  } catch (error) {
    result.failure = error.message
  } finally {
    await engine?.stop()
  }
  return result
}

const nothing = () => ({ steps: [], streams: [] })

/** What the engine lists. Files that are slow to import come later than the rest. */
async function loadedFiles({ url, lines }, present) {
  const limit = Date.now() + SLOW_IMPORT_LIMIT
  for (;;) {
    const { steps, streams } = await (await fetch(`${url}/__motia/steps`)).json()
    const loaded = { steps: steps.map(({ filePath }) => filePath), streams: streams.map(({ filePath }) => filePath) }
    const missing = present.steps.filter((file) => !loaded.steps.includes(file))
    const slow = missing.some((file) => lines.some((line) => line.includes(`${file}: it is still being imported`)))
    if (!slow || Date.now() > limit) return loaded
    await sleep(500)
  }
}

/** What happened, for whoever looks on. */
function tell({ project, present, loaded, checks, failure, lines }) {
  const missing = (kind) => present[kind].filter((file) => !loaded[kind].includes(file))
  const right = checks.filter(({ problem }) => !problem).length
  const files = (kind) => `${present[kind].length - missing(kind).length}/${present[kind].length} ${kind}`
  console.log(`${project.name}: ${files('steps')}, ${files('streams')}, ${right}/${checks.length} answers`)
  if (failure) console.log(`  failed: ${failure}`)
  for (const file of [...missing('steps'), ...missing('streams')]) console.log(`  not loaded: ${file}`)
  for (const { request, problem } of checks) if (problem) console.log(`  ${request}: ${problem}`)
  writeFileSync(join(cache, `${project.name.replaceAll('/', '+')}.log`), `${lines.join('\n')}\n`)
}

const wanted = process.argv.slice(2)
const binary = motiaBinary(repository)
const results = []
const isWanted = ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part))
for (const project of descriptions().filter(isWanted)) {
  const result = await runProject(binary, project)
  tell(result)
  results.push(result)
}
if (wanted.length === 0) {
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim()
  const python = execFileSync('python3', ['--version'], { encoding: 'utf8' }).trim()
  const ending = readFileSync(join(here, 'causes.md'), 'utf8')
  const text = page({ results, version, node: process.version, python, ending })
  writeFileSync(join(repository, 'docs', 'compatibility.md'), text)
}
