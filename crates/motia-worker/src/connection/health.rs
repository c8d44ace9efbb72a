//! Whether a worker is well: its signs of life, and calls that go on past their end.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use motia_core::SourcePath;
use serde::Deserialize;
use tokio::sync::watch;

use super::{Connection, Shared};
use crate::frame::Kind;
use crate::host::Host;

/// A worker that has left this many pings unanswered is blocked; so is one that does not answer a further one for as long.
const UNANSWERED: u32 = 3;
const PROBE: Duration = Duration::from_secs(1);

/// What is known of a worker's health.
pub(super) struct Health {
    heard: AtomicU64,
    /// Pings since it was heard last.
    unanswered: AtomicU32,
    /// The latest call when the first of them was sent.
    asked: AtomicU32,
    memory: AtomicU64,
    /// What it had when its files were imported; 0 while that is not known.
    loaded: AtomicU64,
    retiring: watch::Sender<Option<String>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            heard: AtomicU64::new(0),
            unanswered: AtomicU32::new(0),
            asked: AtomicU32::new(0),
            memory: AtomicU64::new(0),
            loaded: AtomicU64::new(0),
            retiring: watch::Sender::new(None),
        }
    }
}

/// Calls on a worker that is silent.
pub(crate) struct InFlight {
    /// The steps of those that it has, the latest call first, each once.
    sources: Vec<SourcePath>,
    /// How many were sent since.
    since: usize,
}

impl std::fmt::Display for InFlight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &*self.sources {
            [] => f.write_str("no call is in flight: its own timers?")?,
            [latest, others @ ..] => {
                write!(f, "in flight, the latest first: {latest}")?;
                others.iter().try_for_each(|source| write!(f, ", {source}"))?;
            }
        }
        match self.since {
            0 => Ok(()),
            1 => f.write_str("; and one call that was sent since"),
            since => write!(f, "; and {since} calls that were sent since"),
        }
    }
}

/// The meta of a `PONG`, and of a `READY`.
#[derive(Deserialize)]
pub(super) struct MemoryMeta {
    #[serde(default)]
    memory: u64,
}

/// The meta of a `RETIRE`.
#[derive(Deserialize)]
pub(super) struct RetireMeta {
    reason: String,
}

impl Health {
    /// Something came.
    pub(super) fn heard(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        self.unanswered.store(0, Ordering::Relaxed);
    }

