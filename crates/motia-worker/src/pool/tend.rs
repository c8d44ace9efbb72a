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

impl<H: Host> PoolInner<H> {
    /// Looks after a worker until its end.
    pub(super) async fn tend(self: Arc<Self>, worker: Arc<Worker<H>>) {
        let mut ticks = tokio::time::interval(PING);
        // A machine that slept, or an engine that was stopped, says nothing about the worker.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut lived, mut silence) = (Duration::ZERO, Duration::ZERO);
        let mut heard = worker.connection.heard();
        let (mut retired, mut weighed) = (false, Weighed::Light);
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
                    if !retired {
                        weighed = self.check_memory(&worker, lived, weighed);
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
        // It blocks its thread past its own timeout: whoever else is in there would wait for it for ever.
        if let Some(step) = worker.connection.expired() {
            let why = format!("{step} went on past its timeout and blocks everything else");
            let (runtime, pid) = (self.config.runtime, worker.process.pid);
            self.report(Level::Error, format!("the {runtime} worker (pid {pid}) is ended: {why}"));
            return worker.give_up(&why);
        }
        let Some((patience, step)) = worker.connection.patience() else { return };
        if silence >= patience {
            let why = format!("it was silent for {} s while {step} ran", silence.as_secs_f32());
            worker.give_up(&why);
        }
    }

    /// Replaces a worker whose memory is above the limit. Answers with what has been said and done about that so far.
    fn check_memory(self: &Arc<Self>, worker: &Arc<Worker<H>>, lived: Duration, before: Weighed) -> Weighed {
        let (Some(limit), memory) = (self.settings.lock().memory, worker.connection.memory()) else { return before };
        if memory <= limit || before == Weighed::Replaced || !self.is_serving(worker) {
            return before;
        }
        let start = worker.connection.memory_at_start();
        if start <= limit {
            let reason = format!("it has {}, which is above workers.memory ({})", Size(memory), Size(limit));
            self.relieve(worker, &reason, lived);
            return Weighed::Replaced;
        }
        // Another worker would be above the limit as well: what can be helped is what its calls leave behind.
        let bearable = start + start / 2;
        if memory > bearable {
            let reason = format!(
                "it has {}, half as much again as at its start ({}), and that is above workers.memory ({}) already",
                Size(memory),
                Size(start),
                Size(limit)
            );
            self.relieve(worker, &reason, lived);
            return Weighed::Replaced;
        }
        if before == Weighed::Light {
            self.report(
                Level::Warn,
                format!(
                    "the {} worker had {} before its first call, which is above workers.memory ({}): it is not replaced until it has {}. \
                     Raise the limit",
                    self.config.runtime,
                    Size(start),
                    Size(limit),
                    Size(bearable)
                ),
            );
        }
        Weighed::HeavyFromTheStart
    }
}

/// What has come of a worker's memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weighed {
    Light,
    HeavyFromTheStart,
    Replaced,
}

/// A number of bytes, for people.
struct Size(u64);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 => write!(f, "{} MB", bytes >> 20),
            bytes if bytes >= 1 << 10 => write!(f, "{} KB", bytes >> 10),
            1 => f.write_str("1 byte"),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_never_rounded_to_nothing() {
        let shown = [1, 1023, 1024, (1 << 20) - 1, 200 << 20].map(|bytes| Size(bytes).to_string());
        assert_eq!(shown, ["1 byte", "1023 bytes", "1 KB", "1023 KB", "200 MB"]);
    }
}
