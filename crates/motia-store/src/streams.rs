//! `ctx.streams` on SQLite.
//!
//! | module | holds |
//! |---|---|
//! | `changes` | what changed lately, for watchers that were away |

pub(crate) mod changes;

use std::sync::Arc;

use bytes::Bytes;
use motia_core::{Clock, GroupId, ItemKey, StreamName, Timestamp};
use motia_ports::streams::{Change, Epoch, ItemAddress, Observer, Offset, Position, Published, Snapshot, What};
use motia_ports::{Mark, Pending, Streams, Write};
use parking_lot::RwLock;
use rusqlite::{Connection, OptionalExtension};

use crate::joined;
use crate::reader::Reader;
use crate::sequence::Sequence;
use crate::state::{Special, json, text};
use crate::writer::Writer;

type Result<T> = std::result::Result<T, rusqlite::Error>;

/// A handle on the streams.
#[derive(Clone)]
pub(crate) struct SqliteStreams {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) special: Arc<Special>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Numbers of changes.
    pub(crate) offsets: Sequence,
    pub(crate) observers: Observers,
    pub(crate) epoch: Epoch,
    /// What was stored before this process.
    pub(crate) stamped_until: Timestamp,
}

/// Those who are told of changes.
pub(crate) type Observers = Arc<RwLock<Vec<Observer>>>;

fn key(address: &ItemAddress) -> (&str, &str, &str) {
    (address.stream.as_str(), address.group.as_str(), address.id.as_str())
}

fn published(address: ItemAddress, what: What) -> Published {
    Published { stream: address.stream, group: address.group, id: Some(address.id), what }
}

impl SqliteStreams {
    fn tell(observers: &Observers, what: &Published) {
        for observer in &*observers.read() {
            observer(what.clone());
        }
    }
}

impl Streams for SqliteStreams {
    fn get(&self, after: Mark, address: ItemAddress) -> Pending<Option<Bytes>> {
        let special = Arc::clone(&self.special);
        self.reader.read(after, move |connection| item(connection, &special, &address))
    }

    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Change> {
        let (special, offsets, observers) =
            (Arc::clone(&self.special), self.offsets.clone(), Arc::clone(&self.observers));
        let now = self.clock.now();
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                let change = store(connection, &special, &address, &item, created)?;
                let offset = Offset(offsets.next());
                let what = match change {
                    Change::Created => What::Created(offset, item),
                    Change::Updated => What::Updated(offset, item),
                };
                changes::record(connection, &address, &what, now)?;
                Ok((change, published(address, what)))
            },
            move |_, (_, published)| Self::tell(&observers, published),
        );
        Write { mark, done: Box::pin(async move { done.await.map(|(change, _)| change) }) }
    }

    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>> {
        let (special, offsets, observers) =
            (Arc::clone(&self.special), self.offsets.clone(), Arc::clone(&self.observers));
        let now = self.clock.now();
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                let Some(removed) = remove(connection, &special, &address)? else { return Ok(None) };
                let what = What::Deleted(Offset(offsets.next()), removed.clone());
                changes::record(connection, &address, &what, now)?;
                Ok(Some((removed, published(address, what))))
            },
            move |_, removed| {
                if let Some((_, published)) = removed {
                    Self::tell(&observers, published);
                }
            },
        );
        Write { mark, done: Box::pin(async move { done.await.map(|removed| removed.map(|(item, _)| item)) }) }
    }

    fn group(&self, after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>> {
        let special = Arc::clone(&self.special);
        self.reader.read(after, move |connection| items(connection, &special, &stream, &group))
    }

    fn send(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>, message: Bytes) -> Write<()> {
        let observers = Arc::clone(&self.observers);
        let published = Published { stream, group, id, what: What::Sent(message) };
        // Behind what was asked for before, on the thread that tells of it.
        self.writer.submit_then(|_| Ok(()), move |_, ()| Self::tell(&observers, &published))
    }

    fn snapshot(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>) -> Pending<Snapshot> {
        let special = Arc::clone(&self.special);
        self.reader.read(Mark::NONE, move |connection| {
            // One transaction: the items are those of the offset.
            let transaction = connection.unchecked_transaction()?;
            let upto = changes::last(&transaction, &stream, &group)?;
            let items = match id {
                None => items(&transaction, &special, &stream, &group)?,
                Some(id) => Vec::from_iter(item(&transaction, &special, &ItemAddress { stream, group, id })?),
            };
            Ok(Snapshot { upto, items })
        })
    }

    fn epoch(&self) -> Epoch {
        self.epoch.clone()
    }

    fn since(&self, stream: StreamName, group: GroupId, position: Position) -> Pending<Option<Vec<Published>>> {
        self.reader.read(Mark::NONE, move |connection| {
            let transaction = connection.unchecked_transaction()?;
            changes::since(&transaction, &stream, &group, &position)
        })
    }

    fn stamped_until(&self) -> Timestamp {
        self.stamped_until
    }

    fn stamp_until(&self, at: Timestamp) -> Write<()> {
        self.writer.submit(move |connection| {
            connection
                .prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE key = 'stream_stamps'")?
                .execute([at.as_millis()])
                .map(|_| ())
        })
    }

    fn observe(&self, observer: Observer) {
        self.observers.write().push(observer);
    }
}

