//! What goes over the wire to those who watch (behaviour-0.17.md F2), as JSON text that all of them share.

use bytes::{BufMut, Bytes, BytesMut};
use motia_core::{GroupId, ItemKey, StreamName};
use motia_ports::streams::{Epoch, Offset, Published, What};
use motia_worker::message::string;

use super::Subscription;
use super::rooms::{PresenceId, Present};
use super::stamps::Stamp;

/// What newer clients are told besides.
#[derive(Clone, Copy, Default)]
pub(super) struct More<'a> {
    /// The subscription that the message answers.
    pub(super) subscription: Option<&'a str>,
    /// How far the client has come with it.
    pub(super) offset: Option<Offset>,
    /// From here on, offsets are of this one.
    pub(super) epoch: Option<&'a Epoch>,
}

/// A message about a group, or an item of it.
fn envelope(
    stamp: Stamp,
    (stream, group, id): (&StreamName, &GroupId, Option<&ItemKey>),
    more: More<'_>,
    event: impl FnOnce(&mut BytesMut),
) -> Bytes {
    let mut out = BytesMut::with_capacity(256);
    out.put_slice(b"{\"timestamp\":");
    stamp.write(&mut out);
    out.put_slice(b",\"streamName\":");
    string(&mut out, stream.as_str());
    out.put_slice(b",\"groupId\":");
    string(&mut out, group.as_str());
    let id = id.map(ItemKey::as_str);
    let texts: [(&[u8], Option<&str>); 3] = [
        (b",\"id\":", id),
        (b",\"subscriptionId\":", more.subscription),
        (b",\"epoch\":", more.epoch.map(Epoch::as_str)),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            out.put_slice(name);
            string(&mut out, text);
        }
    }
    if let Some(offset) = more.offset {
        out.put_slice(b",\"offset\":");
        out.put_slice(offset.0.to_string().as_bytes());
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
pub(super) fn published(stamp: Stamp, published: &Published, more: More<'_>) -> Bytes {
    let about = (&published.stream, &published.group, published.id.as_ref());
    match &published.what {
        What::Created(_, item) => envelope(stamp, about, more, typed("create", "data", item)),
        What::Updated(_, item) => envelope(stamp, about, more, typed("update", "data", item)),
        What::Deleted(_, item) => envelope(stamp, about, more, typed("delete", "data", item)),
        What::Sent(message) => envelope(stamp, about, more, typed("event", "event", message)),
    }
}

fn about(subscription: &Subscription) -> (&StreamName, &GroupId, Option<&ItemKey>) {
    (&subscription.stream, &subscription.group, subscription.id.as_ref())
}

/// How a group, or an item, is now. An item that is not there is `null`. `gap`: the client knows an older state, but not what happened since.
pub(super) fn sync(stamp: Stamp, subscription: &Subscription, items: &[Bytes], gap: bool, more: More<'_>) -> Bytes {
    envelope(stamp, about(subscription), more, |out| {
        out.put_slice(b"{\"type\":\"sync\",\"data\":");
        if subscription.id.is_some() {
            out.put_slice(items.first().map_or(b"null".as_slice(), |item| item));
        } else {
            out.put_u8(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.put_u8(b',');
                }
                out.put_slice(item);
            }
            out.put_u8(b']');
        }
        out.put_slice(if gap { b",\"gap\":true}" } else { b"}" });
    })
}

/// The client has been told everything that it missed.
pub(super) fn resumed(stamp: Stamp, subscription: &Subscription, more: More<'_>) -> Bytes {
    envelope(stamp, about(subscription), more, |out| out.put_slice(b"{\"type\":\"resumed\"}"))
}

/// Why a subscription does not begin, as the original told it.
pub(super) fn refused(stamp: Stamp, subscription: &Subscription, code: &str, why: &str, more: More<'_>) -> Bytes {
    envelope(stamp, about(subscription), more, |out| {
        out.put_slice(b"{\"type\":\"event\",\"event\":{\"type\":\"error\",\"data\":{\"code\":");
        string(out, code);
        out.put_slice(b",\"message\":");
        string(out, why);
        out.put_slice(b"}}}");
    })
}

