//! The backend traits. Each carries its contract as numbered rules; the engine knows backends only through them.
//!
//! | module | holds |
//! |---|---|
//! | [`state`] | `ctx.state`: values by group and key |
//! | [`streams`] | `ctx.streams`: items by stream, group and id |
//! | [`queue`] | events: subscriptions, deliveries, attempts, dead letters |
//! | [`cron`] | at most one run per schedule and instant |
//! | [`telemetry`] | sinks for what the runtime reports about itself |
//! | [`journal`] | commits, and what it takes to survive a power cut |
//! | `memory` | backends that keep everything in memory (feature `memory`) |
//! | `conformance` | one suite per trait, for every backend to run (feature `conformance`) |
//!
//! Two rules hold for every method of every trait:
//!
//! 1. **Order of calls is order of effects.** An operation takes its place when the method is *called*, not when the future is
//!    first polled. So methods are plain functions that return a future that owns everything it needs.
//! 2. **An answer means committed.** When a future resolves to `Ok`, the write survives a crash of every process.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod cron;
pub mod journal;
#[cfg(feature = "memory")]
pub mod memory;
pub mod queue;
pub mod state;
pub mod streams;
pub mod telemetry;

pub use cron::CronLock;
pub use journal::{Journal, Mark, Traces};
pub use queue::EventQueue;
pub use state::State;
pub use streams::Streams;
pub use telemetry::TelemetrySink;

use futures_util::future::BoxFuture;

/// An operation under way. It goes on even if this is dropped.
pub type Pending<T> = BoxFuture<'static, Result<T, Error>>;

/// A write under way.
pub struct Write<T> {
    /// Its place in the backend's history: known at once, before the write is committed.
    pub mark: Mark,
    /// Resolves once it is committed.
    pub done: Pending<T>,
}

/// Why a backend did not do as asked. Shown to users and to handlers.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The backend could not write or read. Nothing of the operation took effect.
    #[error("the store failed: {0}")]
    Failed(String),
    /// The value is larger than the backend takes.
    #[error("{what} of {bytes} bytes is too large; the limit is {limit} bytes")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The most that fits.
        limit: usize,
    },
    /// Storage of the project's own did not do as asked, and may have done a part of it.
    #[error("{0}")]
    Storage(String),
    /// The backend is shut down.
    #[error("the store is closed: the engine is stopping")]
    Closed,
}

impl Error {
    /// What is to be finished is not out.
    pub fn not_held() -> Self {
        Self::Failed("the delivery is not held".into())
    }

    /// A stable name, as handlers see it in `error.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(_) => "store-failed",
            Self::TooLarge { .. } => "too-large",
            Self::Storage(_) => "storage-failed",
            Self::Closed => "store-closed",
        }
    }
}
