//! The signals that end an engine.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What comes this soon after a signal is the same wish: `timeout`, process managers and terminals signal a process and then its group.
const SAME_WISH: Duration = Duration::from_millis(500);

/// SIGINT, SIGTERM and SIGHUP: each asks to stop, in order; a further one at once.
pub(crate) struct Signals {
    signals: [Signal; 3],
    /// A limit on the size of files (`ulimit -f`) is an error of the write that meets it, not the end of the process.
    _file_too_large: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            signals: [
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            ],
            _file_too_large: listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    pub(crate) async fn stop(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    /// The outcome, unless a signal comes first.
    pub(crate) async fn race<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            outcome = work => Some(outcome),
            () = self.stop() => None,
        }
    }

    /// After a signal: the outcome, unless somebody means a further one.
    pub(crate) async fn insist<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let further = async {
            let same = tokio::time::sleep(SAME_WISH);
            tokio::pin!(same);
            loop {
                tokio::select! {
                    () = &mut same => return self.stop().await,
                    () = self.stop() => {}
                }
            }
        };
        tokio::select! {
            outcome = work => Some(outcome),
            () = further => None,
        }
    }
}
