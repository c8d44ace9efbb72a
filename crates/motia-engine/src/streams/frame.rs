//! What goes over the wire to those who watch (behaviour-0.17.md F2), as JSON text that all of them share.

use bytes::{BufMut, Bytes, BytesMut};
use motia_core::{GroupId, ItemKey, StreamName};
use motia_ports::streams::{Published, What};
use motia_worker::message::string;

use super::stamps::Stamp;

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
    use motia_ports::streams::Offset;
    use serde_json::{Value, json};

    use super::*;

    fn value(bytes: &Bytes) -> Value {
        serde_json::from_slice(bytes).expect("JSON")
    }

    #[test]
    fn messages_are_those_of_the_original() {
        let at = || Stamp::of_millis(7);
        let (stream, group, id) = (StreamName::from("a\"b"), GroupId::from("g"), ItemKey::from("1"));
        let change = |what, id: Option<&ItemKey>| Published {
            stream: stream.clone(),
            group: group.clone(),
            id: id.cloned(),
            what,
        };
        let item = Bytes::from_static(b"{\"id\":\"1\"}");
        let created = value(&published(at(), &change(What::Created(Offset(1), item.clone()), Some(&id))));
        assert_eq!(
            created,
            json!({ "timestamp": 7, "streamName": "a\"b", "groupId": "g", "id": "1", "event": { "type": "create", "data": { "id": "1" } } })
        );
        let sent = change(What::Sent(Bytes::from_static(b"{\"type\":\"typing\",\"data\":{\"by\":\"ada\"}}")), None);
        let sent = value(&published(at(), &sent));
        assert_eq!(sent["event"], json!({ "type": "event", "event": { "type": "typing", "data": { "by": "ada" } } }));
        assert!(sent.get("id").is_none());
        let all = value(&sync(at(), &stream, &group, None, &[item.clone(), item.clone()]));
        assert_eq!(all["event"], json!({ "type": "sync", "data": [{ "id": "1" }, { "id": "1" }] }));
        let missing = value(&sync(at(), &stream, &group, Some(&id), &[]));
        assert_eq!((&missing["id"], &missing["event"]), (&json!("1"), &json!({ "type": "sync", "data": null })));
        let denied = value(&refused(at(), &stream, &group, None, "STREAM_ACCESS_DENIED", "Access denied"));
        assert_eq!(
            denied["event"]["event"],
            json!({ "type": "error", "data": { "code": "STREAM_ACCESS_DENIED", "message": "Access denied" } })
        );
    }
}
