//! `ctx.state` on SQLite.

use bytes::Bytes;
use motia_core::{GroupId, ItemKey};
use motia_ports::{Mark, Pending, State, Write};
use rusqlite::OptionalExtension;

use crate::reader::Reader;
use crate::writer::Writer;

pub(crate) struct SqliteState {
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
}

impl State for SqliteState {
    fn get(&self, after: Mark, group: GroupId, key: ItemKey) -> Pending<Option<Bytes>> {
        self.reader.read(after, move |connection| {
            connection
                .prepare_cached("SELECT value FROM state WHERE grp = ?1 AND key = ?2")?
                .query_row((group.as_str(), key.as_str()), |row| text(row, 0))
                .optional()
        })
    }

    fn set(&self, group: GroupId, key: ItemKey, value: Bytes) -> Write<()> {
        self.writer.submit(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO state (grp, key, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (grp, key) DO UPDATE SET value = excluded.value",
                )?
                .execute((group.as_str(), key.as_str(), json(&value)?))
                .map(|_| ())
        })
    }

    fn delete(&self, group: GroupId, key: ItemKey) -> Write<Option<Bytes>> {
        self.writer.submit(move |connection| {
            connection
                .prepare_cached("DELETE FROM state WHERE grp = ?1 AND key = ?2 RETURNING value")?
                .query_row((group.as_str(), key.as_str()), |row| text(row, 0))
                .optional()
        })
    }

    fn group(&self, after: Mark, group: GroupId) -> Pending<Vec<Bytes>> {
        self.reader.read(after, move |connection| {
            connection
                .prepare_cached("SELECT value FROM state WHERE grp = ?1 ORDER BY rowid")?
                .query_map([group.as_str()], |row| text(row, 0))?
                .collect()
        })
    }

    fn clear(&self, group: GroupId) -> Write<()> {
        self.writer.submit(move |connection| {
            connection.prepare_cached("DELETE FROM state WHERE grp = ?1")?.execute([group.as_str()]).map(|_| ())
        })
    }
}

/// A column of JSON text.
pub(crate) fn text(row: &rusqlite::Row<'_>, column: usize) -> Result<Bytes, rusqlite::Error> {
    Ok(Bytes::from(row.get::<_, String>(column)?.into_bytes()))
}

/// JSON as it is bound: text, so that it must be UTF-8.
pub(crate) fn json(bytes: &Bytes) -> Result<&str, rusqlite::Error> {
    std::str::from_utf8(bytes).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
