//! What clients say, as JSON (behaviour-0.17.md F2).

use std::borrow::Cow;

use bytes::Bytes;
use motia_core::ItemKey;
use motia_engine::streams::Subscription;
use motia_ports::streams::{Offset, Position};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A message of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// It is a newer client, and knows more than those of the original.
    Hello,
    /// Is anybody there?
    Ping,
    /// It wants to watch something, may know how it was, and may be present there, with what it says of itself.
    Join(Subscription, Option<Position>, Option<Bytes>),
    /// It watches something no more.
    Leave(Subscription),
    /// Something that means nothing to us. Newer clients may say it.
    Other,
}

/// Why a message cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Misunderstood {
    /// It is not JSON.
    NotJson,
    /// Something is missing, or too long. What, for people.
    Incomplete(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About<'a> {
    #[serde(borrow, default)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    group_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    subscription_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    epoch: Option<Text<'a>>,
    #[serde(default)]
    offset: Option<serde_json::Value>,
    #[serde(borrow, default)]
    presence: Option<&'a RawValue>,
}

/// The longest stream, group or item, in bytes; what a client may call it; what it may say of itself.
const PLACE: usize = 16 << 10;
const NAME: usize = 1 << 10;
const PRESENCE: usize = 4 << 10;

/// Without the spaces of whoever wrote it.
fn compact(json: &RawValue) -> Bytes {
    serde_json::from_str::<serde_json::Value>(json.get())
        .map_or_else(|_| Bytes::from_static(b"null"), |value| value.to_string().into())
}

/// A text; or a number, which programs without types send where ids are numbers. Anything else is no text at all.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    Plain(#[serde(borrow)] Cow<'a, str>),
    Number(serde_json::Number),
    Odd(serde::de::IgnoredAny),
}

impl Text<'_> {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Plain(text) => Some(text.into_owned()),
            Self::Number(number) => Some(number.to_string()),
            Self::Odd(_) => None,
        }
    }
}

impl Message {
    /// Reads a message.
    pub fn parse(text: &str) -> Result<Self, Misunderstood> {
        let envelope: Envelope<'_> = match serde_json::from_str(text) {
            Ok(envelope) => envelope,
            Err(error) if error.is_data() => return Ok(Self::Other),
            Err(_) => return Err(Misunderstood::NotJson),
        };
        let Some(kind) = envelope.kind.and_then(Text::into_text) else { return Ok(Self::Other) };
        let about = |read: fn(About<'_>) -> Result<Self, String>| {
            let data = envelope.data.map(|data| serde_json::from_str::<About<'_>>(data.get()));
            let Some(Ok(about)) = data else {
                return Err(Misunderstood::Incomplete(format!("'{kind}' must come with data, an object")));
            };
            read(about).map_err(|why| Misunderstood::Incomplete(format!("'{kind}' {why}")))
        };
        match kind.as_str() {
            "hello" => Ok(Self::Hello),
            "ping" => Ok(Self::Ping),
            "join" => about(|mut about| {
                let (position, presence) = (about.position(), about.presence()?);
                Ok(Self::Join(about.subscription()?, position, presence))
            }),
            "leave" => about(|about| Ok(Self::Leave(about.subscription()?))),
            _ => Ok(Self::Other),
        }
    }
}

