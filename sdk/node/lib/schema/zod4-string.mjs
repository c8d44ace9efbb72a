// Strings of zod 4. zod's own JSON Schema puts all checks together; those that come after a change of the text (trim,
// toLowerCase, overwrite), and patterns with flags, would refuse text that zod takes.

const SHOWN = { guid: 'uuid', url: 'uri', datetime: 'date-time' }

/** Rewrites the constraints in `json`, if any of them is not certain. */
export function onlyBeforeChanges(def, json) {
  // RFC 3339 has an offset in its times, zod does not; local date-times have none either.
  if (json.format === 'time' || def.local) delete json.format
  const checks = [...(def.check === 'string_format' ? [def] : []), ...(def.checks ?? []).map((check) => check._zod.def)]
  const change = checks.findIndex(({ check }) => check === 'overwrite')
  if (change === -1 && !checks.some(hasFlags)) return
  for (const key of ['minLength', 'maxLength', 'format', 'pattern', 'allOf', 'contentEncoding']) delete json[key]
  const patterns = []
  checks.forEach((check, at) => {
    const certain = change === -1 || at < change
    // What is long enough after trimming was so before.
    if (certain || (check.check === 'min_length' && trims(checks[change]))) addCheck(check, json, patterns)
  })
  if (patterns.length === 1) json.pattern = patterns[0]
  if (patterns.length > 1) json.allOf = patterns.map((pattern) => ({ type: 'string', pattern }))
}

function addCheck(check, json, patterns) {
  switch (check.check) {
    case 'min_length':
      json.minLength = check.minimum
      break
    case 'max_length':
      json.maxLength = check.maximum
      break
    case 'length_equals':
      json.minLength = json.maxLength = check.length
      break
    case 'string_format':
      if (check.format !== 'time' && !check.local && check.format in FORMATTED)
        json.format = SHOWN[check.format] ?? check.format
      if (check.pattern !== undefined && !hasFlags(check)) patterns.push(check.pattern.source)
  }
}

/** Formats that JSON Schema knows too. */
const FORMATTED = { email: 1, url: 1, uuid: 1, guid: 1, datetime: 1, date: 1, duration: 1, ipv4: 1, ipv6: 1 }

/**
 * A pattern of JSON Schema has no flags; without them it would refuse more. Formats of zod itself do not depend on
 * them.
 */
const hasFlags = ({ format, pattern }) => format === 'regex' && pattern !== undefined && /[ims]/.test(pattern.flags)

function trims({ tx }) {
  try {
    return tx(' a ') === 'a' && tx('A') === 'A'
  } catch {
    return false
  }
}
