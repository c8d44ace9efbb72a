// Brings a project's files and its packages into the cache.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What stands for the original and its plugins: motia brings its own. */
const REPLACED = /^(motia$|@motiadev\/)/

/** No step needs them, and they are most of what some repositories weigh. */
const MEDIA = ['gif', 'mp4', 'mov', 'zip', 'pdf', 'png', 'jpg', 'jpeg', 'webp']

/** The working copy of `repo` at `commit`, as it was committed; packages that were installed before stay. */
export function checkOut(cache, { repo, commit }) {
  const folder = join(cache, repo.replace('/', '+'))
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true })
    const mirror = process.env.COMPAT_MIRROR
    const source = mirror ? join(mirror, repo.replace('/', '+')) : `https://github.com/${repo}.git`
    const partial = mirror ? [] : ['--filter=blob:none']
    execFileSync('git', ['clone', '--quiet', '--no-checkout', ...partial, source, folder], { stdio: 'inherit' })
    // A mirror may lack large files; git then has to take them for files that it could fetch.
    if (mirror) execFileSync('git', ['-C', folder, 'config', 'remote.origin.promisor', 'true'])
    execFileSync('git', ['-C', folder, 'sparse-checkout', 'set', '--no-cone', '/*', ...MEDIA.map((end) => `!*.${end}`)])
  }
  const git = (...args) => execFileSync('git', ['-C', folder, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  git('checkout', '--quiet', '--force', '--detach', commit)
  git('clean', '-fdxq', '-e', 'node_modules', '-e', PYTHON_MODULES, '-e', INSTALLED)
  return folder
}

/** Remembers beside `node_modules` and in `python_modules` what was asked for, so that a second run installs nothing. */
const INSTALLED = '.compat-installed'

/** Where `motia install` puts Python packages. */
const PYTHON_MODULES = 'python_modules'

/** Installs what the project's `package.json` names, apart from the original. Throws with npm's own words. */
export function installPackages(root, { scripts = false, npm = [], add = {} }) {
  const manifest = join(root, 'package.json')
  if (!existsSync(manifest)) return
  const { dependencies, devDependencies, overrides, type, name } = JSON.parse(readFileSync(manifest, 'utf8'))
  const wanted = {
    name,
    type,
    private: true,
    dependencies: { ...without(dependencies), ...add },
    devDependencies: without(devDependencies),
    overrides,
  }
  const text = JSON.stringify(wanted, null, 2)
  writeFileSync(manifest, text)

  const marker = join(root, INSTALLED)
  const request = `${text}\n${JSON.stringify({ scripts, npm })}\n`
  if (says(marker, request)) return
  // What is there already, npm does not build once more.
  rmSync(join(root, 'node_modules'), { recursive: true, force: true })
  const flags = ['--no-audit', '--no-fund', '--loglevel=error', '--omit=dev', ...(scripts ? [] : ['--ignore-scripts'])]
  npmRun(root, ['install', ...flags, ...npm])
  // Newer versions of npm leave out install scripts that nobody approved; asked for by itself, a build is done.
  if (scripts) npmRun(root, ['rebuild'])
  writeFileSync(marker, request)
}

/**
 * Installs what the project's `requirements.txt` names, with `motia install` as a project's postinstall script calls it.
 * `python` names other packages in its place, none if it is empty. Throws with the installer's own words.
 */
export function installPythonPackages(binary, root, { python }) {
  const requirements = join(root, 'requirements.txt')
  if (python) writeFileSync(requirements, python.map((name) => `${name}\n`).join(''))
  const modules = join(root, PYTHON_MODULES)
  if (!existsSync(requirements) || python?.length === 0) return rmSync(modules, { recursive: true, force: true })

  const marker = join(modules, INSTALLED)
  const request = `${binary}\n${readFileSync(requirements, 'utf8')}`
  if (says(marker, request)) return
  rmSync(modules, { recursive: true, force: true })
  // Of npm's install scripts it leaves npm's own packages alone, which are there.
  const env = { ...process.env, npm_lifecycle_event: 'postinstall', VIRTUAL_ENV: undefined, CONDA_PREFIX: undefined }
  const result = spawnSync(binary, ['install'], { cwd: root, env, encoding: 'utf8', timeout: 900_000 })
  if (result.status !== 0)
    throw new Error(`motia install failed: ${firstLines(errorsOf(result.stderr) || String(result.error))}`)
  writeFileSync(marker, request)
}

/** What pip and uv say at last, after all that they tried. */
function errorsOf(text) {
  const lines = text.trim().split('\n')
  const errors = lines.filter((line) => /^\s*(error|×)/i.test(line))
  return (errors.length ? errors : lines.slice(-6)).join('\n')
}

function says(file, text) {
  return existsSync(file) && readFileSync(file, 'utf8') === text
}

function npmRun(root, args) {
  const result = spawnSync('npm', args, { cwd: root, encoding: 'utf8', timeout: 600_000 })
  if (result.status !== 0)
    throw new Error(`npm ${args[0]} failed: ${firstLines(result.stderr || String(result.error))}`)
}

/** What npm is to install: not the original, and not what only pnpm finds. */
function without(packages = {}) {
  const wanted = ([name, version]) => !REPLACED.test(name) && !/^(workspace|catalog):/.test(version)
  return Object.fromEntries(Object.entries(packages).filter(wanted))
}

function firstLines(text) {
  return text.trim().split('\n').slice(0, 6).join('\n')
}
