//! Schedules to handlers.
//!
//! What is due when is decided in [`schedule`]; here it is run, one after the other where it is caught up with.

pub mod schedule;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use motia_core::record::{Cause, Level};
use motia_core::step::{CronTrigger, Overlap, Step, Trigger};
use motia_core::{StepName, Timestamp};
use motia_ports::cron::{Begun, Missed, STILL_RUNNING, Tick, TickInfo, TickOutcome};
use motia_worker::{CallError, CallKind, CallLimits, Class};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::call::Call;
use crate::engine::{Engine, Error};
use schedule::{Due, Schedule};

/// The longest sleep before the clock is read again: the wall clock may jump.
const NAP: Duration = Duration::from_secs(20);

/// The schedules that run.
#[derive(Default)]
pub(crate) struct Scheduler {
    running: Mutex<HashMap<StepName, Running>>,
    /// Since when somebody looks at schedules: what passed before is past.
    since: OnceLock<Timestamp>,
}

struct Running {
    step: Arc<Step>,
    schedule: Schedule,
    stop: CancellationToken,
}

/// A schedule as people look at it.
#[derive(Clone, Debug)]
pub struct ScheduleInfo {
    /// Its step.
    pub step: Arc<Step>,
    /// Its next instants.
    pub next: Vec<Timestamp>,
    /// What is kept of its ticks, the newest first.
    pub history: Vec<TickInfo>,
}

/// Why a run that was asked for does not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// There is no such schedule.
    #[error("there is no cron step '{0}', or its schedule is not understood; `motia cron ls` lists them")]
    Unknown(StepName),
    /// It runs already.
    #[error("'{0}' was not started: {STILL_RUNNING}, and its config says overlap: 'skip'")]
    Busy(StepName),
    /// The store failed.
    #[error("'{0}' was not started: {1}")]
    Store(StepName, motia_ports::Error),
}

fn trigger(step: &Step) -> Option<&CronTrigger> {
    match &step.trigger {
        Trigger::Cron(trigger) => Some(trigger),
        _ => None,
    }
}

/// What makes a schedule another one: what it was accounted for counts no more.
fn rule(trigger: &CronTrigger) -> String {
    match &trigger.timezone {
        None => trigger.cron.clone(),
        Some(zone) => format!("{} {zone}", trigger.cron),
    }
}

impl Engine {
    /// Makes the schedules those of the current project. Runs that are under way go on.
    pub(crate) async fn update_schedules(&self) -> Result<(), Error> {
        let project = self.shared.project();
        let steps: Vec<_> = project.steps().filter(|step| trigger(step).is_some()).cloned().collect();
        let schedules = steps.iter().filter_map(|step| {
            let (step, source) = (step.name.clone(), step.source.clone());
            let rule = rule(trigger(project.step_of(&source)?)?);
            Some(motia_ports::cron::Schedule { step, source, rule })
        });
        let now = self.shared.telemetry.clock().now();
        self.scheduler.since.get_or_init(|| now);
        let declared = self.shared.backends.cron.declare(schedules.collect(), project.broken.clone(), now);
        let known: HashMap<_, _> =
            declared.await.map_err(Error::Schedules)?.into_iter().map(|known| (known.step, known.accounted)).collect();
        let mut running = self.scheduler.running.lock();
        running.retain(|name, Running { stop, .. }| {
            let keep = steps.iter().any(|step| step.name == *name);
            if !keep {
                stop.cancel();
            }
            keep
        });
        for step in steps {
            if running.get(&step.name).is_some_and(|before| Arc::ptr_eq(&before.step, &step)) {
                continue;
            }
            if let Some(before) = running.remove(&step.name) {
                before.stop.cancel();
            }
            let Some(trigger) = trigger(&step) else { continue };
            match Schedule::of(trigger) {
                Ok(schedule) => {
                    let stop = self.stop.child_token();
                    let accounted = known.get(&step.name).copied().unwrap_or(now);
                    let (engine, of) = (self.clone(), Arc::clone(&step));
                    self.tasks.spawn(engine.run_schedule(of, schedule.clone(), accounted, stop.clone()));
                    running.insert(step.name.clone(), Running { step, schedule, stop });
                }
                Err(error) => {
                    let text = format!("{}: {error}; the step never runs", step.source);
                    self.shared.telemetry.log_of(Level::Error, None, Some(step.name.clone()), text);
                }
            }
        }
        Ok(())
    }

