// The page `docs/compatibility.md`: what a run found, in words and a table.

const KINDS = {
  A: 'runs offline as it is',
  B: 'needs a host or a database that is not there',
  examples: "the original's own examples",
}

/** The whole page. `ending` is what people wrote about the failures. */
export function page({ results, version, node, ending }) {
  return `# Compatibility with projects of the original

Projects that were written for Motia 0.x, run with this engine: do all their steps load, and do their routes answer as
their code says? Each is taken at the commit named here, with its own dependencies, without \`motia\` and
\`@motiadev/*\`, and not a line of it is changed. What is sent and what is expected is in \`compat/projects/\`; nothing
of the projects themselves is kept here.

\`make compat\` runs all of it again and writes this page. It needs network for GitHub and npm; \`COMPAT_MIRROR\` names a
folder of git mirrors (\`owner+name\`) where GitHub is out of reach, \`MOTIA\` another binary. \`node compat/run.mjs PART\`
runs the projects whose name has PART in it and prints what differs.

The run below: ${version}, Node ${node}, \`motia dev\`, without keys, on a machine that reaches npm and little else.
A step counts as loaded if the engine lists it; an answer counts as right if its status and every member that is
expected are there. Where a project calls a host that cannot be reached, the error answer that its code then gives is
what is expected.

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
  return [
    '| kind | projects | steps and streams loaded | routes answered as their code says |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function table(results) {
  const rows = results.map((result) => {
    const { project, present } = result
    const others = present.otherLanguages.length ? ` (and ${present.otherLanguages.length} in Python or Ruby)` : ''
    const cells = [
      `${project.name} @${project.commit.slice(0, 8)}`,
      project.kind,
      `${loadedOf(result)} of ${presentIn(result)}${others}`,
      tried(result) ? `${right(result)} of ${tried(result)}` : '–',
      project.notes ?? '',
    ]
    return `| ${cells.join(' | ')} |`
  })
  const head = ['| project | kind | steps and streams loaded | routes answered | notes |', '|---|---|---|---|---|']
  return [...head, ...rows].join('\n')
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
const presentIn = ({ present }) => present.steps.length + present.streams.length
const loadedOf = ({ present, loaded }) =>
  ['steps', 'streams'].reduce(
    (total, kind) => total + present[kind].filter((file) => loaded[kind].includes(file)).length,
    0,
  )
const tried = ({ checks }) => checks.length
const right = ({ checks }) => checks.filter(({ problem }) => !problem).length
