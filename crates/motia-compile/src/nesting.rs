//! How deeply a source is nested. Parser and passes call themselves for each level, so that this decides over the stack that they need.

/// More than this is refused, unparsed. Node itself gives up at about a tenth of it.
pub(crate) const MOST_NESTED: usize = 10_000;

/// Where a source opens a bracket too many. Only strings are skipped: what comments and templates hold counts, which does no harm at
/// such numbers.
pub(crate) fn too_deep(source: &str) -> Option<u32> {
    // Not even its number of bytes would be too many.
    if source.len() <= MOST_NESTED {
        return None;
    }
    let bytes = source.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'\'' | b'"' => at = end_of_string(bytes, at).unwrap_or(at),
            _ => {}
        }
        if depth > MOST_NESTED {
            return u32::try_from(at).ok();
        }
        at += 1;
    }
    None
}

/// The closing quote of a string; none if the line ends first, as after an apostrophe in a comment.
fn end_of_string(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        match *bytes.get(at)? {
            b'\n' => return None,
            b'\\' => at += 1,
            byte if byte == bytes[open] => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_open_at_once_counts() {
        let most = "(".repeat(MOST_NESTED);
        assert_eq!(too_deep(&format!("{most}x")), None);
        assert_eq!(too_deep(&format!("x = {most}[")), Some(MOST_NESTED as u32 + 4));
        assert_eq!(too_deep(&"f(a[0], { b })\n".repeat(MOST_NESTED)), None);
        assert_eq!(too_deep(&"f(':( \\' {', \"[\") // don't\n".repeat(MOST_NESTED)), None);
    }
}
