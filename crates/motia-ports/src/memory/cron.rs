//! Cron ticks in memory.

use std::collections::BTreeMap;

use motia_core::step::Overlap;
use motia_core::{SourcePath, StepName, Timestamp};
use parking_lot::Mutex;

use super::{Writes, ready};
use crate::cron::{Begun, CronLock, Known, Missed, STILL_RUNNING, Schedule, Tick, TickInfo, TickOutcome};
use crate::{Pending, Write};

#[derive(Default)]
pub(super) struct MemoryCron {
    writes: Writes,
    ticks: Mutex<Ticks>,
}

impl MemoryCron {
    pub(super) fn new(writes: Writes) -> Self {
        Self { writes, ticks: Mutex::default() }
    }
}

#[derive(Default)]
struct Ticks {
    schedules: BTreeMap<StepName, (Schedule, Timestamp)>,
    ticks: BTreeMap<(StepName, Timestamp), TickInfo>,
}

impl Ticks {
    fn account(&mut self, tick: &Tick) {
        if let Some((_, accounted)) = self.schedules.get_mut(&tick.step).filter(|_| !tick.asked) {
            *accounted = tick.due.max(*accounted);
        }
    }
}

impl CronLock for MemoryCron {
    fn declare(&self, active: Vec<Schedule>, broken: Vec<SourcePath>, at: Timestamp) -> Pending<Vec<Known>> {
        let mut ticks = self.ticks.lock();
        let Ticks { schedules, ticks: kept } = &mut *ticks;
        schedules.retain(|step, (known, _)| {
            broken.contains(&known.source) || active.iter().any(|schedule| schedule.step == *step)
        });
        for schedule in active {
            let same = schedules.get(&schedule.step).filter(|(known, _)| known.rule == schedule.rule);
            let accounted = same.map_or(at, |(_, accounted)| at.min(*accounted));
            schedules.insert(schedule.step.clone(), (schedule, accounted));
        }
        kept.retain(|(step, _), _| schedules.contains_key(step));
        let known = schedules.iter().map(|(step, (_, accounted))| Known { step: step.clone(), accounted: *accounted });
        ready(known.collect())
    }

    fn begin(&self, tick: Tick, overlap: Overlap, at: Timestamp) -> Write<Begun> {
        let mut ticks = self.ticks.lock();
        if let Some((_, accounted)) = ticks.schedules.get_mut(&tick.step).filter(|(_, accounted)| *accounted > at) {
            *accounted = tick.due.min(at);
        }
        ticks.account(&tick);
        let place = (tick.step.clone(), tick.due);
        if ticks.ticks.contains_key(&place) {
            return self.writes.made(Begun::Taken);
        }
        let runs = |info: &TickInfo| info.tick.step == tick.step && info.outcome.is_none();
        let info = TickInfo { tick: tick.clone(), through: None, outcome: None, began: None, ended: None };
        if overlap == Overlap::Skip && ticks.ticks.values().any(runs) {
            if !tick.asked {
                let outcome = Some(TickOutcome::Skipped(STILL_RUNNING.into()));
                ticks.ticks.insert(place, TickInfo { outcome, ended: Some(at), ..info });
            }
            return self.writes.made(Begun::Busy);
        }
        ticks.ticks.insert(place, TickInfo { began: Some(at), ..info });
        self.writes.made(Begun::Yes)
    }

    fn end(&self, tick: Tick, outcome: TickOutcome, at: Timestamp) -> Pending<()> {
        let mut ticks = self.ticks.lock();
        ticks.account(&tick);
        let place = (tick.step.clone(), tick.due);
        let new = TickInfo { tick, through: None, outcome: None, began: None, ended: None };
        let info = ticks.ticks.entry(place).or_insert(new);
        (info.outcome, info.ended) = (Some(outcome), Some(at));
        ready(())
    }

    fn miss(&self, missed: Missed, at: Timestamp) -> Pending<()> {
        let Missed { step, first, last, count, reason } = missed;
        let mut ticks = self.ticks.lock();
        if ticks.schedules.get(&step).is_some_and(|(_, accounted)| last <= *accounted) {
            return ready(());
        }
        let tick = Tick { step: step.clone(), due: first, asked: false };
        ticks.account(&Tick { due: last, ..tick.clone() });
        let through = (count > 1).then_some((last, count));
        let outcome = Some(TickOutcome::Skipped(reason));
        ticks.ticks.insert((step, first), TickInfo { tick, through, outcome, began: None, ended: Some(at) });
        ready(())
    }

    fn history(&self, step: StepName, most: usize) -> Pending<Vec<TickInfo>> {
        let ticks = self.ticks.lock();
        let of_step = ticks.ticks.values().rev().filter(|info| info.tick.step == step);
        ready(of_step.take(most).cloned().collect())
    }
}
