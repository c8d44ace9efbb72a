//! What the runtime reports about itself. Everything that runs becomes records; sinks (the terminal, the store,
//! the Workbench) take them from a bounded pipeline off the hot path.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{EventId, GroupId, ItemKey, SourcePath, StepName, StreamName, Topic};
use crate::step::Method;
use crate::trace::TraceId;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Record {
    /// Text for whoever watches the terminal, as it is: start-up and reload lines.
    Notice(String),
    /// A line that user code or the runtime logged.
    Log(LogLine),
    /// An attempt began.
    Started(SpanStart),
    /// An attempt ended.
    Ended(SpanEnd),
    /// A handler used state, a stream or emitted.
    Operation(OperationRecord),
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Detail for whoever debugs the step.
    Debug,
    /// Normal.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// `DEBUG`, `INFO`, `WARN`, `ERROR`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "debug" | "trace" => Ok(Self::Debug),
            "info" | "log" => Ok(Self::Info),
            "warn" | "warning" => Ok(Self::Warn),
            "error" => Ok(Self::Error),
            _ => Err(()),
        }
    }
}

/// A log line.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// How loud.
    pub level: Level,
    /// The chain it belongs to; none for lines of no call.
    pub trace: Option<TraceId>,
    /// The step that logged it.
    pub step: Option<StepName>,
    /// The text.
    pub message: String,
    /// What the user passed beside the text: a JSON value, or empty.
    pub details: Bytes,
}

/// Identifies an attempt within the records of one engine run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpanId(pub u64);

/// The attempt of a handler, as it begins.
#[derive(Clone, Debug)]
pub struct SpanStart {
    /// Its id.
    pub id: SpanId,
    /// The chain.
    pub trace: TraceId,
    /// The step.
    pub step: StepName,
    /// Its file.
    pub source: SourcePath,
    /// Why it runs.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
}

/// Why a handler runs.
#[derive(Clone, Debug)]
pub enum Cause {
    /// A request.
    Request {
        /// Its method.
        method: Method,
        /// Its path, as received.
        path: String,
    },
    /// A delivery.
    Event {
        /// The event's topic.
        topic: Topic,
        /// 1 for the first.
        attempt: u32,
    },
    /// A tick.
    Tick {
        /// The instant that the schedule named.
        due: Timestamp,
    },
    /// Somebody began to watch something.
    Join {
        /// The stream.
        stream: StreamName,
        /// The group.
        group: GroupId,
        /// The item, if it is one.
        id: Option<ItemKey>,
    },
    /// Somebody watches something no more.
    Leave {
        /// The stream.
        stream: StreamName,
        /// The group.
        group: GroupId,
        /// The item, if it is one.
        id: Option<ItemKey>,
    },
}

/// The attempt of a handler, ended.
#[derive(Clone, Debug)]
pub struct SpanEnd {
    /// Its id.
    pub id: SpanId,
    /// The chain.
    pub trace: TraceId,
    /// The step.
    pub step: StepName,
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The status sent, for requests.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// A handler used state, a stream, or emitted.
#[derive(Clone, Debug)]
pub struct OperationRecord {
    /// The attempt, if it is still known.
    pub span: Option<SpanId>,
    /// The chain.
    pub trace: TraceId,
    /// The step.
    pub step: StepName,
    /// What.
    pub operation: Operation,
    /// When it was asked for.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// What a handler asked for.
#[derive(Clone, Debug)]
pub enum Operation {
    /// `emit`.
    Emit {
        /// To which topic.
        topic: Topic,
        /// How many steps it went to; `None` where it was dropped as undeclared.
        deliveries: Option<usize>,
    },
    /// An event was taken back.
    Cancel {
        /// Which.
        event: EventId,
    },
    /// `state.*`.
    State {
        /// `get`, `set`, `update` and so on.
        verb: &'static str,
        /// The group.
        group: GroupId,
        /// The key, where the verb takes one.
        key: Option<ItemKey>,
    },
    /// `streams.*.*`.
    Stream {
        /// `get`, `set`, `delete`, `getGroup`, `send`.
        verb: &'static str,
        /// The stream.
        stream: StreamName,
        /// The group.
        group: GroupId,
        /// The item, where the verb takes one.
        id: Option<ItemKey>,
    },
}