    async fn run_schedule(
        self,
        step: Arc<Step>,
        schedule: Schedule,
        mut accounted: Timestamp,
        stop: CancellationToken,
    ) {
        let clock = Arc::clone(self.shared.telemetry.clock());
        let Some(trigger) = trigger(&step) else { return };
        let mut why = "no engine ran then";
        let mut said = false;
        let since = self.scheduler.since.get().copied().unwrap_or(accounted);
        while !stop.is_cancelled() {
            let now = clock.now();
            if now < accounted {
                if !said && now.until(accounted) > schedule::LATE {
                    said = true;
                    let text = format!(
                        "the clock was put back behind {accounted}, up to where this schedule has come: it goes on from now, and what has run does not run again"
                    );
                    self.shared.telemetry.log_of(Level::Warn, None, Some(step.name.clone()), text);
                }
                accounted = now;
            }
            let Due { run, missed, next } = schedule.due(accounted, now, trigger.catch_up, since.min(now));
            if let Some(missed) = missed {
                accounted = accounted.max(missed.last);
                self.miss(&step, missed, why).await;
            }
            let behind = run.len() > 1;
            for due in run {
                if stop.is_cancelled() {
                    return;
                }
                accounted = due;
                let tick = Tick { step: step.name.clone(), due, asked: false };
                let (engine, step) = (self.clone(), Arc::clone(&step));
                let run = self.tasks.spawn(async move { engine.tick(&step, tick).await });
                if behind {
                    // Caught up with one after the other, or they would skip one another. Its task outlives this one.
                    let _ = stop.run_until_cancelled(run).await;
                }
            }
            why = "the clock went on without this engine: the machine slept, or its clock was set";
            let wait = match next {
                // Runs that were caught up with took their time: look again.
                _ if behind => continue,
                Some(next) => clock.now().until(next).min(NAP),
                None => return,
            };
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    async fn miss(&self, step: &Step, missed: schedule::MissedInstants, why: &str) {
        let schedule::MissedInstants { first, last, count } = missed;
        let what =
            if count == 1 { format!("the tick of {first}") } else { format!("{count} ticks from {first} to {last}") };
        let text = format!("{what} did not run: {why} (catchUp in its config runs such ticks later)");
        self.shared.telemetry.log_of(Level::Warn, None, Some(step.name.clone()), text);
        let missed = Missed { step: step.name.clone(), first, last, count, reason: why.to_owned() };
        let recorded = self.shared.backends.cron.miss(missed, self.shared.telemetry.clock().now());
        if let Err(error) = recorded.await {
            let text = format!("ticks that did not run could not be recorded: {error}");
            self.shared.telemetry.log_of(Level::Error, None, Some(step.name.clone()), text);
        }
    }

    async fn tick(&self, step: &Arc<Step>, tick: Tick) {
        let say = |level, text: String| self.shared.telemetry.log_of(level, None, Some(step.name.clone()), text);
        match self.begin_tick(step, &tick).await {
            Ok(Begun::Yes) => self.run_tick(step, tick).await,
            // Another instance has it.
            Ok(Begun::Taken) => {}
            Ok(Begun::Busy) => say(Level::Warn, format!("the tick of {} was skipped: {STILL_RUNNING}", tick.due)),
            Err(error) => say(Level::Error, format!("the tick of {} could not begin: {error}", tick.due)),
        }
    }

    /// It is on disk as begun before its handler runs, so that no power cut makes it run twice.
    async fn begin_tick(&self, step: &Step, tick: &Tick) -> Result<Begun, motia_ports::Error> {
        let backends = &self.shared.backends;
        let overlap = trigger(step).map_or(Overlap::Skip, |trigger| trigger.overlap);
        let begun = backends.cron.begin(tick.clone(), overlap, self.shared.telemetry.clock().now());
        let (mark, begun) = (begun.mark, begun.done.await?);
        if begun == Begun::Yes {
            backends.journal.boundary(mark).await?;
        }
        Ok(begun)
    }

    async fn run_tick(&self, step: &Arc<Step>, tick: Tick) {
        let outcome = self.attempt_tick(step, &tick).await;
        let at = self.shared.telemetry.clock().now();
        if let Err(error) = self.shared.backends.cron.end(tick, outcome, at).await {
            let text = format!("the end of a tick could not be stored: {error}");
            self.shared.telemetry.log_of(Level::Error, None, Some(step.name.clone()), text);
        }
    }

    async fn attempt_tick(&self, step: &Arc<Step>, tick: &Tick) -> TickOutcome {
        let interrupted = |reason: &str| TickOutcome::Interrupted(reason.to_owned());
        let Some(pool) = self.pool(step.language.runtime()) else {
            return interrupted("no worker of its language runs");
        };
        let Ok(place) = pool.place(Class::Event).await else { return interrupted("the engine is stopping") };
        let trace = self.shared.backends.traces.next();
        let parent = self.parent_of(trace, None);
        let call = Call::begin(&self.shared.telemetry, step, trace, parent, Cause::Tick { due: tick.due });
        let limit = self.shared.settings().timeouts.event;
        let limits = CallLimits::new(limit, None);
        let mut handle = place.call(call.request(CallKind::Cron, bytes::Bytes::new(), limits));
        let outcome = match tokio::time::timeout(limit, handle.outcome()).await {
            Ok(Ok(outcome)) => match outcome.meta.error {
                None => TickOutcome::Succeeded,
                Some(error) => TickOutcome::Failed(error.to_string()),
            },
            Ok(Err(error @ CallError::WorkerEnded { .. })) => TickOutcome::Interrupted(error.to_string()),
            Ok(Err(CallError::CutOff { reason })) => TickOutcome::Interrupted(reason),
            Err(_) => TickOutcome::Failed(self.time_out(&call, &mut handle, limit).await),
        };
        let error = match &outcome {
            TickOutcome::Succeeded | TickOutcome::Skipped(_) => None,
            TickOutcome::Failed(error) | TickOutcome::Interrupted(error) => Some(error.clone()),
        };
        if let Some(error) = &error {
            self.say(&call, format!("the tick of {} failed: {error}", tick.due));
        }
        call.end(None, error);
        outcome
    }

    /// Runs a schedule now; answers once it has begun.
    pub async fn run_schedule_now(&self, name: &StepName) -> Result<Timestamp, NotRun> {
        let step = self.scheduler.running.lock().get(name).map(|running| Arc::clone(&running.step));
        let step = step.ok_or_else(|| NotRun::Unknown(name.clone()))?;
        let tick = Tick { step: name.clone(), due: self.shared.telemetry.clock().now(), asked: true };
        match self.begin_tick(&step, &tick).await {
            Ok(Begun::Yes) => {
                let (engine, due) = (self.clone(), tick.due);
                self.tasks.spawn(async move { engine.run_tick(&step, tick).await });
                Ok(due)
            }
            Ok(Begun::Taken | Begun::Busy) => Err(NotRun::Busy(name.clone())),
            Err(error) => Err(NotRun::Store(name.clone(), error)),
        }
    }

    /// All schedules, by name: their next `next` instants and last `history` ticks.
    pub async fn schedules(&self, next: usize, history: usize) -> Result<Vec<ScheduleInfo>, motia_ports::Error> {
        let mut running: Vec<_> = {
            let running = self.scheduler.running.lock();
            running.values().map(|running| (Arc::clone(&running.step), running.schedule.clone())).collect()
        };
        running.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        let now = self.shared.telemetry.clock().now();
        let mut schedules = Vec::with_capacity(running.len());
        for (step, schedule) in running {
            let instants = std::iter::successors(schedule.next(now), |last| schedule.next(*last));
            let history = self.shared.backends.cron.history(step.name.clone(), history).await?;
            schedules.push(ScheduleInfo { next: instants.take(next).collect(), step, history });
        }
        Ok(schedules)
    }
}
