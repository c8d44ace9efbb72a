//! `ctx.streams` (L761-L840): items by stream, group and id.

use bytes::Bytes;
use motia_core::{GroupId, ItemKey, StreamName, Timestamp};

use crate::{Mark, Pending, Write};

/// Where an item lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemAddress {
    /// The stream.
    pub stream: StreamName,
    /// The group.
    pub group: GroupId,
    /// The item.
    pub id: ItemKey,
}

/// What a `set` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The item is new.
    Created,
    /// It replaced one.
    Updated,
}

/// Items by stream, group and id. An item is a JSON text that the backend never looks into.
///
/// 1. Streams, groups and ids are any text.
/// 2. `group` returns the items in the order of their `created` time, then of their first `set`.
/// 3. A read sees every write with a mark up to `after`, and everything that was answered before it was called.
pub trait Streams: Send + Sync + 'static {
    /// The item, if there.
    fn get(&self, after: Mark, address: ItemAddress) -> Pending<Option<Bytes>>;
    /// Stores the item. `created` is its `_createdAt`.
    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Change>;
    /// Removes the item and returns it.
    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>>;
    /// All items of a group.
    fn group(&self, after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>>;
}
