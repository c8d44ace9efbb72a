// `console` and raw writes show up among the log lines, those made while loading too.
console.log('Loading %s', 'console.step.js')

export const config = { type: 'api', name: 'Console', path: '/logs/console', method: 'GET', emits: [] }

export const handler = async () => {
  console.log('console.log: %s and', 'text', { nested: { deep: [1] } })
  console.error(new Error('printed with console.error'))
  console.table([{ column: 'in a table' }])
  process.stdout.write('written to stdout itself\n')
  return { status: 200, body: { ok: true } }
}
