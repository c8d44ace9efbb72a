//! `ctx.streams` on SQLite.

use bytes::Bytes;
use motia_core::{GroupId, StreamName, Timestamp};
use motia_ports::streams::{Change, ItemAddress};
use motia_ports::{Mark, Pending, Streams, Write};
use rusqlite::OptionalExtension;

use crate::reader::Reader;
use crate::state::{json, text};
use crate::writer::Writer;

pub(crate) struct SqliteStreams {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
}

fn key(address: &ItemAddress) -> (&str, &str, &str) {
    (address.stream.as_str(), address.group.as_str(), address.id.as_str())
}

impl Streams for SqliteStreams {
    fn get(&self, after: Mark, address: ItemAddress) -> Pending<Option<Bytes>> {
        self.reader.read(after, move |connection| {
            connection
                .prepare_cached("SELECT item FROM stream_items WHERE stream = ?1 AND grp = ?2 AND id = ?3")?
                .query_row(key(&address), |row| text(row, 0))
                .optional()
        })
    }

    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Change> {
        self.writer.submit_atomic(
            move |connection| {
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
                Ok(Change::Created)
            },
            |_| {},
        )
    }

    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>> {
        self.writer.submit(move |connection| {
            connection
                .prepare_cached("DELETE FROM stream_items WHERE stream = ?1 AND grp = ?2 AND id = ?3 RETURNING item")?
                .query_row(key(&address), |row| text(row, 0))
                .optional()
        })
    }

    fn group(&self, after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>> {
        self.reader.read(after, move |connection| {
            connection
                .prepare_cached("SELECT item FROM stream_items WHERE stream = ?1 AND grp = ?2 ORDER BY created, rowid")?
                .query_map((stream.as_str(), group.as_str()), |row| text(row, 0))?
                .collect()
        })
    }
}
