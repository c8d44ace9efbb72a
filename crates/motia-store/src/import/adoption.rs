//! A store that takes data in while no engine runs: all of it, or nothing.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use motia_core::trace::TraceIds;
use motia_core::{GroupId, Priority, StepName, Timestamp, Topic, TraceId};
use motia_ports::queue::{Delivery, DeliveryId, Failure};

use super::{Result, created, store_value};
use crate::open::{FILE, Opened, open, reserve};
use crate::queue::adopt::Queues;
use crate::sequence::BLOCK;
use crate::{OpenError, Reporter};

/// Something that the original left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// A value of state, as JSON, under `<group>:<key>`.
    State {
        /// Its name.
        joined: String,
        /// A JSON text.
        value: String,
    },
    /// An item of a stream.
    Item {
        /// The stream.
        stream: String,
        /// The group.
        group: String,
        /// The item's id.
        id: String,
        /// A JSON object.
        item: String,
    },
    /// An event for one step.
    Event(LeftEvent),
}

/// An event that waits for its step, or that it has given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftEvent {
    /// What it was there: the same event is not taken twice.
    pub name: String,
    /// The step that it is for.
    pub step: StepName,
    /// Its topic.
    pub topic: Topic,
    /// Its chain, if that was of our form.
    pub trace: Option<TraceId>,
    /// Its ordering key.
    pub group: Option<GroupId>,
    /// A JSON text, or empty.
    pub data: Bytes,
    /// When it was emitted.
    pub emitted: Timestamp,
    /// When it may run.
    pub due: Timestamp,
    /// Why it is a dead letter, if it is one.
    pub dead: Option<Failure>,
}

/// What was taken in. What was there already is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Values of state.
    pub values: usize,
    /// Items of streams.
    pub items: usize,
    /// Events that wait.
    pub events: usize,
    /// Dead letters.
    pub dead: usize,
    /// What was there already.
    pub known: usize,
}

/// A store that takes data in. Dropped before [`finish`](Self::finish), it has taken nothing.
pub struct Adoption {
    opened: Opened,
    file: PathBuf,
    queues: Queues,
    now: Timestamp,
    trace_ids: Block,
    deliveries: Block,
    adopted: Adopted,
}

/// Numbers that nobody else gets.
struct Block {
    key: &'static str,
    next: u64,
    end: u64,
}

impl Adoption {
    /// Opens or creates the store. Fails while an engine runs.
    pub fn open(dir: &Path, now: Timestamp, report: &Reporter) -> std::result::Result<Self, OpenError> {
        let opened = open(dir, now, report)?;
        let file = dir.join(FILE);
        let sqlite = |source| OpenError::Sqlite { file: file.clone(), source };
        opened.connection.execute_batch("BEGIN IMMEDIATE").map_err(sqlite)?;
        let queues = Queues::look(&opened.connection).map_err(sqlite)?;
        let block = |key, next| Block { key, next, end: next + BLOCK };
        let (trace_ids, deliveries) = (block("trace_ids", opened.trace_ids), block("deliveries", opened.deliveries));
        Ok(Self { opened, file, queues, now, trace_ids, deliveries, adopted: Adopted::default() })
    }

    /// Takes one in.
    pub fn store(&mut self, left: Left) -> std::result::Result<(), OpenError> {
        self.add(left).map_err(|source| self.failed(source))
    }

    /// Keeps everything that was taken in; it is on disk then.
    pub fn finish(self) -> std::result::Result<Adopted, OpenError> {
        self.opened
            .connection
            .execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")
            .map_err(|source| self.failed(source))?;
        Ok(self.adopted)
    }

    fn failed(&self, source: rusqlite::Error) -> OpenError {
        OpenError::Sqlite { file: self.file.clone(), source }
    }

    fn add(&mut self, left: Left) -> Result<()> {
        let connection = &self.opened.connection;
        let (stored, kind) = match left {
            Left::State { joined, value } => (store_value(connection, &joined, &value)?, &mut self.adopted.values),
            Left::Item { stream, group, id, item } => {
                let created = created(&item, self.now).unwrap_or(self.now.as_millis());
                let stored = connection
                    .prepare_cached(
                        "INSERT OR IGNORE INTO stream_items (stream, grp, id, item, created) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute((stream, group, id, item, created))?;
                (stored, &mut self.adopted.items)
            }
            Left::Event(event) => return self.add_event(event),
        };
        *kind += stored;
        self.adopted.known += 1 - stored;
        Ok(())
    }

    fn add_event(&mut self, event: LeftEvent) -> Result<()> {
        let connection = &self.opened.connection;
        if !self.queues.first(connection, &event.name)? {
            self.adopted.known += 1;
            return Ok(());
        }
        let trace = match event.trace {
            Some(trace) => trace,
            None => TraceIds::new(self.opened.trace_key).nth(self.trace_ids.next(connection)?),
        };
        let delivery = Delivery {
            id: DeliveryId(self.deliveries.next(connection)?),
            step: event.step,
            topic: event.topic,
            trace,
            parent: None,
            group: event.group,
            priority: Priority::default(),
            data: event.data,
            emitted: event.emitted,
            failures: 0,
        };
        self.queues.insert(connection, &delivery, event.due, event.dead.as_ref())?;
        match event.dead {
            None => self.adopted.events += 1,
            Some(_) => self.adopted.dead += 1,
        }
        Ok(())
    }
}

impl Block {
    fn next(&mut self, connection: &rusqlite::Connection) -> Result<u64> {
        if self.next == self.end {
            self.next = reserve(connection, self.key)?;
            self.end = self.next + BLOCK;
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}
