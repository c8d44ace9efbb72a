use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex"))
        .collect()
}

/// `then`: a byte that follows, many times.
fn with_then(mut bytes: Vec<u8>, vector: &Value) -> Vec<u8> {
    if let Some(byte) = vector["then"]["byte"].as_str() {
        let times = usize::try_from(vector["then"]["times"].as_u64().expect("a number")).expect("fits");
        bytes.resize(bytes.len() + times, unhex(byte)[0]);
    }
    bytes
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../sdk/protocol/frames.json")).expect("frames.json is JSON")
}

#[test]
fn the_golden_vectors_decode_and_encode() {
    let vectors = vectors();
    let valid = vectors["valid"].as_array().expect("a list");
    assert!(valid.len() >= 15, "every kind has a vector");
    for vector in valid {
        let (name, expected) = (&vector["name"], &vector["frame"]);
        let bytes = with_then(unhex(vector["hex"].as_str().expect("hex")), vector);
        let body = with_then(unhex(expected["body_hex"].as_str().expect("hex")), vector);
        let mut buffer = BytesMut::from(&bytes[..]);
        let decoded = decode(&mut buffer).expect("valid");
        if u8::try_from(expected["kind"].as_u64().expect("a kind")).ok().and_then(Kind::from_byte).is_none() {
            assert_eq!(decoded, None, "{name}: a kind of a newer version is skipped");
            continue;
        }
        let frame = decoded.unwrap_or_else(|| panic!("{name} is not whole"));
        assert!(buffer.is_empty(), "{name} leaves bytes behind");
        assert_eq!(u64::from(frame.kind as u8), expected["kind"], "{name}");
        assert_eq!(u64::from(frame.flags), expected["flags"], "{name}");
        assert_eq!(u64::from(frame.id), expected["id"], "{name}");
        let meta: &[u8] = if frame.meta.is_empty() { b"{}" } else { &frame.meta };
        assert_eq!(serde_json::from_slice::<Value>(meta).expect("JSON"), expected["meta"], "{name}");
        assert_eq!(frame.body, body, "{name}");
        if vector["decode_only"] == true {
            continue;
        }
        let mut again = BytesMut::new();
        encode(&mut again, frame.kind, frame.flags, frame.id, &frame.meta, &frame.body);
        assert_eq!(again, bytes, "{name} encodes to the same bytes");
    }
}

#[test]
fn the_golden_breaches_are_refused() {
    let vectors = vectors();
    let invalid = vectors["invalid"].as_array().expect("a list");
    assert!(!invalid.is_empty());
    for vector in invalid {
        let mut buffer = BytesMut::from(&unhex(vector["hex"].as_str().expect("hex"))[..]);
        // The codec looks at the envelope; whoever reads the meta refuses what is no object.
        let refused = match decode(&mut buffer) {
            Err(_) => true,
            Ok(Some(frame)) => serde_json::from_slice::<serde_json::Map<String, Value>>(&frame.meta).is_err(),
            Ok(None) => false,
        };
        assert!(refused, "{} must end the connection", vector["name"]);
    }
}

#[test]
fn frames_come_whole_however_the_bytes_arrive() {
    let mut stream = BytesMut::new();
    encode(&mut stream, Kind::Call, 0, 7, br#"{"a":1}"#, b"body");
    encode(&mut stream, Kind::Stop, 0, 0, b"", b"");
    for step in 1..stream.len() {
        let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
        for piece in stream.chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = decode(&mut buffer).expect("valid") {
                frames.push((frame.kind, frame.id, frame.body));
            }
        }
        assert_eq!(frames, [(Kind::Call, 7, Bytes::from_static(b"body")), (Kind::Stop, 0, Bytes::new())]);
    }
}

#[test]
fn kinds_of_a_newer_version_are_skipped() {
    let mut stream = BytesMut::new();
    encode(&mut stream, Kind::Stop, 0, 0, b"", b"");
    stream[4] = 0x7f;
    encode(&mut stream, Kind::Ping, 0, 3, b"", b"");
    let frame = decode(&mut stream).expect("valid").expect("whole");
    assert_eq!((frame.kind, frame.id), (Kind::Ping, 3));
}

/// All frames of a stream, until it ends or breaks the protocol.
fn all(stream: &[u8], step: usize) -> (Vec<Frame>, bool) {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in stream.chunks(step.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

proptest! {
    #[test]
    fn any_bytes_are_frames_or_a_breach_however_they_arrive(
        stream in prop::collection::vec(any::<u8>(), 0..300),
        step in 1_usize..50,
    ) {
        prop_assert_eq!(all(&stream, step), all(&stream, stream.len()));
    }

    #[test]
    fn what_is_encoded_is_decoded(
        frames in prop::collection::vec((1_u8..=20, any::<u32>(), "[a-z]{0,20}", prop::collection::vec(any::<u8>(), 0..200)), 0..8),
        step in 1_usize..100,
    ) {
        let mut stream = BytesMut::new();
        let mut expected = Vec::new();
        for (kind, id, text, body) in frames {
            let Some(kind) = Kind::from_byte(kind) else { continue };
            let meta = format!("{{\"a\":\"{text}\"}}");
            encode(&mut stream, kind, 0, id, meta.as_bytes(), &body);
            expected.push((kind, id, meta.into_bytes(), body));
        }
        let (frames, broken) = all(&stream, step);
        let decoded: Vec<_> =
            frames.into_iter().map(|frame| (frame.kind, frame.id, frame.meta.to_vec(), frame.body.to_vec())).collect();
        prop_assert_eq!((decoded, broken), (expected, false));
    }
}
