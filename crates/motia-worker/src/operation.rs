//! What handlers ask for: the meta of `OP` frames, read once and refused with what is wrong with it.

use std::time::Duration;

use motia_core::fields::duration;
use motia_core::{EventId, GroupId, ItemKey, Priority, SourcePath, StreamName, Timestamp, Topic, TraceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a handler asks for. What goes with it, if anything, is the frame's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Emit an event; the body is its data.
    Emit(EmitRequest),
    /// Take an event back.
    Cancel(EventId),
    /// Wait until what the call wrote is on disk.
    Sync,
    /// `ctx.state`.
    State(StateOperation),
    /// `ctx.streams`.
    Stream(StreamName, StreamOperation),
}

/// How an event is to be emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmitRequest {
    /// To which topic.
    pub topic: Topic,
    /// The ordering key.
    pub group: Option<GroupId>,
    /// When it is due, if its emitter says so.
    pub due: Option<Due>,
    /// Which come first.
    pub priority: Priority,
    /// Emit it only once under this key.
    pub once: Option<String>,
}

/// When an event is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// So long after it is emitted.
    After(Duration),
    /// At that time.
    At(Timestamp),
}

/// What a handler asks of `ctx.state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateOperation {
    /// Read a value.
    Get(GroupId, ItemKey),
    /// Read a value with its revision.
    Entry(GroupId, ItemKey),
    /// Store the body, for a while or for good.
    Set(GroupId, ItemKey, Option<Duration>),
    /// Store the body if the value has this revision; with none, if there is no value.
    SetIf {
        /// The group.
        group: GroupId,
        /// The key.
        key: ItemKey,
        /// The expected revision.
        expected: Option<u64>,
        /// For a while, or for good.
        ttl: Option<Duration>,
    },
    /// Make the changes in the body.
    Update(GroupId, ItemKey),
    /// Remove a value.
    Delete(GroupId, ItemKey),
    /// Read a group.
    Group(GroupId),
    /// Read the keys of a group.
    Keys(GroupId),
    /// Read the names of all groups.
    Groups,
    /// Remove a group.
    Clear(GroupId),
}

/// What a handler asks of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamOperation {
    /// Read an item.
    Get(GroupId, ItemKey),
    /// Store the body as an item.
    Set(GroupId, ItemKey),
    /// Remove an item.
    Delete(GroupId, ItemKey),
    /// Make the changes of the body to an item.
    Update(GroupId, ItemKey),
    /// Read a group of items.
    Group(GroupId),
    /// Read those items of a group that the body asks for.
    Query(GroupId),
    /// Remove all items of a group.
    Clear(GroupId),
    /// Send the body to whoever watches.
    Send(GroupId, Option<ItemKey>),
}

/// Why an operation was refused, as its promise rejects with it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct OperationError {
    /// A stable name.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
}

/// The meta of an `OP`.
#[derive(Deserialize)]
pub(crate) struct OperationMeta {
    op: String,
    pub(crate) call: Option<u32>,
    pub(crate) trace: Option<TraceId>,
    pub(crate) step: Option<SourcePath>,
    topic: Option<Topic>,
    group: Option<GroupId>,
    key: Option<ItemKey>,
    stream: Option<StreamName>,
    id: Option<ItemKey>,
    event: Option<EventId>,
    once: Option<String>,
    // As the user wrote them.
    delay: Option<Value>,
    at: Option<Value>,
    priority: Option<Value>,
    ttl: Option<Value>,
    expected: Option<Value>,
}

type Read<T> = Result<T, OperationError>;

fn refused(message: String) -> OperationError {
    OperationError { code: "bad-operation", message }
}

