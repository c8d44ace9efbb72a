//! Trace ids: the original's form, `ABCDE-1234567` (behaviour-0.17.md B6), and the W3C `traceparent` beside them.
//!
//! A store never gives the same id twice, since users key state by it, and ids are not guessable from one another,
//! since they name stream groups: a counter goes through a permutation of the whole space that a secret of the store picks.

use std::fmt;
use std::hash::Hasher;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

const ALPHABET: &[u8; 32] = b"ABCDEFGHJKMNPQRSTUVWXYZ123456789";
const LETTERS: u64 = 1 << 25; // 32^5
const DIGITS: u64 = 10_000_000;

/// How many ids there are: 32^5 × 10^7.
pub const TRACE_IDS: u64 = LETTERS * DIGITS;

/// The id that all invocations of one chain share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 13]);

impl TraceId {
    /// The id as text, for example `AUSDA-1060748`.
    pub fn as_str(&self) -> &str {
        // Only ASCII ever gets in: see `new` and `from_str`.
        std::str::from_utf8(&self.0).unwrap_or("?????-???????")
    }

    fn new(letters: u64, digits: u64) -> Self {
        let mut text = *b"AAAAA-0000000";
        let (mut letters, mut digits) = (letters, digits);
        for slot in text[..5].iter_mut().rev() {
            *slot = ALPHABET[usize::try_from(letters % 32).unwrap_or(0)];
            letters /= 32;
        }
        for slot in text[6..].iter_mut().rev() {
            *slot = b'0' + u8::try_from(digits % 10).unwrap_or(0);
            digits /= 10;
        }
        Self(text)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not of the form `ABCDE-1234567`.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a trace id: it should look like ABCDE-1234567")]
pub struct NotATraceId(String);

impl FromStr for TraceId {
    type Err = NotATraceId;

    fn from_str(text: &str) -> Result<Self, NotATraceId> {
        let fail = || NotATraceId(text.to_owned());
        let bytes: [u8; 13] = text.as_bytes().try_into().map_err(|_| fail())?;
        let letters = bytes[..5].iter().all(|b| ALPHABET.contains(b));
        let digits = bytes[6..].iter().all(u8::is_ascii_digit);
        if letters && bytes[5] == b'-' && digits { Ok(Self(bytes)) } else { Err(fail()) }
    }
}

impl Serialize for TraceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A store's own order of all trace ids.
#[derive(Clone)]
pub struct TraceIds {
    key: [u8; 16],
}

impl TraceIds {
    /// The order that `key` picks. The key is made once per store and kept secret.
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The `n`th id. Different for every `n` below [`TRACE_IDS`]; wraps after that.
    pub fn nth(&self, n: u64) -> TraceId {
        let n = n % TRACE_IDS;
        let (mut letters, mut digits) = (n / DIGITS, n % DIGITS);
        // A Feistel network over two halves of different size: each round adds a keyed hash of one half to the other,
        // so every round, and the whole, can be undone: no two counters meet.
        for round in 0..4 {
            letters = (letters + self.hash(round, digits)) % LETTERS;
            digits = (digits + self.hash(round + 8, letters)) % DIGITS;
        }
        TraceId::new(letters, digits)
    }

    fn hash(&self, round: u8, half: u64) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u8(round);
        hasher.write_u64(half);
        // Half of the hash, so that the sum with a half cannot overflow.
        hasher.finish() >> 1
    }
}

/// A W3C trace context, as it came in or goes out (<https://www.w3.org/TR/trace-context/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// 16 bytes, not all zero.
    pub trace: u128,
    /// 8 bytes, not all zero.
    pub span: u64,
    /// Bit 0: sampled.
    pub flags: u8,
}

impl TraceParent {
    /// Reads a `traceparent` header. `None` where it is malformed: the standard says to start anew then.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower_hex =
            |s: &str, len: usize| s.len() == len && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !lower_hex(version, 2)
            || version == "ff"
            || !lower_hex(trace, 32)
            || !lower_hex(span, 16)
            || !lower_hex(flags, 2)
        {
            return None;
        }
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let parent = Self {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        };
        (parent.trace != 0 && parent.span != 0).then_some(parent)
    }

    /// The context of a part of this one. `n` tells the parts of one process apart.
    pub fn child(self, n: u64) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write_u128(self.trace);
        hasher.write_u64(self.span);
        hasher.write_u64(n);
        Self { span: hasher.finish().max(1), ..self }
    }

    /// A context for a chain that began here: derived from its trace id, so that both name the same chain.
    pub fn start(trace: TraceId, secret: &TraceIds) -> Self {
        let half = |salt: u8| {
            let mut hasher = SipHasher13::new_with_key(&secret.key);
            hasher.write_u8(salt);
            hasher.write(trace.as_str().as_bytes());
            hasher.finish()
        };
        Self {
            trace: (u128::from(half(0xa0)) << 64 | u128::from(half(0xa1))).max(1),
            span: half(0xa2).max(1),
            flags: 1,
        }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_have_the_original_form_and_never_meet() {
        let ids = TraceIds::new([7; 16]);
        let mut seen = HashSet::new();
        for n in 0..200_000 {
            let id = ids.nth(n);
            assert!(id.as_str().parse::<TraceId>().is_ok(), "{id}");
            assert!(seen.insert(id), "{id} came twice");
        }
    }

    #[test]
    fn the_ends_of_the_space_differ_and_another_key_orders_otherwise() {
        let ids = TraceIds::new([1; 16]);
        assert_ne!(ids.nth(0), ids.nth(TRACE_IDS - 1));
        assert_eq!(ids.nth(0), ids.nth(TRACE_IDS));
        assert_ne!(ids.nth(0), TraceIds::new([2; 16]).nth(0));
    }

    #[test]
    fn neighbours_do_not_resemble_each_other() {
        let ids = TraceIds::new([3; 16]);
        let same = (0..1000).filter(|n| ids.nth(*n).as_str()[..2] == ids.nth(n + 1).as_str()[..2]).count();
        assert!(same < 20, "{same} of 1000 neighbours share two letters");
    }

    #[test]
    fn traceparent_is_read_and_written_as_the_standard_says() {
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = TraceParent::parse(header).expect("valid");
        assert_eq!(parent.to_string(), header);
        let (one, two) = (parent.child(1), parent.child(2));
        assert_eq!((one.trace, one.flags), (parent.trace, parent.flags));
        assert!(one.span != two.span && one.span != parent.span);
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
        assert!(TraceParent::parse("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later").is_some());
    }
}
