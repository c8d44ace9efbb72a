// Runs other people's projects with motia: do their steps load, do their routes answer as their code says?
//
//   node compat/run.mjs [part of a project's name …]
//
// The descriptions are in `projects/`, the projects themselves in `target/compat`. Without a name all of them run and
// the table in `docs/compatibility.md` is written anew.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { check } from './check.mjs'
import { motiaBinary, start } from './engine.mjs'
import { filesPresent } from './present.mjs'
import { page } from './report.mjs'
import { checkOut, installPackages } from './source.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const repository = dirname(here)
const cache = join(repository, 'target', 'compat')

/** The projects that are described, those of one repository after each other. */
function descriptions() {
  const files = readdirSync(join(here, 'projects')).sort()
  return files.flatMap((file) => {
    const { projects, ...shared } = JSON.parse(readFileSync(join(here, 'projects', file), 'utf8'))
    return projects.map((project) => ({ ...shared, ...project, name: [shared.repo, project.folder].filter(Boolean).join('/') }))
  })
}

async function runProject(binary, project) {
  const root = join(checkOut(cache, project), project.folder ?? '')
  const present = filesPresent(root)
  const result = { project, present, loaded: { steps: [], streams: [] }, checks: [], lines: [] }
  let engine
  try {
    installPackages(root, project)
    for (const [path, content] of Object.entries(project.files ?? {})) writeFileSync(join(root, path), content)
    engine = await start(binary, root, project.env)
    result.loaded = await loadedFiles(engine.url)
    result.checks = await check(engine, project.requests ?? [])
  } catch (error) {
    result.failure = error.message
  } finally {
    await engine?.stop()
  }
  result.lines = engine?.lines ?? []
  return result
}

async function loadedFiles(url) {
  const { steps, streams } = await (await fetch(`${url}/__motia/steps`)).json()
  return { steps: steps.map((step) => step.filePath), streams: streams.map((stream) => stream.filePath) }
}

/** What happened, for whoever looks on. */
function tell({ project, present, loaded, checks, failure, lines }) {
  const missing = (kind) => present[kind].filter((file) => !loaded[kind].includes(file))
  const right = checks.filter(({ problem }) => !problem).length
  console.log(`${project.name}: ${loaded.steps.length}/${present.steps.length} steps, ${loaded.streams.length}/${present.streams.length} streams, ${right}/${checks.length} answers`)
  if (failure) console.log(`  failed: ${failure}`)
  for (const file of [...missing('steps'), ...missing('streams')]) console.log(`  not loaded: ${file}`)
  for (const { request, problem } of checks) if (problem) console.log(`  ${request}: ${problem}`)
  writeFileSync(join(cache, `${project.name.replaceAll('/', '+')}.log`), `${lines.join('\n')}\n`)
}

const wanted = process.argv.slice(2)
const binary = motiaBinary(repository)
const results = []
for (const project of descriptions().filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)))) {
  const result = await runProject(binary, project)
  tell(result)
  results.push(result)
}
if (wanted.length === 0) {
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim()
  const [, ending] = readFileSync(join(here, 'what-fails.md'), 'utf8').split(/^---$/m)
  writeFileSync(join(repository, 'docs', 'compatibility.md'), page({ results, version, node: process.version, ending }))
}
