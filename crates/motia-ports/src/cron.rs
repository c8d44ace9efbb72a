//! At most one run per schedule and instant (design.md P4), and what became of each.

use motia_core::step::Overlap;
use motia_core::{SourcePath, StepName, Timestamp};

use crate::{Pending, Write};

/// A schedule of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The step.
    pub step: StepName,
    /// Its file.
    pub source: SourcePath,
    /// The expression and its zone, as one text: another one makes another schedule.
    pub rule: String,
}

/// A schedule and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The step.
    pub step: StepName,
    /// The last instant that is accounted for: begun, skipped, or when the schedule was first known.
    pub accounted: Timestamp,
}

/// One instant of one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The step.
    pub step: StepName,
    /// The instant that the schedule names, or at which somebody asked for a run.
    pub due: Timestamp,
    /// Somebody asked for it: it is none of the schedule's own.
    pub asked: bool,
}

/// Whether a tick may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is the asker's to run.
    Yes,
    /// Another one has it, or had it.
    Taken,
    /// One of the same schedule runs, and they must not overlap. It is recorded as skipped.
    Busy,
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

/// What a tick that may not run beside another one is skipped for.
pub const STILL_RUNNING: &str = "the run before had not ended";

/// What is kept of a tick, or of several that were skipped in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickInfo {
    /// The tick, of several the first.
    pub tick: Tick,
    /// Of several, the last instant and how many there are.
    pub through: Option<(Timestamp, u64)>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<TickOutcome>,
    /// When it began, if it did.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// Instants of one schedule that passed unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The step.
    pub step: StepName,
    /// The first instant.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
    /// How many.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// Decides which instance runs a tick, and remembers how it went.
///
/// 1. `begin` answers [`Begun::Yes`] to one caller per tick, over all instances and restarts, and is committed before it answers. With
///    [`Overlap::Skip`] it does so only if no other tick of the schedule runs, on any instance; else the tick is recorded as skipped,
///    unless somebody asked for it.
/// 2. A tick that was begun and not ended when its engine died is recorded as interrupted, and not begun again.
/// 3. `declare` stores the project's schedules and answers with how far each has come. One that is new, or whose rule is another one, is
///    accounted for up to `at`, and none is beyond `at`: the clock may have been put back. What is not declared, and not of a file in `broken`, is forgotten with its ticks.
/// 4. `miss` records instants in a row as skipped, once: instants up to what is accounted for are not recorded again.
/// 5. `begin`, `miss` and `end` of a schedule's own tick move what is accounted for forward; only a `begin` moves it back, where it lies
///    beyond `at`. An instant that was begun is not begun again, whatever the clock says.
pub trait CronLock: Send + Sync + 'static {
    /// Replaces the stored schedules.
    fn declare(&self, active: Vec<Schedule>, broken: Vec<SourcePath>, at: Timestamp) -> Pending<Vec<Known>>;
    /// Asks for the right to run the tick.
    fn begin(&self, tick: Tick, overlap: Overlap, at: Timestamp) -> Write<Begun>;
    /// Records how it went. Also for ticks that were never begun.
    fn end(&self, tick: Tick, outcome: TickOutcome, at: Timestamp) -> Pending<()>;
    /// Records instants that nobody ran.
    fn miss(&self, missed: Missed, at: Timestamp) -> Pending<()>;
    /// What is kept of a step's ticks, the newest first, at most `most`.
    fn history(&self, step: StepName, most: usize) -> Pending<Vec<TickInfo>>;
}