impl OperationMeta {
    /// The operation, or what is wrong with it.
    pub(crate) fn operation(self) -> Read<Operation> {
        let state = Operation::State;
        let in_stream = |operation| Ok(Operation::Stream(self.need("stream", &self.stream)?, operation));
        Ok(match self.op.as_str() {
            "emit" => Operation::Emit(self.emit()?),
            "cancel" => Operation::Cancel(self.need("event", &self.event)?),
            "sync" => Operation::Sync,
            "state.get" => state(StateOperation::Get(self.group()?, self.key()?)),
            "state.entry" => state(StateOperation::Entry(self.group()?, self.key()?)),
            "state.set" => state(StateOperation::Set(self.group()?, self.key()?, self.ttl()?)),
            "state.setIf" => state(StateOperation::SetIf {
                group: self.group()?,
                key: self.key()?,
                expected: self.expected()?,
                ttl: self.ttl()?,
            }),
            "state.update" => state(StateOperation::Update(self.group()?, self.key()?)),
            "state.delete" => state(StateOperation::Delete(self.group()?, self.key()?)),
            "state.getGroup" => state(StateOperation::Group(self.group()?)),
            "state.listKeys" => state(StateOperation::Keys(self.group()?)),
            "state.listGroups" => state(StateOperation::Groups),
            "state.clear" => state(StateOperation::Clear(self.group()?)),
            "stream.get" => in_stream(StreamOperation::Get(self.group()?, self.id()?))?,
            "stream.set" => in_stream(StreamOperation::Set(self.group()?, self.id()?))?,
            "stream.delete" => in_stream(StreamOperation::Delete(self.group()?, self.id()?))?,
            "stream.update" => in_stream(StreamOperation::Update(self.group()?, self.id()?))?,
            "stream.query" => in_stream(StreamOperation::Query(self.group()?))?,
            "stream.clear" => in_stream(StreamOperation::Clear(self.group()?))?,
            "stream.getGroup" => in_stream(StreamOperation::Group(self.group()?))?,
            "stream.send" => in_stream(StreamOperation::Send(self.group()?, self.id.clone()))?,
            op => {
                return Err(OperationError {
                    code: "unknown-operation",
                    message: format!("this engine does not know the operation '{op}'"),
                });
            }
        })
    }

    /// As users call it.
    fn name(&self) -> &str {
        if self.op == "state.setIf" { "state.setIfRevision" } else { &self.op }
    }

    fn need<T: Clone>(&self, member: &str, value: &Option<T>) -> Read<T> {
        value.clone().ok_or_else(|| refused(format!("{} needs '{member}'", self.name())))
    }

    fn group(&self) -> Read<GroupId> {
        self.need("group", &self.group)
    }

    fn key(&self) -> Read<ItemKey> {
        self.need("key", &self.key)
    }

    fn id(&self) -> Read<ItemKey> {
        self.need("id", &self.id)
    }

    fn emit(&self) -> Read<EmitRequest> {
        let members = EmitMembers { delay: self.delay.clone(), at: self.at.clone(), priority: self.priority.clone() };
        let (due, priority) = members.read()?;
        let topic = self.need("topic", &self.topic)?;
        Ok(EmitRequest { topic, group: self.group.clone(), due, priority, once: self.once.clone() })
    }

    fn ttl(&self) -> Read<Option<Duration>> {
        self.ttl.as_ref().map(|ttl| length(self.name(), "ttl", ttl)).transpose()
    }

    /// `null` stands for no value.
    fn expected(&self) -> Read<Option<u64>> {
        match &self.expected {
            None => Ok(None),
            Some(expected) => expected.as_u64().map(Some).ok_or_else(|| {
                refused(format!(
                    "{}: the revision should be one that state.entry gave, or null, but is {expected}",
                    self.name()
                ))
            }),
        }
    }
}

/// Members of an emit, as its author wrote them.
#[derive(Clone, Debug, Default)]
pub struct EmitMembers {
    /// A number of seconds, or a text such as `15m`.
    pub delay: Option<Value>,
    /// Milliseconds since 1970, or a text such as `2026-11-25T09:00:00Z`.
    pub at: Option<Value>,
    /// -100 to 100.
    pub priority: Option<Value>,
}

impl EmitMembers {
    /// What they mean, or which of them cannot be understood.
    pub fn read(&self) -> Result<(Option<Due>, Priority), OperationError> {
        let due = match (&self.delay, &self.at) {
            (None, None) => None,
            (Some(delay), None) => Some(Due::After(length("emit", "delay", delay)?)),
            (None, Some(at)) => Some(Due::At(time(at)?)),
            (Some(_), Some(_)) => return Err(refused("emit: give either 'delay' or 'at', not both".into())),
        };
        let priority = match &self.priority {
            None => Priority::default(),
            Some(priority) => priority.as_i64().and_then(Priority::new).ok_or_else(|| {
                refused(format!(
                    "emit: priority should be a whole number from -{0} to {0}, but is {priority}",
                    Priority::MOST
                ))
            })?,
        };
        Ok((due, priority))
    }
}

