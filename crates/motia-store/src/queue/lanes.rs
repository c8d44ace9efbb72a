//! All lanes: which step a delivery that is out belongs to, and how windows are filled from disk.
//!
//! Everything here that takes a connection runs on the writer thread, after a commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use motia_core::{StepName, Timestamp};
use motia_ports::queue::DeliveryId;
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use tokio::sync::Notify;

use super::lane::{Entry, Group, Lane, Refill, Rule, WINDOW};
use super::rows::{self, Result};
use super::subscriptions::Subscriptions;
use crate::steady::SteadyClock;

/// How many groups one look goes through.
const GROUPS: usize = 1024;

pub(super) struct Lanes {
    clock: SteadyClock,
    subscriptions: RwLock<Arc<Subscriptions>>,
    lanes: Mutex<HashMap<StepName, Slot>>,
    /// Which step a delivery that is out belongs to.
    out: Mutex<HashMap<DeliveryId, StepName>>,
    paused: Mutex<HashSet<StepName>>,
}

struct Slot {
    lane: Lane,
    wake: Arc<Notify>,
}

impl Lanes {
    pub(super) fn new(clock: SteadyClock, paused: Vec<StepName>) -> Self {
        let paused = Mutex::new(paused.into_iter().collect());
        Self { clock, subscriptions: RwLock::default(), lanes: Mutex::default(), out: Mutex::default(), paused }
    }

    pub(super) fn subscriptions(&self) -> Arc<Subscriptions> {
        Arc::clone(&self.subscriptions.read())
    }

    /// What the queue of a step keeps apart.
    pub(super) fn rule(&self, step: &StepName) -> Rule {
        self.subscriptions.read().rule(step)
    }

    /// Other subscriptions are in force.
    pub(super) fn subscribe(&self, subscriptions: Subscriptions) {
        for (step, slot) in self.lanes.lock().iter_mut() {
            slot.lane.set_rule(subscriptions.rule(step));
            slot.wake.notify_one();
        }
        *self.subscriptions.write() = Arc::new(subscriptions);
    }

    /// The lane of a step, made if it is not there; answers with what is told when it has something.
    pub(super) fn open(&self, step: &StepName) -> Arc<Notify> {
        let (rule, paused) = (self.rule(step), self.paused.lock().contains(step));
        let mut lanes = self.lanes.lock();
        let slot = lanes
            .entry(step.clone())
            .or_insert_with(|| Slot { lane: Lane::new(rule, paused), wake: Arc::new(Notify::new()) });
        Arc::clone(&slot.wake)
    }

    /// Changes the lane of a step, if it has one.
    pub(super) fn with<T>(&self, step: &StepName, act: impl FnOnce(&mut Lane) -> T) -> Option<T> {
        let mut lanes = self.lanes.lock();
        let slot = lanes.get_mut(step)?;
        let answer = act(&mut slot.lane);
        slot.wake.notify_one();
        Some(answer)
    }

    pub(super) fn wants_refill(&self, step: &StepName, now: Timestamp) -> bool {
        self.lanes.lock().get_mut(step).is_some_and(|slot| slot.lane.wants_refill(now))
    }

    /// Hands out what may run now; and when there will be more.
    pub(super) fn take(&self, step: &StepName, max: usize) -> (Vec<Entry>, Option<Timestamp>) {
        let mut lanes = self.lanes.lock();
        let Some(Slot { lane, .. }) = lanes.get_mut(step) else { return (Vec::new(), None) };
        let taken = lane.take(max);
        // Under the same lock: from here on each of them is known as out.
        self.out.lock().extend(taken.iter().map(|entry| (entry.id(), step.clone())));
        (taken, lane.next_at())
    }

    /// Whoever finishes a delivery does so alone.
    pub(super) fn take_out(&self, id: DeliveryId) -> Option<StepName> {
        self.out.lock().remove(&id)
    }

    /// It was not finished after all.
    pub(super) fn put_out(&self, id: DeliveryId, step: StepName) {
        self.out.lock().insert(id, step);
    }

    pub(super) fn release(&self, id: DeliveryId) {
        if let Some(step) = self.take_out(id) {
            self.with(&step, |lane| lane.released(id));
        }
    }

    pub(super) fn is_out(&self, step: &StepName, id: DeliveryId) -> bool {
        self.lanes.lock().get(step).is_some_and(|slot| slot.lane.is_out(id))
    }

    /// How many deliveries of a step are out.
    pub(super) fn count_out(&self, step: &StepName) -> u64 {
        self.lanes.lock().get(step).map_or(0, |slot| slot.lane.count_out())
    }

    /// Takes a delivery back that is to be removed from disk. `false`: it is out.
    pub(super) fn withdraw(&self, step: &StepName, id: DeliveryId) -> bool {
        self.lanes.lock().get_mut(step).is_none_or(|slot| slot.lane.withdraw(id))
    }

