//! Schedules to handlers.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use motia_core::record::{Cause, Level};
use motia_core::step::{Step, Trigger};
use motia_core::{StepName, Timestamp};
use motia_ports::cron::{Tick, TickOutcome};
use motia_worker::{CallError, CallKind, CallLimits, Class};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::call::Call;
use crate::engine::Engine;

/// The longest sleep before the clock is read again: the wall clock may jump.
const NAP: Duration = Duration::from_secs(20);

/// A schedule that was understood.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// The expression cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error(
    "cron: '{expression}' is not understood: {reason}. Write 5 fields (minute hour day month weekday) or 6 (second first)"
)]
pub struct BadSchedule {
    expression: String,
    reason: String,
}

impl Schedule {
    /// Reads 5 or 6 fields, in a time zone. Where day of month and weekday are both set, both must match, as the original's scheduler
    /// had it (design.md section 6).
    pub fn new(expression: &str, zone: TimeZone) -> Result<Self, BadSchedule> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).dom_and_dow(true).build();
        let bad = |reason: String| BadSchedule { expression: expression.to_owned(), reason };
        let cron =
            parser.parse(expression.trim()).map_err(|error| bad(error.to_string().trim_end_matches('.').to_owned()))?;
        Ok(Self { cron, zone })
    }

    /// The first instant after `now`; `None` if there is none.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let now = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&now, false).ok()?;
        Some(Timestamp(next.timestamp().as_millisecond()))
    }
}

impl FromStr for Schedule {
    type Err = BadSchedule;

    /// In the zone of the machine.
    fn from_str(expression: &str) -> Result<Self, BadSchedule> {
        Self::new(expression, TimeZone::system())
    }
}

/// The schedules that run.
#[derive(Default)]
pub(crate) struct Scheduler {
    running: Mutex<HashMap<StepName, Running>>,
}

struct Running {
    step: Arc<Step>,
    stop: CancellationToken,
    /// Whether a run is under way. It goes along over reloads, as the run does.
    busy: Arc<AtomicBool>,
}

impl Engine {
    /// Makes the schedules those of the current project. Runs that are under way go on.
    pub(crate) fn update_schedules(&self) {
        let project = self.shared.project();
        let mut running = self.scheduler.running.lock();
        running.retain(|name, Running { stop, .. }| {
            let keep = project.steps().any(|step| step.name == *name && matches!(step.trigger, Trigger::Cron(_)));
            if !keep {
                stop.cancel();
            }
            keep
        });
        for step in project.steps() {
            let Trigger::Cron(trigger) = &step.trigger else { continue };
            if running.get(&step.name).is_some_and(|before| Arc::ptr_eq(&before.step, step)) {
                continue;
            }
            let busy = running.remove(&step.name).map_or_else(Arc::default, |before| {
                before.stop.cancel();
                before.busy
            });
            let schedule = match trigger.cron.parse::<Schedule>() {
                Ok(schedule) => schedule,
                Err(error) => {
                    let text = format!("{}: {error}; the step never runs", step.source);
                    self.shared.telemetry.log_of(Level::Error, None, Some(step.name.clone()), text);
                    continue;
                }
            };
            let stop = self.stop.child_token();
            running.insert(
                step.name.clone(),
                Running { step: Arc::clone(step), stop: stop.clone(), busy: Arc::clone(&busy) },
            );
            self.tasks.spawn(self.clone().run_schedule(Arc::clone(step), schedule, busy, stop));
        }
    }

    async fn run_schedule(self, step: Arc<Step>, schedule: Schedule, busy: Arc<AtomicBool>, stop: CancellationToken) {
        let clock = Arc::clone(self.shared.telemetry.clock());
        let mut last = clock.now();
        while let Some(due) = schedule.next(last) {
            loop {
                let wait = clock.now().until(due);
                if wait.is_zero() {
                    break;
                }
                if stop.run_until_cancelled(tokio::time::sleep(wait.min(NAP))).await.is_none() {
                    return;
                }
            }
            // What the clock jumped over is not caught up with.
            last = due.max(Timestamp(clock.now().as_millis() - 1000));
            let tick = Tick { step: step.name.clone(), due };
            let (engine, step, busy) = (self.clone(), Arc::clone(&step), Arc::clone(&busy));
            self.tasks.spawn(async move { engine.tick(&step, tick, &busy).await });
        }
    }

    async fn tick(&self, step: &Arc<Step>, tick: Tick, busy: &AtomicBool) {
        let cron = &self.shared.backends.cron;
        let now = || self.shared.telemetry.clock().now();
        let say = |level, text: String| self.shared.telemetry.log_of(level, None, Some(step.name.clone()), text);
        let outcome = if busy.swap(true, Ordering::AcqRel) {
            let reason = "the run before had not ended".to_owned();
            say(Level::Warn, format!("the tick of {} was skipped: {reason}", tick.due));
            Some(TickOutcome::Skipped(reason))
        } else {
            let outcome = match cron.begin(tick.clone(), now()).await {
                Ok(true) => Some(self.run_tick(step, &tick).await),
                Ok(false) => None, // Another instance has it.
                Err(error) => {
                    say(Level::Error, format!("the tick of {} could not begin: {error}", tick.due));
                    None
                }
            };
            busy.store(false, Ordering::Release);
            outcome
        };
        if let Some(outcome) = outcome
            && let Err(error) = cron.end(tick, outcome, now()).await
        {
            say(Level::Error, format!("the end of a tick could not be stored: {error}"));
        }
    }

    async fn run_tick(&self, step: &Arc<Step>, tick: &Tick) -> TickOutcome {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, after: &str) -> String {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let after: jiff::Zoned = after.parse().expect("a time");
        let schedule = Schedule::new(expression, zone.clone()).expect("understood");
        let next = schedule.next(Timestamp(after.timestamp().as_millisecond())).expect("an instant");
        let next = jiff::Timestamp::from_millisecond(next.as_millis()).expect("in range");
        next.to_zoned(zone).strftime("%a %F %T").to_string()
    }

    #[test]
    fn the_expressions_of_the_documentation_are_understood() {
        let after = "2026-11-23T11:20:30[Europe/Berlin]";
        for (expression, expected) in [
            ("0 9 * * *", "Tue 2026-11-24 09:00:00"),
            ("*/5 * * * *", "Mon 2026-11-23 11:25:00"),
            ("0 * * * *", "Mon 2026-11-23 12:00:00"),
            ("0 9 * * 1", "Mon 2026-11-30 09:00:00"),
            ("* 9-17 * * 1-5", "Mon 2026-11-23 11:21:00"),
            ("0 0 * * * *", "Mon 2026-11-23 12:00:00"),
            ("*/10 * * * * *", "Mon 2026-11-23 11:20:40"),
            ("* * 1 * *", "Tue 2026-12-01 00:00:00"),
            ("0 12 * JAN SUN", "Sun 2027-01-03 12:00:00"),
        ] {
            assert_eq!(next(expression, after), expected, "{expression}");
        }
    }

    #[test]
    fn day_of_month_and_weekday_must_both_match() {
        assert_eq!(next("0 0 13 * 5", "2026-11-23T00:00:00[Europe/Berlin]"), "Fri 2027-08-13 00:00:00");
    }

    #[test]
    fn nonsense_is_refused_with_the_expression() {
        for bad in ["", "hello", "* * *", "61 * * * *", "* * * * * * * *"] {
            let error = bad.parse::<Schedule>().expect_err("refused").to_string();
            assert!(error.contains(&format!("'{bad}'")) && error.contains("5 fields"), "{error}");
        }
    }
}
