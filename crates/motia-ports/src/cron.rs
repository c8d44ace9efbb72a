//! At most one run per schedule and instant (design.md P4).

use motia_core::{StepName, Timestamp};

use crate::Pending;

/// One instant of one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The step.
    pub step: StepName,
    /// The instant that the schedule names.
    pub due: Timestamp,
}

/// How a tick ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TickOutcome {
    /// The handler finished.
    Succeeded,
    /// The handler failed.
    Failed(String),
    /// It did not run, and why.
    Skipped(String),
    /// It was running when its process ended.
    Interrupted(String),
}

/// Decides which instance runs a tick, and remembers how it went.
///
/// 1. `begin` answers `true` to one caller per tick, over all instances and restarts, and is committed before it answers.
/// 2. A tick that was begun and not ended when its engine died is recorded as interrupted, and not begun again.
pub trait CronLock: Send + Sync + 'static {
    /// Asks for the right to run the tick.
    fn begin(&self, tick: Tick, at: Timestamp) -> Pending<bool>;
    /// Records how it went. Also for ticks that were never begun, because they are skipped.
    fn end(&self, tick: Tick, outcome: TickOutcome, at: Timestamp) -> Pending<()>;
}
