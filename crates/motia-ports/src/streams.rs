//! `ctx.streams` (L761-L840): items by stream, group and id, and what changes in them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use motia_core::query::Query;
use motia_core::update::UpdateError;
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

/// An item that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What that did.
    pub change: Change,
    /// The item as it is kept: the one that was given, unless the storage makes another one of it.
    pub item: Bytes,
}

/// The number of a change: it grows with every change of any stream, and none is given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

/// The process that numbers changes, or a time of it: after a fault, numbers may stand for other changes than those that were heard of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// As clients know it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for Epoch {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

/// How far a watcher has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The epoch that it heard of last.
    pub epoch: Epoch,
    /// The last change of the group that it heard of.
    pub offset: Offset,
}

/// What those who watch a group are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The stream.
    pub stream: StreamName,
    /// The group.
    pub group: GroupId,
    /// The item; none for a message to the whole group.
    pub id: Option<ItemKey>,
    /// What happened.
    pub what: What,
}

/// What happened in a group. Items are JSON texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An item is new.
    Created(Offset, Bytes),
    /// An item was replaced: the new one.
    Updated(Offset, Bytes),
    /// An item was removed: the old one.
    Deleted(Offset, Bytes),
    /// A message, `{"type": …, "data": …}`. It is not kept.
    Sent(Bytes),
}

impl What {
    /// The item, or the message.
    pub fn text(&self) -> &Bytes {
        match self {
            Self::Created(_, text) | Self::Updated(_, text) | Self::Deleted(_, text) | Self::Sent(text) => text,
        }
    }

    /// The change's number, if it is one.
    pub fn offset(&self) -> Option<Offset> {
        match self {
            Self::Created(offset, _) | Self::Updated(offset, _) | Self::Deleted(offset, _) => Some(*offset),
            Self::Sent(_) => None,
        }
    }
}

/// A group, or an item of it, as it was at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The group's changes up to this one are in it, and none that came later.
    pub upto: Offset,
    /// The items, in the order of their `created` time; of an item that one, if it is there.
    pub items: Vec<Bytes>,
}

/// What an update makes of an item: the new one with its `created` time, or none if it goes. It has no effect of its own, and may be asked
/// again where somebody else was quicker.
pub type Revise = Arc<dyn Fn(Option<&[u8]>) -> Result<Option<(Bytes, Timestamp)>, UpdateError> + Send + Sync>;

/// Told of everything that is published. Must be quick: writes wait for it.
pub type Observer = Arc<dyn Fn(Published) + Send + Sync>;

/// Items by stream, group and id. An item is a JSON text that the backend never looks into.
///
/// 1. Streams, groups and ids are any text.
/// 2. `group` returns the items in the order of their `created` time, then of their first `set`.
/// 3. A read sees every write with a mark up to `after`, and everything that was answered before it was called.
/// 4. Every `set`, and every `delete` of an item that is there, is a change with an [`Offset`].
/// 5. Observers are told of each change once, after its commit and before it is answered, those of a group in the order of their offsets; of a
///    `send` after the changes that were asked for before it.
/// 6. `update` is one step: two at a time never lose one of them. What it does is a change like those of `set` and `delete`.
/// 7. `since` answers with all changes of a group after a position, in order, or with `None` where not all of them are kept, or where
///    something that was heard of up to there has been taken back.
pub trait Streams: Send + Sync + 'static {
    /// The item, if there.
    fn get(&self, after: Mark, address: ItemAddress) -> Pending<Option<Bytes>>;
    /// Stores the item. `created` is its `_createdAt`.
    fn set(&self, address: ItemAddress, item: Bytes, created: Timestamp) -> Write<Stored>;
    /// Makes another item of the one that is there; answers with what is there then. One that cannot be made is no failure of the backend.
    fn update(&self, address: ItemAddress, revise: Revise) -> Write<Result<Option<Bytes>, UpdateError>>;
    /// Removes the item and returns it.
    fn delete(&self, address: ItemAddress) -> Write<Option<Bytes>>;
    /// All items of a group.
    fn group(&self, after: Mark, stream: StreamName, group: GroupId) -> Pending<Vec<Bytes>>;
    /// Those items of a group that a query is about, in its order.
    fn query(&self, after: Mark, stream: StreamName, group: GroupId, query: Query) -> Pending<Vec<Bytes>> {
        let group = self.group(after, stream, group);
        async move { Ok(query.choose(group.await?)) }.boxed()
    }
    /// Removes all items of a group, each as `delete` does; answers with how many.
    fn clear(&self, stream: StreamName, group: GroupId) -> Write<usize>;
    /// Items of all groups, in the order of `created`, at most so many; with `id` those that have it.
    fn all(&self, stream: StreamName, id: Option<ItemKey>, most: usize) -> Pending<Vec<Bytes>>;
    /// Tells whoever watches the group, or the item. Nothing is kept.
    fn send(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>, message: Bytes) -> Write<()>;
    /// A group, or with `id` one item of it, with the offset that it belongs to.
    fn snapshot(&self, stream: StreamName, group: GroupId, id: Option<ItemKey>) -> Pending<Snapshot>;
    /// Whether the stream's items are elsewhere, so that reads of it may take long. Snapshots that wait for the same thing are then one.
    fn is_remote(&self, _stream: &StreamName) -> bool {
        false
    }
    /// What changes from now on belongs to this one.
    fn epoch(&self) -> Epoch;
    /// What changed in a group after a position.
    fn since(&self, stream: StreamName, group: GroupId, position: Position) -> Pending<Option<Vec<Published>>>;
    /// The time after which no message was ever stamped, as [`Streams::stamp_until`] said last before this process.
    fn stamped_until(&self) -> Timestamp;
    /// Remembers that messages may be stamped up to this time.
    fn stamp_until(&self, at: Timestamp) -> Write<()>;
    /// From now on this one is told too.
    fn observe(&self, observer: Observer);
}
