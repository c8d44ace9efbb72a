//! The path patterns that steps write: `/a/:b`, `/:a/:b?`, `/w/*`, `/rx/:id(\\d+)`, `/t/:a-:b` (behaviour-0.17.md B2).

use fancy_regex::Regex;

/// One part of a pattern, between slashes.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Exactly this text, in lower case and percent-decoded.
    Static(String),
    /// Any text of one segment, under a name.
    Param(String),
    /// A segment that a regular expression takes apart.
    Segment(Expression),
    /// The rest of the path, slashes and all. Always the last part.
    Rest(Expression),
}

/// A regular expression and the names of its groups.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) regex: Regex,
    pub(crate) names: Vec<String>,
    /// As written, to tell whether two patterns are the same.
    pub(crate) source: String,
}

/// The pattern cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("path '{pattern}': {reason}")]
pub struct BadPattern {
    pattern: String,
    reason: String,
}

/// Reads a pattern. A pattern with optional parameters stands for several: with and without each.
pub(crate) fn parse(pattern: &str) -> Result<Vec<Vec<Part>>, BadPattern> {
    let bad = |reason: String| BadPattern { pattern: pattern.to_owned(), reason };
    let trimmed = pattern.strip_prefix('/').unwrap_or(pattern);
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    let mut variants: Vec<Vec<Part>> = vec![Vec::new()];
    let mut unnamed = 0;
    let segments = split(trimmed);
    for (at, segment) in segments.iter().enumerate() {
        if segment.is_empty() && segments.len() == 1 {
            break;
        }
        if segment.contains('*') && !in_group(segment, '*') {
            // A star crosses slashes: from here on, one expression takes the whole rest apart.
            let rest = segments[at..].join("/");
            let expression = expression(&rest, &mut unnamed).map_err(bad)?;
            variants.iter_mut().for_each(|parts| parts.push(Part::Rest(expression.clone())));
            return Ok(variants);
        }
        let part = match simple(segment) {
            Simple::Static(text) => Part::Static(text),
            Simple::Param { name, optional } => {
                if optional {
                    let without = variants.clone();
                    variants.iter_mut().for_each(|parts| parts.push(Part::Param(name.clone())));
                    variants.extend(without);
                    continue;
                }
                Part::Param(name)
            }
            Simple::No => Part::Segment(expression(segment, &mut unnamed).map_err(bad)?),
        };
        variants.iter_mut().for_each(|parts| parts.push(part.clone()));
    }
    Ok(variants)
}

/// The segments between slashes; a slash inside parentheses belongs to an expression.
fn split(pattern: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (at, byte) in pattern.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                parts.push(&pattern[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&pattern[start..]);
    parts
}

fn in_group(segment: &str, wanted: char) -> bool {
    let mut depth = 0_i32;
    segment.chars().all(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c != wanted || depth > 0
    })
}

enum Simple {
    Static(String),
    Param { name: String, optional: bool },
    No,
}

fn simple(segment: &str) -> Simple {
    if let Some(name) = segment.strip_prefix(':') {
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        if !name.is_empty() && name.chars().all(is_name) {
            return Simple::Param { name: name.to_owned(), optional };
        }
    }
    if segment.contains([':', '*', '?', '+', '(', ')']) {
        return Simple::No;
    }
    Simple::Static(fold(segment))
}

/// How static text is compared: without regard to case and to needless percent-encoding.
pub(crate) fn fold(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().to_lowercase()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Translates the patterns of Express 4 to a regular expression.
fn expression(text: &str, unnamed: &mut usize) -> Result<Expression, String> {
    let (mut regex, mut names) = (String::from("(?i)^"), Vec::new());
    let mut next_unnamed = || {
        *unnamed += 1;
        (*unnamed - 1).to_string()
    };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            ':' => {
                let length = after.find(|c| !is_name(c)).unwrap_or(after.len());
                if length == 0 {
                    return Err("a ':' must be followed by a name".into());
                }
                names.push(after[..length].to_owned());
                rest = &after[length..];
                match group(rest)? {
                    Some((inner, left)) => {
                        regex.push_str(&format!("({})", uncaptured(inner)));
                        rest = left;
                    }
                    None => regex.push_str("([^/]+?)"),
                }
                if let Some(left) = rest.strip_prefix(['?', '+', '*']) {
                    regex.push_str(&rest[..rest.len() - left.len()]);
                    rest = left;
                }
                continue;
            }
            '*' => {
                names.push(next_unnamed());
                regex.push_str("(.*)");
            }
            '(' => {
                let Some((inner, left)) = group(rest)? else { return Err("a '(' is not closed".into()) };
                names.push(next_unnamed());
                regex.push_str(&format!("({})", uncaptured(inner)));
                rest = left;
                continue;
            }
            ')' => return Err("a ')' closes nothing".into()),
            // On a character, as in a regular expression.
            '?' | '+' => regex.push(c),
            '\\' => {
                regex.push('\\');
                let escaped = after.chars().next().ok_or("it ends in a backslash")?;
                regex.push(escaped);
                rest = &after[escaped.len_utf8()..];
                continue;
            }
            literal => regex.push_str(&fancy_regex::escape(&literal.to_string())),
        }
        rest = after;
    }
    regex.push('$');
    let compiled = Regex::new(&regex).map_err(|error| format!("its expression is not understood: {error}"))?;
    Ok(Expression { regex: compiled, names, source: text.to_lowercase() })
}

/// The content of the parentheses that `text` begins with, and what follows them.
fn group(text: &str) -> Result<Option<(&str, &str)>, String> {
    if !text.starts_with('(') {
        return Ok(None);
    }
    let (mut depth, mut escaped) = (0_u32, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 1 => return Ok(Some((&text[1..at], &text[at + 1..]))),
            b')' => depth -= 1,
            _ => {}
        }
    }
    Err("a '(' is not closed".into())
}

/// Groups inside a parameter's expression do not capture: the parameter is the whole.
fn uncaptured(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        match c {
            '\\' => out.extend(chars.next()),
            '(' if chars.peek() != Some(&'?') => out.push_str("?:"),
            _ => {}
        }
    }
    out
}
