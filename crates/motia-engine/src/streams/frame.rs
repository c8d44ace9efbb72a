//! What goes over the wire to those who watch (behaviour-0.17.md F2), as JSON text that all of them share.

use bytes::{BufMut, Bytes, BytesMut};
use motia_core::{Clock, GroupId, ItemKey, StreamName, Timestamp};
use motia_ports::streams::{Published, What};
use motia_worker::message::string;
use std::sync::Arc;

/// Parts of a millisecond: as binary fractions they stay exact in the numbers of every client.
const PARTS: i64 = 1024;

/// Gives every message a timestamp of its own, each later than the one before: clients drop a message that is no later than what they have
/// (design.md section 6).
pub(crate) struct Stamps {
    clock: Arc<dyn Clock>,
    /// In 1/1024 ms.
    last: i64,
}

impl Stamps {
    /// None is at or before `floor`.
    pub(crate) fn new(clock: Arc<dyn Clock>, floor: Timestamp) -> Self {
        Self { clock, last: floor.as_millis().saturating_mul(PARTS) }
    }

    pub(crate) fn next(&mut self) -> Stamp {
        self.last = self.clock.now().as_millis().saturating_mul(PARTS).max(self.last + 1);
        Stamp(self.last)
    }
}

/// A moment in 1/1024 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(i64);

impl Stamp {
    /// The first whole millisecond after it.
    pub(crate) fn ceiling(self) -> Timestamp {
        Timestamp(self.0 / PARTS + 1)
    }

    fn write(self, out: &mut BytesMut) {
        let (millis, part) = (self.0.div_euclid(PARTS), self.0.rem_euclid(PARTS));
        out.put_slice(millis.to_string().as_bytes());
        if part > 0 {
            // 1/1024 is 0.0009765625.
            let fraction = format!("{:010}", part * 9_765_625);
            out.put_u8(b'.');
            out.put_slice(fraction.trim_end_matches('0').as_bytes());
        }
    }
}

/// A message about a group, or an item of it.
fn envelope(
    stamp: Stamp,
    (stream, group, id): (&StreamName, &GroupId, Option<&ItemKey>),
    event: impl FnOnce(&mut BytesMut),
) -> Bytes {
    let mut out = BytesMut::with_capacity(256);
    out.put_slice(b"{\"timestamp\":");
    stamp.write(&mut out);
    out.put_slice(b",\"streamName\":");
    string(&mut out, stream.as_str());
    out.put_slice(b",\"groupId\":");
    string(&mut out, group.as_str());
    if let Some(id) = id {
        out.put_slice(b",\"id\":");
        string(&mut out, id.as_str());
    }
    out.put_slice(b",\"event\":");
    event(&mut out);
    out.put_u8(b'}');
    out.freeze()
}

fn typed(kind: &str, member: &str, data: &[u8]) -> impl FnOnce(&mut BytesMut) {
    move |out| {
        out.put_slice(format!("{{\"type\":\"{kind}\",\"{member}\":").as_bytes());
        out.put_slice(data);
        out.put_u8(b'}');
    }
}

/// A change, or a message to whoever watches.
pub(crate) fn published(stamp: Stamp, published: &Published) -> Bytes {
    let about = (&published.stream, &published.group, published.id.as_ref());
    match &published.what {
        What::Created(_, item) => envelope(stamp, about, typed("create", "data", item)),
        What::Updated(_, item) => envelope(stamp, about, typed("update", "data", item)),
        What::Deleted(_, item) => envelope(stamp, about, typed("delete", "data", item)),
        What::Sent(message) => envelope(stamp, about, typed("event", "event", message)),
    }
}

/// How a group, or an item, is now. An item that is not there is `null`.
pub(crate) fn sync(stamp: Stamp, stream: &StreamName, group: &GroupId, id: Option<&ItemKey>, items: &[Bytes]) -> Bytes {
    envelope(stamp, (stream, group, id), |out| match id {
        Some(_) => typed("sync", "data", items.first().map_or(b"null".as_slice(), |item| item))(out),
        None => {
            out.put_slice(b"{\"type\":\"sync\",\"data\":[");
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.put_u8(b',');
                }
                out.put_slice(item);
            }
            out.put_slice(b"]}");
        }
    })
}