    /// The worker answered a ping.
    pub(super) fn pong(&self, MemoryMeta { memory }: &MemoryMeta) {
        self.memory.store(*memory, Ordering::Relaxed);
        // One that did not say so when it was ready.
        let _ = self.loaded.compare_exchange(0, *memory, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The worker has imported its files.
    pub(super) fn ready(&self, MemoryMeta { memory }: &MemoryMeta) {
        self.loaded.store(*memory, Ordering::Relaxed);
    }

    /// The worker asks to be taken out of service.
    pub(super) fn retire(&self, RetireMeta { reason }: RetireMeta) {
        self.retiring.send_replace(Some(reason));
    }
}

impl<H: Host> Connection<H> {
    /// Asks for a sign of life.
    pub(crate) fn ping(&self) {
        let health = &self.shared.health;
        let first = health.unanswered.fetch_add(1, Ordering::Relaxed) == 0;
        self.shared.send(Kind::Ping, 0, 0, b"", Bytes::new());
        if first {
            // After the ping: what went out before it is among them.
            health.asked.store(self.shared.state.lock().last_call, Ordering::Relaxed);
        }
    }

    /// Counts the times that something came: all of it is sent by the thread that runs handlers.
    pub(crate) fn heard(&self) -> u64 {
        self.shared.health.heard.load(Ordering::Relaxed)
    }

    /// Whether its thread is blocked: it has left pings unanswered, or answers none now.
    pub(super) async fn is_blocked(&self) -> bool {
        if self.shared.health.unanswered.load(Ordering::Relaxed) >= UNANSWERED {
            return true;
        }
        let heard = self.heard();
        self.ping();
        let mut waited = Duration::ZERO;
        while self.heard() == heard && !self.shared.has_ended() {
            if waited >= PROBE {
                return true;
            }
            tokio::time::sleep(PROBE / 50).await;
            waited += PROBE / 50;
        }
        false
    }

    /// The resident memory that the worker told last, in bytes; 0 before it did.
    pub(crate) fn memory(&self) -> u64 {
        self.shared.health.memory.load(Ordering::Relaxed)
    }

    /// The resident memory that the worker had before its first call, in bytes; 0 while that is not known.
    pub(crate) fn memory_at_start(&self) -> u64 {
        self.shared.health.loaded.load(Ordering::Relaxed)
    }

    /// Tells the worker to listen for a debugger, or no longer.
    pub(crate) fn inspect(&self, port: Option<u16>) {
        let meta = port.map(|port| format!(r#"{{"port":{port}}}"#)).unwrap_or_default();
        self.shared.send(Kind::Inspect, 0, 0, meta.as_bytes(), Bytes::new());
    }

    /// Waits until the worker asks to be taken out of service, and says why.
    pub(crate) async fn retiring(&self) -> String {
        let mut retiring = self.shared.health.retiring.subscribe();
        let reason = retiring.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// What is in flight on a worker that is silent. What was sent behind a ping that it left unanswered it has never seen.
    pub(crate) fn in_flight(&self) -> InFlight {
        let asked = self.shared.health.asked.load(Ordering::Relaxed);
        let state = self.shared.state.lock();
        // Ids begin anew one day.
        let (mut seen, since): (Vec<_>, Vec<_>) =
            state.calls.iter().partition(|(id, _)| asked.wrapping_sub(**id) < u32::MAX / 2);
        seen.sort_unstable_by_key(|(id, _)| asked.wrapping_sub(**id));
        let mut sources = Vec::new();
        for (_, call) in seen {
            if !sources.contains(&call.source) {
                sources.push(call.source.clone());
            }
        }
        InFlight { sources, since: since.len() }
    }

    /// How long a call that runs bears that its worker is silent: the shortest of them, and its step.
    pub(crate) fn patience(&self) -> Option<(Duration, SourcePath)> {
        let state = self.shared.state.lock();
        let least = state.calls.values().min_by_key(|call| call.limits.silence)?;
        Some((least.limits.silence, least.source.clone()))
    }

    /// Time has passed. Answers with the steps whose calls should have settled by now: from here on nothing of them has an effect.
    pub(crate) fn age(&self, by: Duration) -> Vec<SourcePath> {
        let mut overdue = Vec::new();
        let mut state = self.shared.state.lock();
        let state = &mut *state;
        for (id, call) in &mut state.calls {
            call.limits.settle = call.limits.settle.saturating_sub(by);
            if call.limits.settle.is_zero() && state.expired.insert(*id) {
                overdue.push(call.source.clone());
            }
        }
        if !overdue.is_empty() {
            self.shared.settled.notify_waiters();
        }
        overdue
    }

    /// The step of a call that should have settled by now and has not.
    pub(crate) fn expired(&self) -> Option<SourcePath> {
        let state = self.shared.state.lock();
        state.expired.iter().find_map(|id| state.calls.get(id)).map(|call| call.source.clone())
    }

    /// Waits until every call in flight has settled or expired. Answers whether one has not settled.
    pub(crate) async fn settled_or_expired(&self) -> bool {
        loop {
            let settled = self.shared.settled.notified();
            let (running, expired) = self.shared.counts();
            if running == expired {
                return expired > 0;
            }
            settled.await;
        }
    }
}

impl<H: Host> Shared<H> {
    /// The calls in flight, and how many of them have expired.
    fn counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        let expired = state.calls.keys().filter(|id| state.expired.contains(id)).count();
        (state.calls.len(), expired)
    }
}
