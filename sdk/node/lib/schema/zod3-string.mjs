// The checks of a zod 3 string as JSON Schema. A check after a change of the text (trim, toLowerCase) says nothing
// certain about the text that comes in, and a JSON Schema that refuses what zod takes would be wrong; so those are
// left out.

const FORMATS = { email: 'email', url: 'uri', uuid: 'uuid', date: 'date', duration: 'duration' }

export function stringOf(checks) {
  const json = { type: 'string' }
  const patterns = []
  const changed = { trim: false, case: false }
  for (const check of checks) {
    const { kind, value } = check
    if (kind === 'trim') changed.trim = true
    else if (kind === 'toLowerCase' || kind === 'toUpperCase') changed.case = true
    // What is long enough after trimming was so before.
    else if (kind === 'min') json.minLength = value
    else if (changed.trim) continue
    else if (kind === 'max') json.maxLength = value
    else if (kind === 'length') json.minLength = json.maxLength = value
    else if (kind === 'base64') json.contentEncoding = 'base64'
    else if (kind === 'ip') Object.assign(json, ipOf(check))
    // A local time is not what JSON Schema calls a date-time.
    else if (kind === 'datetime' && !check.local) json.format = 'date-time'
    else if (FORMATS[kind] !== undefined) json.format = FORMATS[kind]
    else if (!changed.case) patterns.push(...patternOf(check))
  }
  if (patterns.length === 1) json.pattern = patterns[0]
  if (patterns.length > 1) json.allOf = patterns.map((pattern) => ({ pattern }))
  return json
}

const ipOf = ({ version }) =>
  version === undefined ? { anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] } : { format: `ip${version}` }

const escapeRegex = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** A list, as not every check is a pattern. */
function patternOf(check) {
  switch (check.kind) {
    case 'regex':
      // A pattern of JSON Schema has no flags; without them it would refuse more.
      return /[ims]/.test(check.regex.flags) ? [] : [check.regex.source]
    case 'startsWith':
      return [`^${escapeRegex(check.value)}`]
    case 'endsWith':
      return [`${escapeRegex(check.value)}$`]
    case 'includes':
      return [escapeRegex(check.value)]
    default:
      return []
  }
}