impl About<'_> {
    /// Or what is wrong with it.
    fn subscription(self) -> Result<Subscription, String> {
        let text = |member: &str, text: Option<Text<'_>>, most: usize| match text.and_then(Text::into_text) {
            Some(text) if text.len() > most => Err(format!("has a {member} of more than {most} bytes")),
            text => Ok(text),
        };
        let missing = |member: &str| format!("must name {member} in its data, as text");
        Ok(Subscription {
            stream: text("streamName", self.stream_name, PLACE)?.ok_or_else(|| missing("streamName"))?.into(),
            group: text("groupId", self.group_id, PLACE)?.ok_or_else(|| missing("groupId"))?.into(),
            // As for the original, an empty one is none.
            id: text("id", self.id, PLACE)?.filter(|id| !id.is_empty()).map(ItemKey::from),
            name: text("subscriptionId", self.subscription_id, NAME)?.unwrap_or_default(),
        })
    }

    /// What it says of itself to those who are present.
    fn presence(&self) -> Result<Option<Bytes>, String> {
        match self.presence.map(compact) {
            Some(presence) if presence.len() > PRESENCE => {
                Err(format!("has a presence of more than {PRESENCE} bytes: all who are present are told of it"))
            }
            presence => Ok(presence),
        }
    }

    /// One that cannot be understood is none: the client is told how things are.
    fn position(&mut self) -> Option<Position> {
        let epoch = self.epoch.take().and_then(Text::into_text)?;
        Some(Position { epoch: epoch.into(), offset: Offset(self.offset.take()?.as_u64()?) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn joins_and_leaves_are_understood() {
        let join = r#"{"type":"join","data":{"streamName":"order","groupId":"all","id":"o\"1","subscriptionId":"u","more":[1]}}"#;
        let subscription =
            Subscription { stream: "order".into(), group: "all".into(), id: Some("o\"1".into()), name: "u".into() };
        assert_eq!(Message::parse(join), Ok(Message::Join(subscription.clone(), None, None)));
        let resume = join.replace("\"more\":[1]", "\"offset\":7,\"epoch\":\"e\"");
        let position = Position { epoch: "e".into(), offset: Offset(7) };
        assert_eq!(Message::parse(&resume), Ok(Message::Join(subscription.clone(), Some(position), None)));
        for odd in ["\"offset\":-1,\"epoch\":\"e\"", "\"offset\":{},\"epoch\":[]", "\"offset\":7"] {
            let odd = join.replace("\"more\":[1]", odd);
            assert_eq!(Message::parse(&odd), Ok(Message::Join(subscription.clone(), None, None)));
        }
        assert_eq!(Message::parse(r#"{"type":"hello","data":{"protocol":1}}"#), Ok(Message::Hello));
        assert_eq!(Message::parse(r#"{"type":"ping"}"#), Ok(Message::Ping));
        let leave = r#"{"data":{"streamName":"order","groupId":7,"id":"","subscriptionId":null},"type":"leave"}"#;
        let subscription = Subscription { stream: "order".into(), group: "7".into(), id: None, name: String::new() };
        assert_eq!(Message::parse(leave), Ok(Message::Leave(subscription)));
    }

    #[test]
    fn what_means_nothing_is_passed_over() {
        for text in ["5", "null", "[]", "{}", r#"{"type":"later"}"#, r#"{"type":{}}"#, r#"{"type":3,"data":3}"#] {
            assert_eq!(Message::parse(text), Ok(Message::Other), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_refused(text in "\\PC*") {
            let _ = Message::parse(&text);
        }

        #[test]
        fn any_json_that_is_whole_is_no_breach(kind in "join|leave|hello|ping|[a-z]{0,8}", data in json_value()) {
            let message = serde_json::json!({ "type": kind, "data": data }).to_string();
            prop_assert_ne!(Message::parse(&message), Err(Misunderstood::NotJson));
            prop_assert_eq!(Message::parse(&message[..message.len() - 1]), Err(Misunderstood::NotJson));
        }

        #[test]
        fn names_of_any_characters_arrive(stream in ".*", group in ".*", id in ".+", name in ".*") {
            let data = serde_json::json!({ "streamName": stream, "groupId": group, "id": id, "subscriptionId": name });
            let message = serde_json::json!({ "type": "leave", "data": data }).to_string();
            let named =
                Subscription { stream: stream.into(), group: group.into(), id: Some(id.into()), name };
            prop_assert_eq!(Message::parse(&message), Ok(Message::Leave(named)));
        }
    }

    fn json_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let member = prop_oneof![
                Just("streamName".to_owned()),
                Just("groupId".to_owned()),
                Just("offset".to_owned()),
                ".{0,4}"
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map(member, inner, 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn what_cannot_be_understood_says_why() {
        for text in ["", "join", "{", "\u{0}", r#"{"type":"join","#] {
            assert_eq!(Message::parse(text), Err(Misunderstood::NotJson), "{text}");
        }
        for (text, said) in [
            (r#"{"type":"join"}"#, "'join' must come with data, an object"),
            (r#"{"type":"join","data":[]}"#, "'join' must name streamName in its data, as text"),
            (r#"{"type":"join","data":{"streamName":"s"}}"#, "'join' must name groupId in its data, as text"),
            (
                r#"{"type":"leave","data":{"streamName":{},"groupId":"g"}}"#,
                "'leave' must name streamName in its data, as text",
            ),
        ] {
            assert_eq!(Message::parse(text), Err(Misunderstood::Incomplete(said.into())), "{text}");
        }
        let long = |member: &str, length: usize| {
            let mut data = serde_json::json!({ "streamName": "s", "groupId": "g", "id": "1", "subscriptionId": "n" });
            data[member] = "x".repeat(length).into();
            Message::parse(&serde_json::json!({ "type": "join", "data": data }).to_string())
        };
        for (member, most) in [("groupId", PLACE), ("id", PLACE), ("subscriptionId", NAME), ("presence", PRESENCE - 2)]
        {
            assert!(matches!(long(member, most), Ok(Message::Join(..))), "{member}");
            assert!(matches!(long(member, most + 1), Err(Misunderstood::Incomplete(why)) if why.contains("more than")));
        }
        let deep = format!(r#"{{"type":"join","data":{}"#, "[".repeat(60_000));
        assert_eq!(Message::parse(&deep), Err(Misunderstood::NotJson));
    }
}
