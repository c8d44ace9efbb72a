//! Numbers that are never given twice, not even after a power cut: blocks of them are reserved on disk before use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::syncer::Syncer;
use crate::writer::Writer;

/// Numbers reserved at a time. A restart skips what was left of its block; a reservation is asked for when half is used, and
/// half a block lasts far longer than a commit and a sync.
pub(crate) const BLOCK: u64 = 1 << 20;

/// Hands out numbers.
#[derive(Clone)]
pub(crate) struct Sequence {
    shared: Arc<Shared>,
}

struct Shared {
    key: &'static str,
    next: AtomicU64,
    /// The next number that asks for another block.
    ask_at: AtomicU64,
    writer: Writer,
    syncer: Arc<Syncer>,
}

impl Sequence {
    /// Starts at `first`; the block that begins there is reserved and on disk already.
    pub(crate) fn new(key: &'static str, first: u64, writer: Writer, syncer: Arc<Syncer>) -> Self {
        let (next, ask_at) = (AtomicU64::new(first), AtomicU64::new(first + BLOCK / 2));
        Self { shared: Arc::new(Shared { key, next, ask_at, writer, syncer }) }
    }

    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        self.take(1)
    }

    /// The first of the next `count` numbers.
    pub(crate) fn take(&self, count: u64) -> u64 {
        let shared = &*self.shared;
        let number = shared.next.fetch_add(count, Ordering::Relaxed);
        let ask_at = shared.ask_at.load(Ordering::Relaxed);
        if number + count > ask_at
            && shared.ask_at.compare_exchange(ask_at, ask_at + BLOCK, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            let (key, end) = (shared.key, ask_at + BLOCK / 2 + BLOCK);
            let syncer = Arc::clone(&shared.syncer);
            // Nobody waits for it: half a block is left until it must be there.
            drop(shared.writer.submit_then(
                move |connection| {
                    connection
                        .execute("UPDATE meta SET value = ?2 WHERE key = ?1", (key, end.cast_signed()))
                        .map(|_| ())
                },
                move |_, ()| syncer.nudge(),
            ));
        }
        number
    }
}
