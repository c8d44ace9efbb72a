//! Commits apart from syncs: a commit survives a crash of processes, a sync survives a power cut (design.md P1).

use motia_core::TraceId;
use motia_core::trace::TraceParent;

use crate::Pending;

/// A place in a backend's history of writes. Marks grow in the order of the calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub u64);

impl Mark {
    /// Before every write. What an invocation that wrote nothing has, and what backends without a journal of their own give.
    pub const NONE: Self = Self(0);
}

/// The history of a backend.
///
/// 1. After `sync(m)` resolves to `Ok`, every write with a mark up to `m` survives a power cut.
/// 2. A sync that failed is never retried: every waiter gets an error, now and later, and the engine stops.
/// 3. `sync(Mark::NONE)` is ready at once.
pub trait Journal: Send + Sync + 'static {
    /// Waits until everything up to `mark` is safe.
    fn sync(&self, mark: Mark) -> Pending<()>;

    /// What a boundary of P1 waits for: the same, unless the project's `durability` says that it need not.
    fn boundary(&self, mark: Mark) -> Pending<()> {
        self.sync(mark)
    }

    /// Whether the backend has found that its data is damaged: parts of it may still be read and written.
    fn damaged(&self) -> bool {
        false
    }
}

/// Trace ids: numbered by the store, so that none is given twice.
pub trait Traces: Send + Sync + 'static {
    /// An id that was never given before.
    fn next(&self) -> TraceId;
    /// The W3C context of a chain that begins with this id.
    fn parent(&self, trace: TraceId) -> TraceParent;
}