/// Why a subscription does not begin, as the original told it.
pub(crate) fn refused(
    stamp: Stamp,
    stream: &StreamName,
    group: &GroupId,
    id: Option<&ItemKey>,
    code: &str,
    why: &str,
) -> Bytes {
    envelope(stamp, (stream, group, id), |out| {
        out.put_slice(b"{\"type\":\"event\",\"event\":{\"type\":\"error\",\"data\":{\"code\":");
        string(out, code);
        out.put_slice(b",\"message\":");
        string(out, why);
        out.put_slice(b"}}}");
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use motia_ports::streams::Offset;
    use serde_json::{Value, json};

    use super::*;

    struct Stands(i64);

    impl Clock for Stands {
        fn now(&self) -> Timestamp {
            Timestamp(self.0)
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
    }

    fn value(bytes: &Bytes) -> Value {
        serde_json::from_slice(bytes).expect("JSON")
    }

    #[test]
    fn stamps_rise_and_stay_exact_where_the_clock_stands_still() {
        let mut stamps = Stamps::new(Arc::new(Stands(1_795_371_060_963)), Timestamp(0));
        let (stream, group) = (StreamName::from("s"), GroupId::from("g"));
        let times: Vec<f64> = (0..3000)
            .map(|_| value(&sync(stamps.next(), &stream, &group, None, &[]))["timestamp"].as_f64().expect("a number"))
            .collect();
        assert!(times.is_sorted_by(|one, next| one < next));
        assert_eq!((times[0], times[1]), (1_795_371_060_963.0, 1_795_371_060_963.000_976_562_5));
        let mut after = Stamps::new(Arc::new(Stands(5)), Timestamp(100));
        assert_eq!(after.next().ceiling(), Timestamp(101), "the clock was put back over a restart");
    }

    #[test]
    fn messages_are_those_of_the_original() {
        let mut stamps = Stamps::new(Arc::new(Stands(7)), Timestamp(0));
        let (stream, group, id) = (StreamName::from("a\"b"), GroupId::from("g"), ItemKey::from("1"));
        let change = |what, id: Option<&ItemKey>| Published {
            stream: stream.clone(),
            group: group.clone(),
            id: id.cloned(),
            what,
        };
        let item = Bytes::from_static(b"{\"id\":\"1\"}");
        let created = value(&published(stamps.next(), &change(What::Created(Offset(1), item.clone()), Some(&id))));
        assert_eq!(
            created,
            json!({ "timestamp": 7, "streamName": "a\"b", "groupId": "g", "id": "1", "event": { "type": "create", "data": { "id": "1" } } })
        );
        let sent = change(What::Sent(Bytes::from_static(b"{\"type\":\"typing\",\"data\":{\"by\":\"ada\"}}")), None);
        let sent = value(&published(stamps.next(), &sent));
        assert_eq!(sent["event"], json!({ "type": "event", "event": { "type": "typing", "data": { "by": "ada" } } }));
        assert!(sent.get("id").is_none());
        let all = value(&sync(stamps.next(), &stream, &group, None, &[item.clone(), item.clone()]));
        assert_eq!(all["event"], json!({ "type": "sync", "data": [{ "id": "1" }, { "id": "1" }] }));
        let missing = value(&sync(stamps.next(), &stream, &group, Some(&id), &[]));
        assert_eq!((&missing["id"], &missing["event"]), (&json!("1"), &json!({ "type": "sync", "data": null })));
        let denied = value(&refused(stamps.next(), &stream, &group, None, "STREAM_ACCESS_DENIED", "Access denied"));
        assert_eq!(
            denied["event"]["event"],
            json!({ "type": "error", "data": { "code": "STREAM_ACCESS_DENIED", "message": "Access denied" } })
        );
    }
}
