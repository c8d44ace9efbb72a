//! Work over a slice on a few threads.

use std::panic;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// One thread for so many items at least: below that, starting it costs more than it saves.
const PER_THREAD: usize = 8;
const THREADS: usize = 4;

/// Deeply nested sources need more stack than a thread has by default: about 3 KB for each bracket that is open (see
/// [`MOST_NESTED`](crate::nesting::MOST_NESTED)), and memory is taken as it is used.
const STACK: usize = 256 << 20;

/// Calls `work` where it has that much stack, or here if no thread can be started.
pub(crate) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    // A thread that does not start drops what it was to do.
    let work = Arc::new(Mutex::new(Some(work)));
    let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let theirs = Arc::clone(&work);
    let done = thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, move || take(&theirs).map(|work| work())).ok()?;
        thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    });
    match (done, take(&work)) {
        (Some(done), _) => done,
        (None, Some(work)) => work(),
        (None, None) => unreachable!("a thread that took the work has done it or panicked"),
    }
}

/// Calls `work` for every item.
pub(crate) fn for_each<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = items.len().div_ceil(PER_THREAD).min(cores).min(THREADS);
    let queue = Mutex::new(items.iter_mut());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let drain = || {
        while let Some(item) = next() {
            work(item);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            let _ = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, drain);
        }
    });
    // What is left if no thread could be started.
    drain();
}