    pub(super) fn pause(&self, step: &StepName, paused: bool) {
        {
            let mut all = self.paused.lock();
            if paused {
                all.insert(step.clone());
            } else {
                all.remove(step);
            }
        }
        self.with(step, |lane| lane.set_paused(paused));
    }

    /// What is on disk of these steps changed behind the back of their lanes.
    pub(super) fn reread<'a>(&self, steps: impl Iterator<Item = &'a StepName>) {
        for step in steps {
            self.with(step, Lane::reread);
        }
    }

    /// What was taken back is on disk still, and nobody knows where it belongs.
    pub(super) fn reread_all(&self) {
        for slot in self.lanes.lock().values_mut() {
            slot.lane.reread();
            slot.wake.notify_one();
        }
    }

    /// A new delivery was committed.
    pub(super) fn emitted(&self, connection: &Connection, entry: Entry) {
        let (step, now) = (entry.step().clone(), self.clock.now());
        let group = self.with(&step, |lane| lane.emitted(entry, now)).flatten();
        self.fill(connection, &step, group, now);
    }

    /// A delivery that was out has left the queue.
    pub(super) fn finished(&self, connection: &Connection, step: &StepName, id: DeliveryId) {
        let group = self.with(step, |lane| lane.finished(id)).flatten();
        self.fill(connection, step, group, self.clock.now());
    }

    /// A delivery that was out is to run again at `due`.
    pub(super) fn retried(&self, connection: &Connection, step: &StepName, id: DeliveryId, due: Timestamp) {
        let group = self.with(step, |lane| lane.retried(id, due)).flatten();
        self.fill(connection, step, group, self.clock.now());
    }

    /// Deliveries that were not out have left the queue.
    pub(super) fn removed(&self, connection: &Connection, removed: &[(StepName, Group)]) {
        let now = self.clock.now();
        for (step, group) in removed.iter().collect::<HashSet<_>>() {
            if self.rule(step) != Rule::Plain {
                self.fill(connection, step, Some(group.clone()), now);
            }
        }
    }

    /// Reads what of a group may be in memory.
    fn fill(&self, connection: &Connection, step: &StepName, group: Option<Group>, now: Timestamp) {
        let Some(group) = group else { return };
        let Some((rule, most)) = self.with(step, |lane| (lane.rule(), lane.most_in_memory(&group))) else { return };
        match rows::in_group(connection, step, &group, rule, now, most) {
            Ok((entries, later)) => {
                self.with(step, |lane| {
                    lane.fill(&group, entries);
                    if let Some(later) = later {
                        lane.later(later);
                    }
                });
            }
            // The disk is in trouble: whatever is there is found by a later look.
            Err(_) => {
                self.with(step, Lane::overflow);
            }
        }
    }

    /// Fills the window of a step.
    pub(super) fn refill(&self, connection: &Connection, step: &StepName) {
        let now = self.clock.now();
        let Some(refill) = self.with(step, |lane| lane.refill()) else { return };
        if self.read(connection, step, &refill, now).is_err() {
            self.with(step, |lane| {
                lane.overflow();
                lane.refill_failed();
            });
        }
    }

    fn read(&self, connection: &Connection, step: &StepName, refill: &Refill, now: Timestamp) -> Result<()> {
        match refill {
            Refill::First { most } => {
                let entries = rows::due(connection, step, Timestamp(i64::MIN), now, *most)?;
                self.with(step, |lane| lane.first(entries, *most));
            }
            Refill::Since(since) => {
                for entry in self.became_due(connection, step, *since, now)? {
                    self.with(step, |lane| lane.emitted(entry, now));
                }
            }
            Refill::Groups { since, look, behind } => {
                // One at a time: what a group gets decides what the next entry of it asks for.
                for entry in self.became_due(connection, step, *since, now)? {
                    let group = self.with(step, |lane| lane.emitted(entry, now)).flatten();
                    self.fill(connection, step, group, now);
                }
                if *look {
                    let names = rows::groups(connection, step, behind.as_deref(), GROUPS)?;
                    for name in &names {
                        let group = rows::group_of(name);
                        let wants = self.with(step, |lane| lane.has_room(&group)).unwrap_or(false);
                        self.fill(connection, step, wants.then_some(group), now);
                    }
                    let behind = if names.len() < GROUPS { None } else { names.into_iter().next_back() };
                    self.with(step, |lane| lane.looked_through(behind));
                }
            }
        }
        let next = rows::next_due(connection, step, now)?;
        self.with(step, |lane| lane.refilled(now, next));
        Ok(())
    }

    fn became_due(
        &self,
        connection: &Connection,
        step: &StepName,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Entry>> {
        let entries = rows::due(connection, step, since, now, WINDOW)?;
        if entries.len() == WINDOW {
            self.with(step, Lane::overflow);
        }
        Ok(entries)
    }
}
