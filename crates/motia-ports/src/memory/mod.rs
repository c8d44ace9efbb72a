//! Backends that keep everything in memory: for tests, and as the plainest reading of the rules. Nothing here is fast, and nothing survives.

mod cron;
mod queue;
mod state;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use motia_core::Clock;

use crate::{CronLock, EventQueue, Mark, Pending, State, Streams, Write};

/// All backends, over one clock.
pub struct Memory {
    clock: Arc<dyn Clock>,
    writes: Writes,
}

impl Memory {
    /// Empty backends.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, writes: Writes::default() }
    }

    /// `ctx.state`.
    pub fn state(&self) -> Arc<dyn State> {
        Arc::new(state::MemoryState::new(Arc::clone(&self.clock), self.writes.clone()))
    }

    /// `ctx.streams`.
    pub fn streams(&self) -> Arc<dyn Streams> {
        Arc::new(streams::MemoryStreams::new(self.writes.clone()))
    }

    /// Events.
    pub fn queue(&self) -> Arc<dyn EventQueue> {
        Arc::new(queue::MemoryQueue::new(Arc::clone(&self.clock), self.writes.clone()))
    }

    /// Cron ticks.
    pub fn cron(&self) -> Arc<dyn CronLock> {
        Arc::new(cron::MemoryCron::new(self.writes.clone()))
    }
}

/// Numbers the writes.
#[derive(Clone, Default)]
struct Writes(Arc<AtomicU64>);

impl Writes {
    /// A write that has been made already.
    fn made<T: Send + 'static>(&self, answer: T) -> Write<T> {
        let mark = Mark(self.0.fetch_add(1, Ordering::Relaxed) + 1);
        Write { mark, done: ready(answer) }
    }
}

fn ready<T: Send + 'static>(answer: T) -> Pending<T> {
    Box::pin(std::future::ready(Ok(answer)))
}
