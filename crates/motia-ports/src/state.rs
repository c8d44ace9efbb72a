//! `ctx.state` (L669-L757): values by group and key.

use bytes::Bytes;
use motia_core::update::{Change, UpdateError};
use motia_core::{GroupId, ItemKey, Timestamp};

use crate::{Mark, Pending, Write};

/// Which write of a value it is. Grows with every write of the key, and is never given again, not even after the value was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// A value with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// A JSON text.
    pub value: Bytes,
    /// Which write it is.
    pub revision: Revision,
    /// When it goes by itself.
    pub expires: Option<Timestamp>,
}

/// A conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditional {
    /// It was made.
    Written(Revision),
    /// The value is another one by now, or `None` if there is none.
    Changed(Option<Revision>),
}

/// Values by group and key. A value is a JSON text that the backend looks into for `update` alone.
///
/// 1. Groups and keys are any text; `("a", "b:c")` and `("a:b", "c")` are different places.
/// 2. `set` replaces; `delete` and `clear` of what is not there are fine.
/// 3. `group` and `keys` are in the order in which the keys were first set.
/// 4. A read sees every write with a mark up to `after`, and everything that was answered before it was called.
/// 5. A value that has expired is not there, for reads and writes alike. `set` replaces the time too; `update` keeps it.
/// 6. `set_if` writes if the value's revision is the expected one (`None`: if there is none), as one step with the look.
/// 7. `update` makes all of its changes or none, as one step with the look; two at a time never lose one of them.
pub trait State: Send + Sync + 'static {
    /// The value, if there.
    fn get(&self, after: Mark, group: GroupId, key: ItemKey) -> Pending<Option<Bytes>>;
    /// The value with its revision, if there.
    fn entry(&self, after: Mark, group: GroupId, key: ItemKey) -> Pending<Option<Entry>>;
    /// Stores the value; with `expires`, until then.
    fn set(&self, group: GroupId, key: ItemKey, value: Bytes, expires: Option<Timestamp>) -> Write<()>;
    /// Stores the value if the one there is the expected one.
    fn set_if(
        &self,
        group: GroupId,
        key: ItemKey,
        value: Bytes,
        expected: Option<Revision>,
        expires: Option<Timestamp>,
    ) -> Write<Conditional>;
    /// Changes the value; answers with what it is then. A change that cannot be made is no failure of the backend.
    fn update(&self, group: GroupId, key: ItemKey, changes: Vec<Change>) -> Write<Result<Option<Bytes>, UpdateError>>;
    /// Removes the value and returns it.
    fn delete(&self, group: GroupId, key: ItemKey) -> Write<Option<Bytes>>;
    /// All values of a group.
    fn group(&self, after: Mark, group: GroupId) -> Pending<Vec<Bytes>>;
    /// All keys of a group.
    fn keys(&self, after: Mark, group: GroupId) -> Pending<Vec<ItemKey>>;
    /// All groups that hold a value, by name.
    fn groups(&self, after: Mark) -> Pending<Vec<GroupId>>;
    /// Removes all values of a group.
    fn clear(&self, group: GroupId) -> Write<()>;
}
