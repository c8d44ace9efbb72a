//! What clients say, as JSON (behaviour-0.17.md F2).

use std::borrow::Cow;

use motia_core::{GroupId, ItemKey, StreamName};
use motia_engine::streams::Subscription;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// It wants to watch something.
    Join(Subscription),
    /// It watches something no more.
    Leave(Subscription),
    /// Something that means nothing to us. Newer clients may say it.
    Other,
}

/// Why a message cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misunderstood {
    /// It is not JSON.
    NotJson,
    /// Something is missing. What, for people.
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
}

/// A text; or a number, which programs without types send where ids are numbers. Anything else is no text at all.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Number(serde_json::Number),
    Odd(serde::de::IgnoredAny),
}

impl Text<'_> {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.into_owned()),
            Self::Number(number) => Some(number.to_string()),
            Self::Odd(_) => None,
        }
    }
}

impl Message {
    /// Reads a message.
    pub(super) fn parse(text: &str) -> Result<Self, Misunderstood> {
        let envelope: Envelope<'_> = match serde_json::from_str(text) {
            Ok(envelope) => envelope,
            Err(error) if error.is_data() => return Ok(Self::Other),
            Err(_) => return Err(Misunderstood::NotJson),
        };
        let Some(kind) = envelope.kind.and_then(Text::into_text) else { return Ok(Self::Other) };
        let make = match kind.as_str() {
            "join" => Self::Join,
            "leave" => Self::Leave,
            _ => return Ok(Self::Other),
        };
        subscription(&kind, envelope.data).map(make).map_err(Misunderstood::Incomplete)
    }
}

fn subscription(kind: &str, data: Option<&RawValue>) -> Result<Subscription, String> {
    let data = data.map(|data| serde_json::from_str::<About<'_>>(data.get()));
    let Some(Ok(about)) = data else { return Err(format!("'{kind}' must come with data, an object")) };
    let missing = |member: &str| format!("'{kind}' must name {member} in its data, as text");
    let text = |text: Option<Text<'_>>| text.and_then(Text::into_text);
    Ok(Subscription {
        stream: StreamName::from(text(about.stream_name).ok_or_else(|| missing("streamName"))?),
        group: GroupId::from(text(about.group_id).ok_or_else(|| missing("groupId"))?),
        // As for the original, an empty one is none.
        id: text(about.id).filter(|id| !id.is_empty()).map(ItemKey::from),
        name: text(about.subscription_id).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_leaves_are_understood() {
        let join = r#"{"type":"join","data":{"streamName":"order","groupId":"all","id":"o\"1","subscriptionId":"u","more":[1]}}"#;
        let subscription =
            Subscription { stream: "order".into(), group: "all".into(), id: Some("o\"1".into()), name: "u".into() };
        assert_eq!(Message::parse(join), Ok(Message::Join(subscription)));
        let leave = r#"{"data":{"streamName":"order","groupId":7,"id":"","subscriptionId":null},"type":"leave"}"#;
        let subscription = Subscription { stream: "order".into(), group: "7".into(), id: None, name: String::new() };
        assert_eq!(Message::parse(leave), Ok(Message::Leave(subscription)));
    }

    #[test]
    fn what_means_nothing_is_passed_over() {
        for text in ["5", "null", "[]", "{}", r#"{"type":"hello"}"#, r#"{"type":{}}"#, r#"{"type":"ping","data":3}"#] {
            assert_eq!(Message::parse(text), Ok(Message::Other), "{text}");
        }
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
        let deep = format!(r#"{{"type":"join","data":{}"#, "[".repeat(60_000));
        assert_eq!(Message::parse(&deep), Err(Misunderstood::NotJson));
    }
}
