//! Work over a slice on a few threads.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// One thread for so many items at least: below that, starting it costs more than it saves.
const PER_THREAD: usize = 8;
const THREADS: usize = 4;

/// Deeply nested sources need more stack than a thread has by default.
const STACK: usize = 64 << 20;

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
