//! Reads HTTP/1.1 answers: as little of them as it takes to know where they end.

use std::fmt;

/// A whole answer at the beginning of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The body, framed as it came.
    body: Body,
    /// How many bytes of the buffer it takes.
    pub(crate) length: usize,
    /// The server closes the connection after it.
    pub(crate) closes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Plain { from: usize },
    Chunked { from: usize },
}

/// These bytes are no answer that the bench understands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an answer: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// The answer at the beginning of `bytes`; none while it has not come whole.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Answer>, Malformed> {
    let Some((status_line, mut at)) = line(bytes, 0) else { return Ok(None) };
    let status = status(status_line)?;
    let mut length = None;
    let (mut chunked, mut closes) = (false, false);
    loop {
        let Some((header, next)) = line(bytes, at) else { return Ok(None) };
        at = next;
        if header.is_empty() {
            break;
        }
        // Lengths first: this runs for every answer of the load.
        match header.iter().position(|byte| *byte == b':') {
            Some(14) if named(header, "content-length") => length = Some(number(value(header, 14), 10)?),
            Some(17) if named(header, "transfer-encoding") => chunked = named(value(header, 17), "chunked"),
            Some(10) if named(header, "connection") => closes = named(value(header, 10), "close"),
            Some(_) => {}
            None => return Err(Malformed("a header without a colon")),
        }
    }
    if chunked {
        let body = Body::Chunked { from: at };
        return Ok(chunks(bytes, at, |_| ())?.map(|length| Answer { status, body, length, closes }));
    }
    let Some(body) = length else { return Err(Malformed("neither content-length nor chunked")) };
    let length = at + body;
    Ok((bytes.len() >= length).then_some(Answer { status, body: Body::Plain { from: at }, length, closes }))
}

impl Answer {
    /// The bytes of the body. `bytes` is what the answer was parsed from.
    pub(crate) fn body(&self, bytes: &[u8]) -> Vec<u8> {
        match self.body {
            Body::Plain { from } => bytes[from..self.length].to_vec(),
            Body::Chunked { from } => {
                let mut whole = Vec::new();
                // It was walked through once: it is well formed.
                let _ = chunks(bytes, from, |chunk| whole.extend_from_slice(chunk));
                whole
            }
        }
    }
}

/// Walks chunks from `at` on; where they end, if they have all come.
fn chunks(bytes: &[u8], mut at: usize, mut each: impl FnMut(&[u8])) -> Result<Option<usize>, Malformed> {
    loop {
        let Some((size, next)) = line(bytes, at) else { return Ok(None) };
        let size = number(size.split(|byte| *byte == b';').next().unwrap_or_default(), 16)?;
        at = next;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(at..at + size) else { return Ok(None) };
        each(chunk);
        at += size;
        match line(bytes, at) {
            Some((b"", next)) => at = next,
            Some(_) => return Err(Malformed("a chunk longer than it says")),
            None => return Ok(None),
        }
    }
    // Trailers, up to an empty line.
    loop {
        match line(bytes, at) {
            Some((b"", next)) => return Ok(Some(next)),
            Some((_, next)) => at = next,
            None => return Ok(None),
        }
    }
}

/// The line at `at` without its end, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = &rest[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), at + end + 1))
}

fn status(line: &[u8]) -> Result<u16, Malformed> {
    let code = line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3)).ok_or(Malformed("no status line"))?;
    Ok(u16::try_from(number(code, 10)?).unwrap_or_default())
}

/// Whether `text` begins with this name, in any case.
fn named(text: &[u8], name: &str) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
}

fn value(header: &[u8], colon: usize) -> &[u8] {
    header[colon + 1..].trim_ascii()
}

fn number(text: &[u8], radix: u32) -> Result<usize, Malformed> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| usize::from_str_radix(text.trim(), radix).ok())
        .filter(|number| *number <= 1 << 30)
        .ok_or(Malformed("a number that is none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\ntrailer: x\r\n\r\n";

    fn whole(text: &str) -> Answer {
        parse(text.as_bytes()).expect("understood").expect("whole")
    }

    #[test]
    fn an_answer_with_a_length() {
        let answer = whole(PLAIN);
        assert_eq!((answer.status, answer.length, answer.closes), (201, PLAIN.len(), false));
        assert_eq!(answer.body(PLAIN.as_bytes()), b"{\"ok\":true}");
    }

    #[test]
    fn an_answer_in_chunks() {
        let answer = whole(CHUNKED);
        assert_eq!((answer.status, answer.length), (200, CHUNKED.len()));
        assert_eq!(answer.body(CHUNKED.as_bytes()), b"hello world");
    }

    #[test]
    fn what_has_not_come_whole_is_waited_for() {
        for text in [PLAIN, CHUNKED] {
            for end in 0..text.len() {
                assert_eq!(parse(&text.as_bytes()[..end]), Ok(None), "{:?}", &text[..end]);
            }
        }
    }

    #[test]
    fn what_follows_is_left_alone() {
        assert_eq!(whole(&format!("{PLAIN}HTTP/1.1 200")).length, PLAIN.len());
    }

    #[test]
    fn a_server_that_closes_says_so() {
        assert!(whole("HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").closes);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 OK\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
