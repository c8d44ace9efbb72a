//! What changed in a group lately: enough for a watcher whose connection broke, not a history for ever.

use bytes::Bytes;
use motia_core::{GroupId, StreamName, Timestamp};
use motia_ports::streams::{Epoch, ItemAddress, Offset, Position, Published, What};
use rusqlite::{Connection, OptionalExtension};

use super::Result;
use crate::state::{json, text};

/// About how many bytes of changes a group keeps.
const KEPT: i64 = 1 << 20;
/// What a change takes besides its item.
const ROW: i64 = 200;

/// A change of an item, in the transaction that makes it.
pub(super) fn record(connection: &Connection, address: &ItemAddress, what: &What, at: Timestamp) -> Result<()> {
    let (kind, offset, item) = match what {
        What::Created(offset, item) => (0, offset, item),
        What::Updated(offset, item) => (1, offset, item),
        What::Deleted(offset, item) => (2, offset, item),
        What::Sent(_) => return Ok(()),
    };
    let (stream, group, change) = (address.stream.as_str(), address.group.as_str(), offset.0.cast_signed());
    connection
        .prepare_cached(
            "INSERT INTO stream_changes (stream, grp, change, id, kind, at, item) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((stream, group, change, address.id.as_str(), kind, at.as_millis(), json(item)?))?;
    let added = ROW + i64::try_from(item.len()).unwrap_or(i64::MAX);
    // Of a group that is not known, there is no change that was not forgotten.
    let bytes: i64 = connection
        .prepare_cached(
            "INSERT INTO stream_groups (stream, grp, last, dropped, bytes)
                 VALUES (?1, ?2, ?3, (SELECT value FROM meta WHERE key = 'changes_forgotten'), ?4)
             ON CONFLICT DO UPDATE SET last = ?3, bytes = bytes + ?4 RETURNING bytes",
        )?
        .query_row((stream, group, change, added), |row| row.get(0))?;
    if bytes > KEPT { drop_oldest(connection, stream, group, bytes) } else { Ok(()) }
}

/// Lets the oldest changes of a group go until the others fit.
fn drop_oldest(connection: &Connection, stream: &str, group: &str, mut bytes: i64) -> Result<()> {
    let mut dropped = None;
    while bytes > KEPT {
        let oldest: Option<(i64, i64)> = connection
            .prepare_cached(
                "DELETE FROM stream_changes WHERE stream = ?1 AND grp = ?2 AND change =
                     (SELECT min(change) FROM stream_changes WHERE stream = ?1 AND grp = ?2)
                 RETURNING change, octet_length(item)",
            )?
            .query_row((stream, group), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((change, length)) = oldest else { break };
        bytes -= ROW + length;
        dropped = Some(change);
    }
    if let Some(dropped) = dropped {
        connection
            .prepare_cached("UPDATE stream_groups SET dropped = ?3, bytes = ?4 WHERE stream = ?1 AND grp = ?2")?
            .execute((stream, group, dropped, bytes.max(0)))?;
    }
    Ok(())
}

/// Lets changes go that are older than `before`, at most so many; answers with how many. Groups of which nothing is left are forgotten.
pub(crate) fn drop_old(connection: &Connection, before: Timestamp, most: usize) -> Result<usize> {
    let old: Vec<(String, String, i64, i64)> = connection
        .prepare_cached("SELECT stream, grp, change, octet_length(item) FROM stream_changes WHERE at <= ?1 LIMIT ?2")?
        .query_map((before.as_millis(), i64::try_from(most).unwrap_or(i64::MAX)), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_>>()?;
    for (stream, group, change, length) in &old {
        connection
            .prepare_cached("DELETE FROM stream_changes WHERE stream = ?1 AND grp = ?2 AND change = ?3")?
            .execute((stream, group, change))?;
        connection
            .prepare_cached(
                "UPDATE stream_groups SET dropped = max(dropped, ?3), bytes = max(bytes - ?4, 0) WHERE stream = ?1 AND grp = ?2",
            )?
            .execute((stream, group, change, ROW + length))?;
        let forgotten: Option<i64> = connection
            .prepare_cached(
                "DELETE FROM stream_groups WHERE stream = ?1 AND grp = ?2 AND dropped >= last RETURNING last",
            )?
            .query_row((stream, group), |row| row.get(0))
            .optional()?;
        if let Some(last) = forgotten {
            connection
                .prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE key = 'changes_forgotten'")?
                .execute([last])?;
        }
    }
    Ok(old.len())
}

/// How many epochs are known: one for each start.
const EPOCHS: i64 = 1000;

/// A process has the store from now on.
pub(crate) fn begin_epoch(connection: &Connection) -> Result<Epoch> {
    let id: String = connection.query_row(
        "INSERT INTO stream_epochs (id, began) VALUES (lower(hex(randomblob(8))),
             max((SELECT coalesce(max(last), 0) FROM stream_groups), (SELECT value FROM meta WHERE key = 'changes_forgotten')))
         RETURNING id",
        [],
        |row| row.get(0),
    )?;
    connection.execute(
        "DELETE FROM stream_epochs WHERE ordinal <= (SELECT max(ordinal) FROM stream_epochs) - ?1",
        [EPOCHS],
    )?;
    Ok(id.into())
}

/// Whether everything that was heard of up to a position is still so.
fn holds(connection: &Connection, position: &Position) -> Result<bool> {
    // None: the epoch is not known. NULL: it is the newest.
    let next: Option<Option<i64>> = connection
        .prepare_cached(
            "SELECT (SELECT next.began FROM stream_epochs AS next WHERE next.ordinal > epoch.ordinal ORDER BY next.ordinal LIMIT 1)
             FROM stream_epochs AS epoch WHERE id = ?1",
        )?
        .query_row([position.epoch.as_str()], |row| row.get(0))
        .optional()?;
    Ok(next.is_some_and(|next| next.is_none_or(|began| position.offset.0.cast_signed() <= began)))
}

fn forgotten(connection: &Connection) -> Result<i64> {
    connection.prepare_cached("SELECT value FROM meta WHERE key = 'changes_forgotten'")?.query_row([], |row| row.get(0))
}

/// The last change of a group; of one of which none is kept, none is later than this.
pub(super) fn last(connection: &Connection, stream: &StreamName, group: &GroupId) -> Result<Offset> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT last FROM stream_groups WHERE stream = ?1 AND grp = ?2")?
        .query_row((stream.as_str(), group.as_str()), |row| row.get(0))
        .optional()?;
    let last = match last {
        Some(last) => last,
        None => forgotten(connection)?,
    };
    Ok(Offset(last.cast_unsigned()))
}

/// The changes of a group after a position, if all of them are kept.
pub(super) fn since(
    connection: &Connection,
    stream: &StreamName,
    group: &GroupId,
    position: &Position,
) -> Result<Option<Vec<Published>>> {
    if !holds(connection, position)? {
        return Ok(None);
    }
    let known: Option<(i64, i64)> = connection
        .prepare_cached("SELECT dropped, last FROM stream_groups WHERE stream = ?1 AND grp = ?2")?
        .query_row((stream.as_str(), group.as_str()), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let offset = position.offset.0.cast_signed();
    let Some((dropped, last)) = known else {
        // Where it was told of the group, it was told this number. A later one is not from here.
        return Ok((offset == forgotten(connection)?).then(Vec::new));
    };
    if offset < dropped || offset > last.max(forgotten(connection)?) {
        return Ok(None);
    }
    connection
        .prepare_cached(
            "SELECT change, id, kind, item FROM stream_changes WHERE stream = ?1 AND grp = ?2 AND change > ?3 ORDER BY change",
        )?
        .query_map((stream.as_str(), group.as_str(), offset), |row| {
            let change = Offset(row.get::<_, i64>(0)?.cast_unsigned());
            let item: Bytes = text(row, 3)?;
            let what = match row.get::<_, i64>(2)? {
                0 => What::Created(change, item),
                1 => What::Updated(change, item),
                _ => What::Deleted(change, item),
            };
            let id = Some(row.get::<_, String>(1)?.into());
            Ok(Published { stream: stream.clone(), group: group.clone(), id, what })
        })?
        .collect::<Result<Vec<_>>>()
        .map(Some)
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
