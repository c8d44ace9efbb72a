//! Reads WebSocket frames of a server, and of the messages in them as little as it takes to count and to time them.

use std::fmt;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Ping,
    Close,
    Other,
}

/// These bytes are no frame that the bench understands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a frame: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// The frames of one connection, in pieces as they come.
#[derive(Default)]
pub(crate) struct Frames {
    /// The beginning of one that has not come whole.
    begun: Vec<u8>,
}

impl Frames {
    /// Takes what came; `each` is given the frames that are whole.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Kind, &[u8])) -> Result<(), Malformed> {
        while !self.begun.is_empty() && !bytes.is_empty() {
            // Of a head that is not whole, one byte after the other.
            let goal = Head::of(&self.begun)?.map_or(self.begun.len() + 1, |head| head.end);
            let (more, rest) = bytes.split_at(bytes.len().min(goal - self.begun.len()));
            self.begun.extend_from_slice(more);
            bytes = rest;
            if let Some(head) = Head::of(&self.begun)?.filter(|head| head.end == self.begun.len()) {
                // Its memory goes with it: many connections are idle.
                let whole = std::mem::take(&mut self.begun);
                each(head.kind, &whole[head.from..]);
            }
        }
        while let Some(head) = Head::of(bytes)?.filter(|head| head.end <= bytes.len()) {
            each(head.kind, &bytes[head.from..head.end]);
            bytes = &bytes[head.end..];
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }
}

/// Where the payload is.
struct Head {
    kind: Kind,
    from: usize,
    end: usize,
}

impl Head {
    /// The head at the beginning of `bytes`; none while it has not come whole.
    fn of(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let kind = match first {
            // Of a message in parts the first tells what it is.
            0x81 | 0x01 => Kind::Text,
            0x89 => Kind::Ping,
            0x88 => Kind::Close,
            0x82 | 0x8a | 0x00 | 0x80 => Kind::Other,
            _ => return Err(Malformed("something that was not agreed upon")),
        };
        let (from, length) = match second {
            0..=125 => (2, u64::from(*second)),
            126 => match rest.first_chunk() {
                Some(length) => (4, u64::from(u16::from_be_bytes(*length))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (10, u64::from_be_bytes(*length)),
                None => return Ok(None),
            },
            _ => return Err(Malformed("masked by a server")),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= 1 << 30);
        Ok(Some(Self { kind, from, end: from + length.ok_or(Malformed("longer than anything sent"))? }))
    }
}

/// How every message begins, other than the answer to hello.
const START: &[u8; 13] = b"{\"timestamp\":";
/// Messages with a payload of 100 bytes are longer, and those of hello clients without one as well.
const SHORTEST: usize = 150;

/// How many messages a text holds: one, or an array of them.
pub(crate) fn messages(text: &[u8]) -> u64 {
    if text.first() != Some(&b'[') {
        return u64::from(text.starts_with(START));
    }
    let (mut count, mut at) = (0, 0);
    while let Some(found) = find(text, START, at) {
        count += 1;
        at = found + SHORTEST;
    }
    count
}

/// Whether it tells how a group is.
pub(crate) fn is_sync(text: &[u8]) -> bool {
    find(text, b"\"type\":\"sync\"", 0).is_some()
}

/// When the items that it tells of were set, in the microseconds that the steps of `projects/streams` write into them.
pub(crate) fn times(text: &[u8], mut each: impl FnMut(u64)) {
    let mut at = 0;
    while let Some(found) = find(text, b"\"at\":", at) {
        at = found + 5;
        let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
        each(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')));
    }
}

/// Where it is found, from `at` on.
fn find<const N: usize>(text: &[u8], needle: &[u8; N], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    // Of a length that is known: two or three comparisons instead of a call.
    Some(at + rest.windows(N).position(|window| window.first_chunk() == Some(needle))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = payload.len();
        let head = match (u16::try_from(length), length) {
            (_, 0..=125) => vec![first, u8::try_from(length).expect("short")],
            (Ok(length), _) => [&[first, 126][..], &length.to_be_bytes()].concat(),
            _ => [&[first, 127][..], &(length as u64).to_be_bytes()].concat(),
        };
        [head, payload.to_vec()].concat()
    }

    #[test]
    fn frames_are_found_in_whatever_pieces_they_come() {
        let payloads = [(0x81, 0), (0x81, 125), (0x89, 0), (0x81, 126), (0x01, 70_000), (0x80, 3), (0x88, 2)];
        let all: Vec<u8> = payloads.iter().flat_map(|(first, length)| frame(*first, &vec![b'x'; *length])).collect();
        let expected: Vec<_> = [Kind::Text, Kind::Text, Kind::Ping, Kind::Text, Kind::Text, Kind::Other, Kind::Close]
            .into_iter()
            .zip(payloads.map(|(_, length)| length))
            .collect();
        for piece in [1, 2, 3, 7, 127, 4096, all.len()] {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for bytes in all.chunks(piece) {
                frames.feed(bytes, |kind, payload| found.push((kind, payload.len()))).expect("understood");
            }
            assert_eq!(found, expected, "in pieces of {piece}");
            assert!(frames.begun.is_empty());
        }
    }

    #[test]
    fn what_a_server_must_not_send_is_refused() {
        for bytes in [&[0x03, 0][..], &[0xc1, 0], &[0x81, 0x80], b"HTTP/1.1", &[0x81, 127, 255, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(Frames::default().feed(bytes, |_, _| ()).is_err(), "{bytes:?}");
        }
    }

    fn message(at: u64) -> String {
        let text = "x".repeat(80);
        format!(
            "{{\"timestamp\":1.5,\"streamName\":\"ticks\",\"groupId\":\"g\",\"id\":\"1\",\"event\":{{\"type\":\"update\",\"data\":{{\"at\":{at},\"text\":\"{text}\"}}}}}}"
        )
    }

    #[test]
    fn messages_are_counted_and_timed() {
        let (one, hello) = (message(17), "{\"type\":\"hello\",\"data\":{\"protocol\":1}}");
        let many = format!("[{hello},{},{one},{}]", message(4), message(5));
        for (text, count, at) in
            [(&*one, 1, &[17][..]), (hello, 0, &[]), ("", 0, &[]), ("[]", 0, &[]), (&many, 3, &[4, 17, 5])]
        {
            assert_eq!(messages(text.as_bytes()), count, "{text}");
            let mut found = Vec::new();
            times(text.as_bytes(), |at| found.push(at));
            assert_eq!(found, at, "{text}");
        }
        assert!(!is_sync(one.as_bytes()));
        assert!(is_sync(b"{\"timestamp\":1,\"event\":{\"type\":\"sync\",\"data\":[]}}"));
    }
}
