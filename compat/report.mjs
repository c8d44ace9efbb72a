// The page `docs/compatibility.md`: what a run found, in words and a table.
import { languageOf } from './present.mjs'

const KINDS = {
  A: 'runs offline as it is',
  B: 'needs a host or a database that is not there',
  examples: "the original's own examples",
}

/** The whole page. `ending` is what people wrote about the failures. */
export function page({ results, version, node, python, ending }) {
  return `# Compatibility with projects of the original

Projects that were written for Motia 0.x, run with this engine: do all their steps load, and do their routes answer as
their code says? Each is taken at the commit named here, with its own dependencies, without \`motia\` and
\`@motiadev/*\`, and not a line of it is changed. What is sent and what is expected is in \`compat/projects/\`; nothing
of the projects themselves is kept here.

\`make compat\` runs all of it again and writes this page. It needs network for GitHub, npm and PyPI; \`COMPAT_MIRROR\`
names a folder of git mirrors (\`owner+name\`) where GitHub is out of reach, \`MOTIA\` another binary.
\`node compat/run.mjs PART\` runs the projects whose name has PART in it and prints what differs.

The run below: ${version}, Node ${node}, ${python}, \`motia dev\`, without keys, on a machine that reaches npm and PyPI and
little else. Python packages are those of the project's requirements.txt, installed by \`motia install\`; where they are
not, the notes or the reasons below say so. A step counts as loaded if the engine lists it; an answer counts as right if
its status and every member that is expected are there. Where a project calls a host that cannot be reached, the error
answer that its code then gives is what is expected. \`POST /emit\` is the engine's own, as it was the original's: it runs
event steps that no route reaches here.

${totals(results)}

${table(results)}

## What does not work and why

${failures(results)}

${ending.trim()}
`
}

function totals(results) {
  const rows = Object.entries(KINDS).map(([kind, words]) => {
    const ours = results.filter(({ project }) => project.kind === kind)
    return `| ${kind}: ${words} | ${ours.length} | ${sum(ours, loadedOf)} of ${sum(ours, presentIn)} | ${sum(ours, right)} of ${sum(ours, tried)} |`
  })
  const head = [
    '| kind | projects | steps and streams loaded | routes answered as their code says |',
    '|---|---|---|---|',
  ]
  return [...head, ...rows, ...languages(results).map((language) => languageRow(language, results))].join('\n')
}

function languageRow(language, results) {
  const only = (files) => (result) => files(result).filter((path) => languageOf(path) === language).length
  const users = results.filter((result) => only(filesIn)(result) > 0)
  return `| of these in ${language} | ${users.length} | ${sum(users, only(loadedFiles))} of ${sum(users, only(filesIn))} | |`
}

/** The languages beside Node that the projects are written in. */
function languages(results) {
  const all = new Set(results.flatMap((result) => filesIn(result).map(languageOf)))
  return [...all].filter((language) => language !== 'Node').sort()
}

function table(results) {
  const rows = results.map((result) => {
    const { project } = result
    const cells = [
      `${project.name} @${project.commit.slice(0, 8)}`,
      project.kind,
      `${loadedOf(result)} of ${presentIn(result)}${otherLanguages(result)}`,
      tried(result) ? `${right(result)} of ${tried(result)}` : '–',
      project.notes ?? '',
    ]
    return `| ${cells.join(' | ')} |`
  })
  const head = ['| project | kind | steps and streams loaded | routes answered | notes |', '|---|---|---|---|---|']
  return [...head, ...rows].join('\n')
}

/** How many of the files are not for Node, those that did not load included. */
function otherLanguages(result) {
  const count = (language) => filesIn(result).filter((path) => languageOf(path) === language).length
  const parts = languages([result]).map((language) => `${count(language)} in ${language}`)
  return parts.length ? ` (${parts.join(', ')})` : ''
}

/** What the run itself saw. The reason that people found is in the project's `why`. */
function failures(results) {
  const sections = results
    .filter((result) => problems(result).length > 0)
    .map((result) => {
      const why = result.project.why ? [`${result.project.why}`] : []
      return [`**${result.project.name}**`, '', ...problems(result).map((problem) => `- ${problem}`), '', ...why]
        .join('\n')
        .trim()
    })
  return sections.length ? sections.join('\n\n') : 'Nothing failed in this run.'
}

function problems({ present, loaded, checks, failure }) {
  const missing = (kind) => present[kind].filter((file) => !loaded[kind].includes(file))
  return [
    ...(failure ? [oneLine(failure)] : []),
    ...[...missing('steps'), ...missing('streams')].map((file) => `\`${file}\` is not loaded`),
    ...checks.filter(({ problem }) => problem).map(({ request, problem }) => `\`${request}\` ${oneLine(problem)}`),
  ]
}

const oneLine = (text) => text.replace(/\s+/g, ' ').slice(0, 300)
const sum = (results, count) => results.reduce((total, result) => total + count(result), 0)
const filesIn = ({ present }) => [...present.steps, ...present.streams]
const loadedFiles = ({ present, loaded }) =>
  ['steps', 'streams'].flatMap((kind) => present[kind].filter((file) => loaded[kind].includes(file)))
const presentIn = (result) => filesIn(result).length
const loadedOf = (result) => loadedFiles(result).length
const tried = ({ checks }) => checks.length
const right = ({ checks }) => checks.filter(({ problem }) => !problem).length
