//! Many clients that watch streams, on one thread of the bench, which is another process than what it measures.
//!
//! As cheap as they can be, since they share the machine with it: all read into one buffer, frames are counted where they lie, and a
//! connection that hears nothing holds no memory but its task.

mod member;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use motia_core::Clock;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::histogram::Histogram;
use member::Member;

/// What is read at once of a connection.
const BUFFER: usize = 64 * 1024;
/// How often it is looked whether something has come.
const LOOK: Duration = Duration::from_millis(1);

/// A client that does not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) groups: Vec<String>,
    /// It says hello, and so gets messages in batches.
    pub(crate) hello: bool,
    /// It takes what it is sent. One that does not begins to with [`Crowd::awake`].
    pub(crate) reads: bool,
}

/// What all of them have heard.
pub(crate) struct Heard {
    /// How many groups were told as they are.
    syncs: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    reads: AtomicU64,
    /// Connections that could not be made, broke or were closed.
    ended: AtomicU64,
    /// Latencies are recorded.
    timing: AtomicBool,
    awake: Notify,
    tally: Mutex<Tally>,
}

/// What they use in turn.
struct Tally {
    buffer: Vec<u8>,
    latencies: Histogram,
    /// Why the first of those that ended did.
    why: Option<String>,
}

/// Counts of all up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) reads: u64,
}

impl Counts {
    /// What came after `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            messages: self.messages - before.messages,
            bytes: self.bytes - before.bytes,
            reads: self.reads - before.reads,
        }
    }
}

impl Heard {
    pub(crate) fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts { messages: of(&self.messages), bytes: of(&self.bytes), reads: of(&self.reads) }
    }

    /// How many connections have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// They share one thread: others only look now and then.
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Clients that watch until this is dropped.
pub(crate) struct Crowd {
    heard: Arc<Heard>,
    /// How many groups they join together.
    joins: u64,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Crowd {
    /// Connects and joins, `at_once` at a time.
    pub(crate) fn gather(target: SocketAddr, watchers: Vec<Watcher>, at_once: usize) -> Self {
        let heard = Arc::new(Heard {
            syncs: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            timing: AtomicBool::new(false),
            awake: Notify::new(),
            tally: Mutex::new(Tally { buffer: vec![0; BUFFER], latencies: Histogram::new(), why: None }),
        });
        let (stop, stopped) = oneshot::channel();
        let joins = watchers.iter().map(|watcher| watcher.groups.len() as u64).sum();
        let door = Arc::new(Semaphore::new(at_once));
        let members: Vec<_> = watchers
            .into_iter()
            .map(|watcher| Member { target, watcher, heard: Arc::clone(&heard), door: Arc::clone(&door) })
            .collect();
        let thread = Some(thread::spawn(move || watch(members, stopped)));
        Self { heard, joins, stop: Some(stop), thread }
    }

    /// Waits until all of them know how their groups are.
    pub(crate) fn synced(self, clock: &dyn Clock, patience: Duration) -> Result<Self> {
        let syncs = || self.heard.syncs.load(Ordering::Relaxed);
        self.until(clock, patience, "joined", || syncs() >= self.joins)?;
        Ok(self)
    }

    /// Waits until they have heard so many messages, and sees that there are no more.
    pub(crate) fn heard_all(&self, clock: &dyn Clock, patience: Duration, expected: u64) -> Result<()> {
        let messages = || self.heard.counts().messages;
        self.until(clock, patience, "were told everything", || messages() >= expected)?;
        ensure!(messages() == expected, "{} messages came where {expected} were sent", messages());
        Ok(())
    }

    fn until(&self, clock: &dyn Clock, patience: Duration, what: &str, done: impl Fn() -> bool) -> Result<()> {
        let began = clock.elapsed();
        while !done() {
            self.all_live()?;
            if clock.elapsed() - began > patience {
                let syncs = self.heard.syncs.load(Ordering::Relaxed);
                bail!(
                    "not all clients {what} in {patience:?}: {syncs} of {} joins, {:?}",
                    self.joins,
                    self.heard.counts()
                );
            }
            thread::sleep(LOOK);
        }
        self.all_live()
    }

    /// An error if one of them is gone.
    pub(crate) fn all_live(&self) -> Result<()> {
        let ended = self.heard.ended();
        let why = || self.heard.tally().why.clone().unwrap_or_default();
        ensure!(ended == 0, "{ended} connections ended, the first of them since {}", why());
        Ok(())
    }

    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// From now on latencies are recorded.
    pub(crate) fn begin_timing(&self) {
        self.heard.timing.store(true, Ordering::Relaxed);
    }

    /// The latencies so far, from `set()` to the last byte.
    pub(crate) fn latencies(&self) -> Histogram {
        self.heard.tally().latencies.clone()
    }

    /// Those that did not read do from now on.
    pub(crate) fn awake(&self) {
        self.heard.awake.notify_waiters();
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(error)) = self.thread.take().and_then(|thread| thread.join().ok()) {
            eprintln!("motia-bench: clients could not be run: {error:#}");
        }
    }
}

/// Runs them until the crowd is dropped.
fn watch(members: Vec<Member>, stopped: oneshot::Receiver<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut all = JoinSet::new();
        for member in members {
            all.spawn(member.run());
        }
        // It never says anything: its end is what is waited for.
        let _ = stopped.await;
    });
    Ok(())
}

/// What CLOCK_MONOTONIC says, in microseconds: `process.hrtime` of Node says the same.
fn monotonic_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or_default() * 1_000_000 + nanos.unwrap_or_default() / 1000
}
