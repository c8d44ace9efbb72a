//! Data of the original.
//!
//! | module | holds |
//! |---|---|
//! | `files` | what it kept in files beside our store; read at every start, each file once |
//! | `adoption` | what somebody else has read, from its Redis: `motia import` |
//!
//! Names in it are `<group>:<key>` in one piece; [`crate::joined`] says how they are read. What this store has under a name already is
//! newer, and stays.

mod adoption;
mod files;

pub use adoption::{Adopted, Adoption, Left, LeftEvent};
pub(crate) use files::import;

use motia_core::Timestamp;
use motia_core::raw::RawObject;
use rusqlite::Connection;

type Result<T> = std::result::Result<T, rusqlite::Error>;

/// Stores a value of state, unless there is one. Answers how many were stored.
fn store_value(connection: &Connection, joined: &str, value: &str) -> Result<usize> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO joined_state (joined, value) SELECT ?1, ?2
             WHERE NOT EXISTS (SELECT 1 FROM state WHERE grp || ':' || key = ?1)",
        )?
        .execute((joined, value))
}

/// When an item says that it was created.
fn created(item: &str, now: Timestamp) -> Option<i64> {
    let item = RawObject::parse(item.as_bytes())?;
    let created = item.get("_createdAt").and_then(|raw| raw.get().parse::<f64>().ok());
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds; what is beyond them is cut off")]
    Some(created.map_or(now.as_millis(), |created| created as i64))
}