fn item(connection: &Connection, special: &Special, address: &ItemAddress) -> Result<Option<Bytes>> {
    let found = connection
        .prepare_cached("SELECT item FROM stream_items WHERE stream = ?1 AND grp = ?2 AND id = ?3")?
        .query_row(key(address), |row| text(row, 0))
        .optional()?;
    if found.is_some() || !special.joined() {
        return Ok(found);
    }
    joined::item(connection, &address.stream, &address.group, &address.id)
}

fn items(connection: &Connection, special: &Special, stream: &StreamName, group: &GroupId) -> Result<Vec<Bytes>> {
    let mut items: Vec<(i64, Bytes)> = connection
        .prepare_cached(
            "SELECT created, item FROM stream_items WHERE stream = ?1 AND grp = ?2 ORDER BY created, rowid",
        )?
        .query_map((stream.as_str(), group.as_str()), |row| Ok((row.get(0)?, text(row, 1)?)))?
        .collect::<Result<_>>()?;
    if special.joined() {
        items.extend(joined::items(connection, stream, group)?);
        items.sort_by_key(|(created, _)| *created);
    }
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

fn store(
    connection: &Connection,
    special: &Special,
    address: &ItemAddress,
    item: &Bytes,
    created: Timestamp,
) -> Result<Change> {
    let joined = special.joined() && joined::forget_item(connection, &address.stream, &address.group, &address.id)?;
    let (stream, group, id) = key(address);
    let (item, created) = (json(item)?, created.as_millis());
    let updated = connection
        .prepare_cached("UPDATE stream_items SET item = ?4, created = ?5 WHERE stream = ?1 AND grp = ?2 AND id = ?3")?
        .execute((stream, group, id, item, created))?;
    if updated > 0 {
        return Ok(Change::Updated);
    }
    connection
        .prepare_cached("INSERT INTO stream_items (stream, grp, id, item, created) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((stream, group, id, item, created))?;
    Ok(if joined { Change::Updated } else { Change::Created })
}

fn remove(connection: &Connection, special: &Special, address: &ItemAddress) -> Result<Option<Bytes>> {
    let mut joined = None;
    if special.joined() {
        joined = joined::item(connection, &address.stream, &address.group, &address.id)?;
        joined::forget_item(connection, &address.stream, &address.group, &address.id)?;
    }
    let removed = connection
        .prepare_cached("DELETE FROM stream_items WHERE stream = ?1 AND grp = ?2 AND id = ?3 RETURNING item")?
        .query_row(key(address), |row| text(row, 0))
        .optional()?;
    Ok(removed.or(joined))
}
