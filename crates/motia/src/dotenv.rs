//! `.env`, read as dotenv 16 reads it (examples.md 4.4): what 0.x projects were written against.

use std::fs;
use std::io;
use std::path::Path;

/// The variables of a project's `.env`, in order; later ones win. No file is no variables.
pub(crate) fn load(root: &Path) -> io::Result<Vec<(String, String)>> {
    match fs::read(root.join(".env")) {
        Ok(bytes) => Ok(parse(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Vec<(String, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut variables, mut rest) = (Vec::new(), text.as_str());
    while !rest.is_empty() {
        let line_end = rest.find('\n').unwrap_or(rest.len());
        let Some((name, value)) = assignment(rest, line_end) else {
            rest = after_line(rest, line_end);
            continue;
        };
        // The value may have gone on over several lines; what follows it on its last line is a comment.
        let (value, behind) = read_value(value);
        variables.push((name.to_owned(), value));
        rest = after_line(behind, behind.find('\n').unwrap_or(behind.len()));
    }
    variables
}

fn after_line(text: &str, line_end: usize) -> &str {
    text.get(line_end + 1..).unwrap_or("")
}

/// `NAME=…`, `export NAME=…` or `NAME: …` at the beginning of a line; the value is all that follows.
fn assignment(text: &str, line_end: usize) -> Option<(&str, &str)> {
    let line = &text[..line_end];
    let trimmed = line.trim_start();
    let trimmed = trimmed.strip_prefix("export ").map_or(trimmed, str::trim_start);
    let length = trimmed.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))?;
    let (name, after) = trimmed.split_at(length);
    if name.is_empty() {
        return None;
    }
    let spaced = after.trim_start();
    let sign = if spaced.starts_with('=') {
        spaced
    } else if after.starts_with(':') && after[1..].starts_with(char::is_whitespace) {
        after
    } else {
        return None;
    };
    let begin = line_end - sign.len() + 1;
    Some((name, &text[begin..]))
}

/// The value, and what follows it in the text.
fn read_value(text: &str) -> (String, &str) {
    let line_end = text.find('\n').unwrap_or(text.len());
    let line = &text[..line_end];
    let begin = line_end - line.trim_start().len();
    let quoted = &text[begin..];
    if let Some(quote) = quoted.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))
        && let Some(close) = closing(&quoted[1..], quote)
    {
        let inner = &quoted[1..=close];
        let value = if quote == '"' { inner.replace("\\n", "\n").replace("\\r", "\r") } else { inner.to_owned() };
        return (value, &quoted[close + 2..]);
    }
    let value = line.split('#').next().unwrap_or("").trim();
    (value.to_owned(), &text[line_end..])
}

/// Where a quote closes, not counting escaped ones.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_dotenv_reads_them() {
        let text = r#"
# a comment
A=1
export B = two words   # and a comment
C="C123"  # Normal priority
D='["https://a", "https://b#c"]'
E=*/1 * * * *
F="line one\nline two"
G='kept\n as it is'
H=
I: yaml style
J=["https://a"]
K="unclosed
L="many
lines" # here
M=a#b
N=`back "tick' ticks`
not an assignment
O=url?a=b&c=d
P="ends in backslash \\"
  Q  =  spaced
A=again
"#;
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "C123"),
            ("D", r#"["https://a", "https://b#c"]"#),
            ("E", "*/1 * * * *"),
            ("F", "line one\nline two"),
            ("G", "kept\\n as it is"),
            ("H", ""),
            ("I", "yaml style"),
            ("J", r#"["https://a"]"#),
        ];
        let variables = parse(text);
        for (expected, found) in expected.iter().zip(&variables) {
            assert_eq!((found.0.as_str(), found.1.as_str()), *expected);
        }
        let value =
            |name: &str| variables.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        assert_eq!(value("M"), Some("a"));
        assert_eq!(value("N"), Some("back \"tick' ticks"));
        assert_eq!(value("O"), Some("url?a=b&c=d"));
        assert_eq!(value("Q"), Some("spaced"));
        assert_eq!(value("A"), Some("again"));
        assert_eq!(value("not"), None);
    }

    #[test]
    fn a_quote_may_span_lines_and_windows_line_ends_are_fine() {
        assert_eq!(parse("A=\"x\r\ny\" # c\r\nB=2\r\n"), [("A".into(), "x\ny".into()), ("B".into(), "2".into())]);
        assert_eq!(parse("A='open\nB=2"), [("A".into(), "'open".into()), ("B".into(), "2".into())]);
        assert_eq!(parse(""), []);
    }
}
