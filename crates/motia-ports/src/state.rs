//! `ctx.state` (L669-L757): values by group and key.

use bytes::Bytes;
use motia_core::{GroupId, ItemKey};

use crate::{Mark, Pending, Write};

/// Values by group and key. A value is a JSON text that the backend never looks into.
///
/// 1. Groups and keys are any text; `("a", "b:c")` and `("a:b", "c")` are different places.
/// 2. `set` replaces; `delete` and `clear` of what is not there are fine.
/// 3. `group` returns the values in the order in which their keys were first set.
/// 4. A read sees every write with a mark up to `after`, and everything that was answered before it was called.
pub trait State: Send + Sync + 'static {
    /// The value, if there.
    fn get(&self, after: Mark, group: GroupId, key: ItemKey) -> Pending<Option<Bytes>>;
    /// Stores the value.
    fn set(&self, group: GroupId, key: ItemKey, value: Bytes) -> Write<()>;
    /// Removes the value and returns it.
    fn delete(&self, group: GroupId, key: ItemKey) -> Write<Option<Bytes>>;
    /// All values of a group.
    fn group(&self, after: Mark, group: GroupId) -> Pending<Vec<Bytes>>;
    /// Removes all values of a group.
    fn clear(&self, group: GroupId) -> Write<()>;
}
