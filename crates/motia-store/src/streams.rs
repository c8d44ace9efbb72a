//! `ctx.streams` on SQLite.

use std::sync::Arc;

use bytes::Bytes;
use motia_core::{GroupId, StreamName, Timestamp};
use motia_ports::streams::{Change, ItemAddress};
use motia_ports::{Mark, Pending, Streams, Write};
use rusqlite::OptionalExtension;

use crate::joined;
use crate::reader::Reader;
use crate::state::{Special, json, text};
use crate::writer::Writer;

pub(crate) struct SqliteStreams {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) special: Arc<Special>,
}

fn key(address: &ItemAddress) -> (&str, &str, &str) {
    (address.stream.as_str(), address.group.as_str(), address.id.as_str())
}

impl Streams for SqliteStreams {
    fn get(&self, after: Mark, address: ItemAddress) -> Pending<Option<Bytes>> {
        let special = Arc::clone(&self.special);
        self.reader.read(after, move |connection| {
            let found = connection
                .prepare_cached("SELECT item FROM stream_items WHERE stream = ?1 AND grp = ?2 AND id = ?3")?
                .query_row(key(&address), |row| text(row, 0))
                .optional()?;
            if found.is_some() || !special.joined() {
                return Ok(found);
            }
            joined::item(connection, &address.stream, &address.group, &address.id)
        })
    }

    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Change> {
        let special = Arc::clone(&self.special);
        self.writer.submit_atomic(
            move |connection| {
                let joined =
                    special.joined() && joined::forget_item(connection, &address.stream, &address.group, &address.id)?;
                let (stream, group, id) = key(&address);
                let (item, created) = (json(&item)?, created.as_millis());
                let updated = connection
                    .prepare_cached(
                        "UPDATE stream_items SET item = ?4, created = ?5 WHERE stream = ?1 AND grp = ?2 AND id = ?3",
                    )?
                    .execute((stream, group, id, item, created))?;
                if updated > 0 {
                    return Ok(Change::Updated);
                }
                connection
                    .prepare_cached(
                        "INSERT INTO stream_items (stream, grp, id, item, created) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute((stream, group, id, item, created))?;
                Ok(if joined { Change::Updated } else { Change::Created })
            },
            |_, _| {},
        )
    }

    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>> {
        let special = Arc::clone(&self.special);
        self.writer.submit_atomic(
            move |connection| {
                let mut joined = None;
                if special.joined() {
                    joined = joined::item(connection, &address.stream, &address.group, &address.id)?;
                    joined::forget_item(connection, &address.stream, &address.group, &address.id)?;
                }
                let removed = connection
                    .prepare_cached(
                        "DELETE FROM stream_items WHERE stream = ?1 AND grp = ?2 AND id = ?3 RETURNING item",
                    )?
                    .query_row(key(&address), |row| text(row, 0))
                    .optional()?;
                Ok(removed.or(joined))
            },
            |_, _| {},
        )
    }

    fn group(&self, after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>> {
        let special = Arc::clone(&self.special);
        self.reader.read(after, move |connection| {
            let mut items: Vec<(i64, Bytes)> = connection
                .prepare_cached(
                    "SELECT created, item FROM stream_items WHERE stream = ?1 AND grp = ?2 ORDER BY created, rowid",
                )?
                .query_map((stream.as_str(), group.as_str()), |row| Ok((row.get(0)?, text(row, 1)?)))?
                .collect::<Result<_, _>>()?;
            if special.joined() {
                items.extend(joined::items(connection, &stream, &group)?);
                items.sort_by_key(|(created, _)| *created);
            }
            Ok(items.into_iter().map(|(_, item)| item).collect())
        })
    }
}
