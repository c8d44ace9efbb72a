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
use motia_core::stream::created_at;
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

/// When an item was created. None, if it is no item.
fn created(item: &str, now: Timestamp) -> Option<i64> {
    let item = RawObject::parse(item.as_bytes())?;
    Some(created_at(&item).unwrap_or(now).as_millis())
}
