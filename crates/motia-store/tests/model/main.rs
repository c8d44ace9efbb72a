//! The embedded backends beside the plainest ones, over a clock that the test moves: whatever is done, in whatever order and over restarts,
//! both give the same answers.

mod queue;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use motia_core::project::Durability;
use motia_core::{Clock, Timestamp};
use motia_store::{Config, Store};

/// A clock that stands still until it is moved.
struct HandClock(AtomicI64);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_700_000_000_000)))
    }

    fn move_on(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed).unsigned_abs())
    }
}

fn open(dir: &Path, clock: &Arc<HandClock>) -> Store {
    let clock: Arc<dyn Clock> = Arc::<HandClock>::clone(clock);
    let report = Arc::new(|level, text: String| panic!("{level:?}: {text}"));
    Store::open(Config { dir: dir.to_owned(), durability: Durability::Os, clock, report }).expect("open")
}

/// Runs a future on this thread. Polled by hand in places, so the runtime must not make it yield.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(tokio::task::unconstrained(work))
}
