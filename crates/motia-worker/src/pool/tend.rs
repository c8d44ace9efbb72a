//! One worker's life with user code: signs of life, calls that are overdue, memory, its end.

use std::sync::Arc;
use std::time::Duration;

use motia_core::record::Level;
use tokio::time::MissedTickBehavior;

use super::PoolInner;
use crate::host::Host;
use crate::worker::Worker;

/// How often a worker is asked whether it is there.
const PING: Duration = Duration::from_millis(500);
/// A worker that has not answered for this long is blocked.
const SILENCE: Duration = Duration::from_secs(2);
/// A worker is not replaced for its memory before this, so that a limit below what the project needs cannot make it spin.
const SETTLED_IN: Duration = Duration::from_secs(10);

impl<H: Host> PoolInner<H> {
    /// Looks after a worker until its end.
    pub(super) async fn tend(self: Arc<Self>, worker: Arc<Worker<H>>) {
        let mut ticks = tokio::time::interval(PING);
        // A machine that slept, or an engine that was stopped, says nothing about the worker.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut lived, mut silence) = (Duration::ZERO, Duration::ZERO);
        let mut heard = worker.connection.heard();
        let (mut retired, mut weighed) = (false, false);
        loop {
            tokio::select! {
                end = worker.connection.ended() => return self.mourn(&worker, end, lived).await,
                reason = worker.connection.retiring(), if !retired => {
                    retired = true;
                    self.retire(&worker, &reason, lived);
                }
                _ = ticks.tick() => {
                    lived += PING;
                    self.check_calls(&worker, lived);
                    // It may stand at a breakpoint.
                    if self.config.inspect.is_some() {
                        continue;
                    }
                    let now = worker.connection.heard();
                    if now == heard {
                        silence += PING;
                    } else {
                        if silence >= SILENCE {
                            self.recover(&worker);
                        }
                        silence = Duration::ZERO;
                    }
                    heard = now;
                    worker.connection.ping();
                    if silence == SILENCE {
                        self.fall_silent(&worker, silence);
                    }
                    self.check_silence(&worker, silence);
                    if !weighed && !retired {
                        weighed = self.check_memory(&worker, lived);
                    }
                }
            }
        }
    }

    /// A handler that goes on past its timeout has lost its worker.
    fn check_calls(self: &Arc<Self>, worker: &Arc<Worker<H>>, lived: Duration) {
        let overdue = worker.connection.age(PING);
        if let Some(step) = overdue.first() {
            let more = match overdue.len() - 1 {
                0 => String::new(),
                more => format!(", nor did {more} other calls"),
            };
            let reason = format!(
                "{step} was cancelled at its timeout and did not stop{more}; what it still emits or writes has no effect. Pass ctx.signal to what it waits for"
            );
            self.retire(worker, &reason, lived);
        }
    }

    /// A worker that is silent for too long counts as dead.
    fn check_silence(&self, worker: &Arc<Worker<H>>, silence: Duration) {
        if silence < SILENCE {
            return;
        }
        let Some((patience, step)) = worker.connection.patience() else { return };
        if silence >= patience {
            let why = format!("it was silent for {} s while {step} ran", silence.as_secs_f32());
            worker.give_up(&why);
        }
    }

    /// Replaces a worker whose memory is above the limit. Answers whether that has been decided for good.
    fn check_memory(self: &Arc<Self>, worker: &Arc<Worker<H>>, lived: Duration) -> bool {
        let (Some(limit), memory) = (self.settings.lock().memory, worker.connection.memory()) else { return false };
        if memory <= limit {
            return false;
        }
        let megabytes = |bytes: u64| bytes >> 20;
        let (has, limit) = (megabytes(memory), megabytes(limit));
        if lived < SETTLED_IN {
            self.report(
                Level::Warn,
                format!(
                    "the {} worker has {has} MB soon after its start, which is above workers.memory ({limit} MB): it is not replaced for that. Raise the limit",
                    self.config.runtime
                ),
            );
        } else {
            self.relieve(worker, &format!("it has {has} MB, which is above workers.memory ({limit} MB)"));
        }
        true
    }
}
