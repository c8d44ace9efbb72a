//! What frames mean, but for operations. The meta of each is a small JSON object; bodies stay bytes.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use motia_core::record::Level;
use motia_core::trace::TraceParent;
use motia_core::{SourcePath, Topic, TraceId};
use serde::{Deserialize, Serialize};

/// A file to import, as `LOAD` lists it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct LoadFile {
    /// The source's name in everything that is shown.
    pub source: SourcePath,
    /// What to import: an absolute path.
    pub module: std::path::PathBuf,
    /// What it is.
    pub kind: LoadKind,
}

/// What a file to import is.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LoadKind {
    /// A step.
    Step,
    /// A stream.
    Stream,
    /// `motia.config`.
    Config,
}

/// What a body is, as its content type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Content {
    /// There is none.
    #[default]
    None,
    /// JSON.
    Json,
    /// A urlencoded form; the frame's body holds its JSON first.
    Form,
    /// Text.
    Text,
    /// `multipart/form-data`.
    Multipart,
    /// Anything else.
    Binary,
}

impl Content {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Json => "json",
            Self::Form => "form",
            Self::Text => "text",
            Self::Multipart => "multipart",
            Self::Binary => "binary",
        }
    }
}

/// A request without its body. Objects are JSON already: the edge writes them straight from the wire.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method, as received.
    pub method: String,
    /// The path, as received, without the query.
    pub path: String,
    /// A JSON object of strings.
    pub headers: String,
    /// A JSON object, or empty for none.
    pub query: String,
    /// A JSON object of strings, or empty for none.
    pub params: String,
    /// What the body is.
    pub content: Content,
    /// The text's charset, where it is not UTF-8.
    pub charset: Option<String>,
    /// How many bytes of the body are the form's JSON.
    pub split: Option<usize>,
    /// How long the body is, if it comes in pieces and that is known.
    pub length: Option<usize>,
}

/// Why a handler is called.
#[derive(Clone, Debug)]
pub enum CallKind {
    /// A request.
    Api(Box<RequestHead>),
    /// A delivery.
    Event {
        /// The event's topic.
        topic: Topic,
        /// 1 for the first.
        attempt: u32,
    },
    /// A tick.
    Cron,
    /// Who opens a connection to watch streams? Answered with any JSON.
    Authenticate,
    /// May somebody watch a stream? Answered with `true` or `false`.
    Access,
    /// Somebody watches a stream.
    Join,
    /// Somebody watches a stream no more.
    Leave,
    /// A stream's own storage is asked for something. Answered with JSON.
    Storage,
}

/// The chain that a call belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The chain's trace id.
    pub trace: TraceId,
    /// The call's W3C context.
    pub parent: TraceParent,
}

/// Writes the meta of a `CALL`.
pub(crate) fn write_call(out: &mut BytesMut, source: &SourcePath, identity: Identity, kind: &CallKind) {
    out.put_slice(b"{\"step\":");
    string(out, source.as_str());
    out.put_slice(b",\"trace\":\"");
    out.put_slice(identity.trace.as_str().as_bytes());
    out.put_slice(b"\",\"traceparent\":\"");
    out.put_slice(identity.parent.to_string().as_bytes());
    match kind {
        CallKind::Cron => out.put_slice(b"\",\"kind\":\"cron\""),
        CallKind::Authenticate => out.put_slice(b"\",\"kind\":\"authenticate\""),
        CallKind::Access => out.put_slice(b"\",\"kind\":\"access\""),
        CallKind::Join => out.put_slice(b"\",\"kind\":\"join\""),
        CallKind::Leave => out.put_slice(b"\",\"kind\":\"leave\""),
        CallKind::Storage => out.put_slice(b"\",\"kind\":\"storage\""),
        CallKind::Event { topic, attempt } => {
            out.put_slice(b"\",\"kind\":\"event\",\"topic\":");
            string(out, topic.as_str());
            out.put_slice(format!(",\"attempt\":{attempt}").as_bytes());
        }
        CallKind::Api(head) => {
            out.put_slice(b"\",\"kind\":\"api\",\"method\":");
            string(out, &head.method);
            out.put_slice(b",\"path\":");
            string(out, &head.path);
            for (name, json) in
                [(&b",\"headers\":"[..], &head.headers), (b",\"query\":", &head.query), (b",\"params\":", &head.params)]
            {
                if !json.is_empty() {
                    out.put_slice(name);
                    out.put_slice(json.as_bytes());
                }
            }
            if head.content != Content::None {
                out.put_slice(b",\"content\":\"");
                out.put_slice(head.content.as_str().as_bytes());
                out.put_u8(b'"');
            }
            if let Some(charset) = &head.charset {
                out.put_slice(b",\"charset\":");
                string(out, charset);
            }
            if let Some(split) = head.split {
                out.put_slice(format!(",\"split\":{split}").as_bytes());
            }
            if let Some(length) = head.length {
                out.put_slice(format!(",\"length\":{length}").as_bytes());
            }
        }
    }
    out.put_u8(b'}');
}

