//! `ctx.streams` on SQLite.
//!
//! | module | holds |
//! |---|---|
//! | `changes` | what changed lately, for watchers that were away |

pub(crate) mod changes;

use std::sync::Arc;

use bytes::Bytes;
use motia_core::update::UpdateError;
use motia_core::{Clock, GroupId, ItemKey, StreamName, Timestamp};
use motia_ports::streams::{
    Change, Epoch, ItemAddress, Observer, Offset, Position, Published, Revise, Snapshot, Stored, What,
};
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

impl SqliteStreams {
    /// Changes items in one transaction; observers are told of it once it is committed.
    fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Writing<'_>, &mut Vec<Published>) -> Result<T> + Send + 'static,
    ) -> Write<T> {
        let (special, offsets, observers) =
            (Arc::clone(&self.special), self.offsets.clone(), Arc::clone(&self.observers));
        let now = self.clock.now();
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                let mut published = Vec::new();
                let writing = Writing { connection, special: &special, offsets: &offsets, now };
                Ok((act(&writing, &mut published)?, published))
            },
            move |_, (_, published)| published.iter().for_each(|published| tell(&observers, published)),
        );
        Write { mark, done: Box::pin(async move { done.await.map(|(outcome, _)| outcome) }) }
    }
}

fn tell(observers: &Observers, what: &Published) {
    for observer in &*observers.read() {
        observer(what.clone());
    }
}

/// A transaction that changes items.
struct Writing<'a> {
    connection: &'a Connection,
    special: &'a Special,
    offsets: &'a Sequence,
    now: Timestamp,
}

impl Writing<'_> {
    fn set(
        &self,
        address: ItemAddress,
        item: Bytes,
        created: Timestamp,
        published: &mut Vec<Published>,
    ) -> Result<Change> {
        let change = store(self.connection, self.special, &address, &item, created)?;
        let offset = Offset(self.offsets.next());
        let what = match change {
            Change::Created => What::Created(offset, item),
            Change::Updated => What::Updated(offset, item),
        };
        self.record(address, what, published)?;
        Ok(change)
    }

    fn delete(&self, address: ItemAddress, published: &mut Vec<Published>) -> Result<Option<Bytes>> {
        let Some(removed) = remove(self.connection, self.special, &address)? else { return Ok(None) };
        let what = What::Deleted(Offset(self.offsets.next()), removed.clone());
        self.record(address, what, published)?;
        Ok(Some(removed))
    }

    fn record(&self, address: ItemAddress, what: What, published: &mut Vec<Published>) -> Result<()> {
        changes::record(self.connection, &address, &what, self.now)?;
        let ItemAddress { stream, group, id } = address;
        published.push(Published { stream, group, id: Some(id), what });
        Ok(())
    }
}

impl Streams for SqliteStreams {
    fn get(&self, after: Mark, address: ItemAddress) -> Pending<Option<Bytes>> {
        let special = Arc::clone(&self.special);
        self.reader.read(after, move |connection| item(connection, &special, &address))
    }

    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Stored> {
        self.change(move |writing, published| {
            let change = writing.set(address, item.clone(), created, published)?;
            Ok(Stored { change, item })
        })
    }

    fn update(&self, address: ItemAddress, revise: Revise) -> Write<std::result::Result<Option<Bytes>, UpdateError>> {
        self.change(move |writing, published| {
            let there = item(writing.connection, writing.special, &address)?;
            match revise(there.as_deref()) {
                Err(error) => Ok(Err(error)),
                Ok(None) => writing.delete(address, published).map(|_| Ok(None)),
                Ok(Some((item, created))) => {
                    writing.set(address, item.clone(), created, published)?;
                    Ok(Ok(Some(item)))
                }
            }
        })
    }

    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>> {
        self.change(move |writing, published| writing.delete(address, published))
    }

    fn clear(&self, stream: StreamName, group: GroupId) -> Write<usize> {
        self.change(move |writing, published| {
            let ids = ids(writing.connection, writing.special, &stream, &group)?;
            let mut count = 0;
            for id in ids {
                let address = ItemAddress { stream: stream.clone(), group: group.clone(), id };
                count += usize::from(writing.delete(address, published)?.is_some());
            }
            Ok(count)
        })
    }

    fn all(&self, stream: StreamName, id: Option<ItemKey>, most: usize) -> Pending<Vec<Bytes>> {
        let special = Arc::clone(&self.special);
        self.reader.read(Mark::NONE, move |connection| {
            let (id, limit) = (id.as_ref().map(ItemKey::as_str), i64::try_from(most).unwrap_or(i64::MAX));
            let mut items: Vec<(i64, Bytes)> = connection
                .prepare_cached(
                    "SELECT created, item FROM stream_items WHERE stream = ?1 AND (?2 IS NULL OR id = ?2)
                     ORDER BY created, rowid LIMIT ?3",
                )?
                .query_map((stream.as_str(), id, limit), |row| Ok((row.get(0)?, text(row, 1)?)))?
                .collect::<Result<_>>()?;
            if special.joined() {
                items.extend(joined::all_items(connection, &stream, id)?);
                items.sort_by_key(|(created, _)| *created);
                items.truncate(most);
            }
            Ok(items.into_iter().map(|(_, item)| item).collect())
        })
    }

    fn group(&self, after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>> {
        let special = Arc::clone(&self.special);
        self.reader.read(after, move |connection| items(connection, &special, &stream, &group))
    }

    fn send(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>, message: Bytes) -> Write<()> {
        let observers = Arc::clone(&self.observers);
        let published = Published { stream, group, id, what: What::Sent(message) };
        // Behind what was asked for before, on the thread that tells of it.
        self.writer.submit_then(|_| Ok(()), move |_, ()| tell(&observers, &published))
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

/// The ids of a group's items; of rows whose names may be of several, those that this group makes of them.
fn ids(connection: &Connection, special: &Special, stream: &StreamName, group: &GroupId) -> Result<Vec<ItemKey>> {
    let mut ids: Vec<ItemKey> = connection
        .prepare_cached("SELECT id FROM stream_items WHERE stream = ?1 AND grp = ?2 ORDER BY created, rowid")?
        .query_map((stream.as_str(), group.as_str()), |row| Ok(row.get::<_, String>(0)?.into()))?
        .collect::<Result<_>>()?;
    if special.joined() {
        ids.extend(joined::item_ids(connection, stream, group)?);
    }
    Ok(ids)
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
