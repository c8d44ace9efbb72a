//! Data of the original whose keys are `<group>:<key>` in one piece. Where the group ends cannot be told, so such a row answers to every
//! group and key that make its name together, until it is written for the first time (design.md section 6).

use bytes::Bytes;
use motia_core::{GroupId, ItemKey, StreamName};
use rusqlite::{Connection, OptionalExtension};

use crate::state::text;

type Result<T> = std::result::Result<T, rusqlite::Error>;

fn join(group: &GroupId, key: &ItemKey) -> String {
    format!("{group}:{key}")
}

/// The names that begin with a group, as a range: from `<group>:` to what comes behind all of them.
fn range(group: &GroupId) -> (String, String) {
    (format!("{group}:"), format!("{group};"))
}

/// A value of state.
pub(crate) fn value(connection: &Connection, group: &GroupId, key: &ItemKey) -> Result<Option<Bytes>> {
    connection
        .prepare_cached("SELECT value FROM joined_state WHERE joined = ?1")?
        .query_row([join(group, key)], |row| text(row, 0))
        .optional()
}

/// It is written anew, or removed.
pub(crate) fn forget(connection: &Connection, group: &GroupId, key: &ItemKey) -> Result<()> {
    connection.prepare_cached("DELETE FROM joined_state WHERE joined = ?1")?.execute([join(group, key)]).map(|_| ())
}

/// The keys and values that may be of a group, in the order in which they were imported.
pub(crate) fn group(connection: &Connection, group: &GroupId) -> Result<Vec<(ItemKey, Bytes)>> {
    let (from, to) = range(group);
    connection
        .prepare_cached(
            "SELECT substr(joined, length(?1) + 1), value FROM joined_state WHERE joined >= ?1 AND joined < ?2 ORDER BY rowid",
        )?
        .query_map((from, to), |row| Ok((row.get::<_, String>(0)?.into(), text(row, 1)?)))?
        .collect()
}

/// Removes what may be of a group.
pub(crate) fn clear(connection: &Connection, group: &GroupId) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM joined_state WHERE joined >= ?1 AND joined < ?2")?
        .execute(range(group))
        .map(|_| ())
}

/// The groups, if they end at the first `:`.
pub(crate) fn groups(connection: &Connection) -> Result<Vec<GroupId>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT substr(joined, 1, instr(joined, ':') - 1) FROM joined_state WHERE instr(joined, ':') > 0",
        )?
        .query_map([], |row| Ok(row.get::<_, String>(0)?.into()))?
        .collect()
}

/// An item of a stream.
pub(crate) fn item(
    connection: &Connection,
    stream: &StreamName,
    group: &GroupId,
    id: &ItemKey,
) -> Result<Option<Bytes>> {
    connection
        .prepare_cached("SELECT item FROM joined_items WHERE stream = ?1 AND joined = ?2")?
        .query_row((stream.as_str(), join(group, id)), |row| text(row, 0))
        .optional()
}

/// It is written anew, or removed; answers whether it was there.
pub(crate) fn forget_item(connection: &Connection, stream: &StreamName, group: &GroupId, id: &ItemKey) -> Result<bool> {
    let removed = connection
        .prepare_cached("DELETE FROM joined_items WHERE stream = ?1 AND joined = ?2")?
        .execute((stream.as_str(), join(group, id)))?;
    Ok(removed > 0)
}

/// The items that may be of a group, with their creation times.
pub(crate) fn items(connection: &Connection, stream: &StreamName, group: &GroupId) -> Result<Vec<(i64, Bytes)>> {
    let (from, to) = range(group);
    connection
        .prepare_cached(
            "SELECT created, item FROM joined_items WHERE stream = ?1 AND joined >= ?2 AND joined < ?3 ORDER BY created, rowid",
        )?
        .query_map((stream.as_str(), from, to), |row| Ok((row.get(0)?, text(row, 1)?)))?
        .collect()
}

/// The ids of the items that may be of a group.
pub(crate) fn item_ids(connection: &Connection, stream: &StreamName, group: &GroupId) -> Result<Vec<ItemKey>> {
    let (from, to) = range(group);
    connection
        .prepare_cached(
            "SELECT substr(joined, length(?2) + 1) FROM joined_items WHERE stream = ?1 AND joined >= ?2 AND joined < ?3 ORDER BY created, rowid",
        )?
        .query_map((stream.as_str(), from, to), |row| Ok(row.get::<_, String>(0)?.into()))?
        .collect()
}

/// The items of a stream, with their creation times; with `id` those that may have it.
pub(crate) fn all_items(connection: &Connection, stream: &StreamName, id: Option<&str>) -> Result<Vec<(i64, Bytes)>> {
    connection
        .prepare_cached(
            "SELECT created, item FROM joined_items WHERE stream = ?1 AND (?2 IS NULL OR substr(joined, -length(?2) - 1) = ':' || ?2)
             ORDER BY created, rowid",
        )?
        .query_map((stream.as_str(), id), |row| Ok((row.get(0)?, text(row, 1)?)))?
        .collect()
}