/// Appends a JSON string.
pub fn string(out: &mut BytesMut, text: &str) {
    // Writing to memory cannot fail, and a `str` always serializes.
    let _ = serde_json::to_writer(out.writer(), text);
}

/// The meta of a `RESULT`.
#[derive(Debug, Default, Deserialize)]
pub struct ResultMeta {
    /// `api`: the status.
    pub status: Option<u16>,
    /// `api`: what the body is.
    #[serde(rename = "type", default)]
    pub body: BodyKind,
    /// `api`: headers.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderValues>,
    /// `api`: the body comes bit by bit, and the call runs until its end.
    #[serde(default)]
    pub stream: bool,
    /// `api`: the request's body was not what its content type says.
    pub invalid: Option<String>,
    /// The handler failed.
    pub error: Option<HandlerError>,
}

/// What a response body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyKind {
    /// There is none.
    #[default]
    None,
    /// JSON.
    Json,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

/// A header's value or values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum HeaderValues {
    /// Once.
    One(String),
    /// Repeated.
    Many(Vec<String>),
}

/// What a handler or a file threw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerError {
    /// Its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it says.
    #[serde(default)]
    pub message: String,
    /// Where, in the user's own files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// A stable name, for operations' errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<serde_json::Value>,
}

impl HandlerError {
    /// The worker does not have the step: it was replaced between the look-up and the call.
    pub fn is_unknown_step(&self) -> bool {
        self.code.as_ref().is_some_and(|code| code == "step-unknown")
    }

    /// An error of ours, not of the handler's.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }
}

impl std::fmt::Display for HandlerError {
    /// The stack where there is one: it begins with the name and the message.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.stack, &self.name) {
            (Some(stack), _) if stack.contains(&self.message) => f.write_str(stack),
            (_, Some(name)) => write!(f, "{name}: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

/// The meta of a `LOG`.
#[derive(Deserialize)]
pub(crate) struct LogMeta {
    pub(crate) level: String,
    #[serde(default)]
    pub(crate) message: String,
    pub(crate) call: Option<u32>,
    pub(crate) trace: Option<TraceId>,
    pub(crate) step: Option<SourcePath>,
}

/// A log line of a worker.
#[derive(Clone, Debug)]
pub struct WorkerLog {
    /// How loud.
    pub level: Level,
    /// The text.
    pub message: String,
    /// A JSON value, or empty.
    pub details: Bytes,
}

/// The meta of `HELLO`.
#[derive(Clone, Debug, Deserialize)]
pub struct Hello {
    /// The protocol's version.
    pub protocol: u32,
    /// The runtime's version, for messages.
    #[serde(default)]
    pub runtime: String,
}

/// The meta of `IMPORTING`, `IMPORTED` and `REFUSED`.
#[derive(Deserialize)]
pub(crate) struct FileMeta {
    pub(crate) file: SourcePath,
    #[serde(default)]
    pub(crate) handler: bool,
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use motia_core::trace::TraceIds;

    use super::*;

    #[test]
    fn the_meta_of_a_call_is_json_with_what_is_there() {
        let ids = TraceIds::new([0; 16]);
        let trace = ids.nth(0);
        let identity = Identity { trace, parent: TraceParent::start(trace, &ids) };
        let source = SourcePath::from("steps/\"odd\".step.ts");
        let json = |kind: &CallKind| {
            let mut out = BytesMut::new();
            write_call(&mut out, &source, identity, kind);
            serde_json::from_slice::<serde_json::Value>(&out).expect("JSON")
        };
        let cron = json(&CallKind::Cron);
        let parent = identity.parent.to_string();
        assert_eq!(cron, serde_json::json!({"step": source, "trace": trace, "traceparent": parent, "kind": "cron"}));
        assert_eq!(json(&CallKind::Authenticate)["kind"], "authenticate");
        assert_eq!(json(&CallKind::Access)["kind"], "access");
        assert_eq!(json(&CallKind::Storage)["kind"], "storage");
        assert_eq!(
            (&json(&CallKind::Join)["kind"], &json(&CallKind::Leave)["kind"]),
            (&"join".into(), &"leave".into())
        );
        let event = json(&CallKind::Event { topic: "a\nb".into(), attempt: 2 });
        assert_eq!((&event["topic"], &event["attempt"]), (&"a\nb".into(), &2.into()));
        let api = json(&CallKind::Api(Box::new(RequestHead {
            method: "POST".into(),
            path: "/a".into(),
            headers: r#"{"x":"1"}"#.into(),
            query: r#"{"q":["1"]}"#.into(),
            params: String::new(),
            content: Content::Form,
            charset: None,
            split: Some(5),
            length: Some(300_000),
        })));
        assert_eq!(api["query"]["q"][0], "1");
        assert_eq!((&api["content"], &api["split"], &api["length"]), (&"form".into(), &5.into(), &300_000.into()));
        assert!(api.get("params").is_none());
    }
}