/// Everybody who is present.
pub(super) fn present(stamp: Stamp, subscription: &Subscription, all: &[Present], more: More<'_>) -> Bytes {
    envelope(stamp, about(subscription), more, |out| {
        presence(out, |out| {
            out.put_slice(b"\"present\":[");
            for (at, one) in all.iter().enumerate() {
                if at > 0 {
                    out.put_u8(b',');
                }
                one_present(out, one.id, Some(&one.info));
            }
            out.put_u8(b']');
        });
    })
}

/// Somebody came.
pub(super) fn joined(stamp: Stamp, subscription: &Subscription, present: &Present) -> Bytes {
    envelope(stamp, about(subscription), More::default(), |out| {
        presence(out, |out| {
            out.put_slice(b"\"joined\":");
            one_present(out, present.id, Some(&present.info));
        });
    })
}

/// Somebody left.
pub(super) fn left(stamp: Stamp, subscription: &Subscription, id: PresenceId) -> Bytes {
    envelope(stamp, about(subscription), More::default(), |out| {
        presence(out, |out| {
            out.put_slice(b"\"left\":");
            one_present(out, id, None);
        });
    })
}

fn presence(out: &mut BytesMut, data: impl FnOnce(&mut BytesMut)) {
    out.put_slice(b"{\"type\":\"presence\",\"data\":{");
    data(out);
    out.put_slice(b"}}");
}

fn one_present(out: &mut BytesMut, id: PresenceId, info: Option<&Bytes>) {
    out.put_slice(format!("{{\"presenceId\":\"{}\"", id.0).as_bytes());
    if let Some(info) = info {
        out.put_slice(b",\"info\":");
        out.put_slice(info);
    }
    out.put_u8(b'}');
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
        let subscription = |id: Option<&ItemKey>| Subscription {
            stream: stream.clone(),
            group: group.clone(),
            id: id.cloned(),
            name: "n".into(),
        };
        let plain = More::default();
        let item = Bytes::from_static(b"{\"id\":\"1\"}");
        let created = value(&published(at(), &change(What::Created(Offset(1), item.clone()), Some(&id)), plain));
        assert_eq!(
            created,
            json!({ "timestamp": 7, "streamName": "a\"b", "groupId": "g", "id": "1", "event": { "type": "create", "data": { "id": "1" } } })
        );
        let sent = change(What::Sent(Bytes::from_static(b"{\"type\":\"typing\",\"data\":{\"by\":\"ada\"}}")), None);
        let sent = value(&published(at(), &sent, plain));
        assert_eq!(sent["event"], json!({ "type": "event", "event": { "type": "typing", "data": { "by": "ada" } } }));
        assert!(sent.get("id").is_none());
        let all = value(&sync(at(), &subscription(None), &[item.clone(), item], false, plain));
        assert_eq!(all["event"], json!({ "type": "sync", "data": [{ "id": "1" }, { "id": "1" }] }));
        let missing = value(&sync(at(), &subscription(Some(&id)), &[], false, plain));
        assert_eq!((&missing["id"], &missing["event"]), (&json!("1"), &json!({ "type": "sync", "data": null })));
        let denied = value(&refused(at(), &subscription(None), "STREAM_ACCESS_DENIED", "Access denied", plain));
        assert_eq!(
            denied["event"]["event"],
            json!({ "type": "error", "data": { "code": "STREAM_ACCESS_DENIED", "message": "Access denied" } })
        );
        let epoch = Epoch::from("e");
        let more = More { subscription: Some("n"), offset: Some(Offset(9)), epoch: Some(&epoch) };
        let gap = value(&sync(at(), &subscription(None), &[], true, more));
        assert_eq!(
            gap,
            json!({ "timestamp": 7, "streamName": "a\"b", "groupId": "g", "subscriptionId": "n", "epoch": "e", "offset": 9,
                    "event": { "type": "sync", "data": [], "gap": true } })
        );
        assert_eq!(value(&resumed(at(), &subscription(None), more))["event"], json!({ "type": "resumed" }));
    }
}
