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
  git('clean', '-fdxq', '-e', 'node_modules', '-e', INSTALLED)
  return folder
}

/** Remembers beside `node_modules` what was asked for, so that a second run installs nothing. */
const INSTALLED = '.compat-installed'

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
  if (existsSync(marker) && readFileSync(marker, 'utf8') === request) return
  // What is there already, npm does not build once more.
  rmSync(join(root, 'node_modules'), { recursive: true, force: true })
  const flags = ['--no-audit', '--no-fund', '--loglevel=error', '--omit=dev', ...(scripts ? [] : ['--ignore-scripts'])]
  npmRun(root, ['install', ...flags, ...npm])
  // Newer versions of npm leave out install scripts that nobody approved; asked for by itself, a build is done.
  if (scripts) npmRun(root, ['rebuild'])
  writeFileSync(marker, request)
}

function npmRun(root, args) {
  const result = spawnSync('npm', args, { cwd: root, encoding: 'utf8', timeout: 600_000 })
  if (result.status !== 0)
    throw new Error(`npm ${args[0]} failed: ${firstLines(result.stderr || String(result.error))}`)
}

function without(packages = {}) {
  return Object.fromEntries(Object.entries(packages).filter(([name]) => !REPLACED.test(name)))
}

function firstLines(text) {
  return text.trim().split('\n').slice(0, 6).join('\n')
}