fn length(op: &str, member: &str, value: &Value) -> Read<Duration> {
    duration(value).ok_or_else(|| {
        refused(format!(
            "{op}: {member} should be a number of seconds, 0 or more, or a text such as \"15m\", but is {value}"
        ))
    })
}

fn time(value: &Value) -> Read<Timestamp> {
    let time = match value {
        Value::Number(number) => number.as_f64().filter(|millis| millis.is_finite()).map(|millis| millis as i64),
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        _ => None,
    };
    time.map(Timestamp).ok_or_else(|| {
        refused(format!(
            "emit: at should be a Date, milliseconds since 1970, or a text such as \"2026-11-25T09:00:00Z\", but is {value}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Read<Operation> {
        serde_json::from_str::<OperationMeta>(text).expect("JSON").operation()
    }

    fn plain(topic: &str) -> EmitRequest {
        EmitRequest { topic: topic.into(), group: None, due: None, priority: Priority::default(), once: None }
    }

    #[test]
    fn operations_are_read() {
        let emit = |request| Ok(Operation::Emit(request));
        assert_eq!(
            read(r#"{"op":"emit","call":1,"topic":"t","group":"g"}"#),
            emit(EmitRequest { group: Some("g".into()), ..plain("t") })
        );
        let after = |duration| Some(Due::After(duration));
        for (more, due) in [
            (r#""delay":1.5"#, after(Duration::from_millis(1500))),
            (r#""delay":"2h""#, after(Duration::from_secs(7200))),
            (r#""at":1000"#, Some(Due::At(Timestamp(1000)))),
            (r#""at":"1970-01-01T00:00:02Z""#, Some(Due::At(Timestamp(2000)))),
        ] {
            assert_eq!(
                read(&format!(r#"{{"op":"emit","topic":"t",{more}}}"#)),
                emit(EmitRequest { due, ..plain("t") })
            );
        }
        let once = EmitRequest { once: Some("k".into()), priority: Priority::new(9).expect("in range"), ..plain("t") };
        assert_eq!(read(r#"{"op":"emit","topic":"t","once":"k","priority":9}"#), emit(once));
        let state = |operation| Ok(Operation::State(operation));
        assert_eq!(
            read(r#"{"op":"state.get","group":"g","key":"k"}"#),
            state(StateOperation::Get("g".into(), "k".into()))
        );
        assert_eq!(
            read(r#"{"op":"state.set","group":"g","key":"k","ttl":"1m"}"#),
            state(StateOperation::Set("g".into(), "k".into(), Some(Duration::from_secs(60))))
        );
        for (expected, text) in [(None, "null"), (Some(5), "5")] {
            assert_eq!(
                read(&format!(r#"{{"op":"state.setIf","group":"g","key":"k","expected":{text}}}"#)),
                state(StateOperation::SetIf { group: "g".into(), key: "k".into(), expected, ttl: None })
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, code, message) in [
            (r#"{"op":"state.get","group":"g"}"#, "bad-operation", "state.get needs 'key'"),
            (r#"{"op":"state.fly"}"#, "unknown-operation", "this engine does not know the operation 'state.fly'"),
            (
                r#"{"op":"emit","topic":"t","delay":-1}"#,
                "bad-operation",
                "emit: delay should be a number of seconds, 0 or more, or a text such as \"15m\", but is -1",
            ),
            (
                r#"{"op":"emit","topic":"t","at":"tomorrow"}"#,
                "bad-operation",
                "emit: at should be a Date, milliseconds since 1970, or a text such as \"2026-11-25T09:00:00Z\", but is \"tomorrow\"",
            ),
            (
                r#"{"op":"emit","topic":"t","at":1,"delay":1}"#,
                "bad-operation",
                "emit: give either 'delay' or 'at', not both",
            ),
            (
                r#"{"op":"emit","topic":"t","priority":101}"#,
                "bad-operation",
                "emit: priority should be a whole number from -100 to 100, but is 101",
            ),
            (
                r#"{"op":"state.setIf","group":"g","key":"k","expected":"first"}"#,
                "bad-operation",
                "state.setIfRevision: the revision should be one that state.entry gave, or null, but is \"first\"",
            ),
        ] {
            assert_eq!(read(text), Err(OperationError { code, message: message.into() }), "{text}");
        }
    }
}
