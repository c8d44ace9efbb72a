//! An event that somebody emits by hand: `{"topic", "data", "messageGroupId", "delay" or "at", "priority", "idempotencyKey"}`.

use bytes::Bytes;
use motia_worker::operation::{EmitMembers, EmitRequest};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::problem::Problem;

/// What is to be emitted.
pub(crate) struct ByHand {
    pub(crate) request: EmitRequest,
    pub(crate) data: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    topic: String,
    #[serde(borrow, default, deserialize_with = "given")]
    data: Option<&'a RawValue>,
    message_group_id: Option<String>,
    delay: Option<Value>,
    at: Option<Value>,
    priority: Option<Value>,
    idempotency_key: Option<String>,
}

/// `null` is data like any other.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl ByHand {
    /// Reads it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let written: Written<'_> = serde_json::from_slice(body)
            .map_err(|error| Problem::bad(format!("this is not {{\"topic\": …, \"data\": …}}: {error}")))?;
        let members = EmitMembers { delay: written.delay, at: written.at, priority: written.priority };
        let (due, priority) = members.read().map_err(|error| Problem::bad(error.message))?;
        let request = EmitRequest {
            topic: written.topic.into(),
            group: written.message_group_id.map(Into::into),
            due,
            priority,
            once: written.idempotency_key,
        };
        let data = written.data.map(|data| Bytes::copy_from_slice(data.get().as_bytes())).unwrap_or_default();
        Ok(Self { request, data })
    }
}
