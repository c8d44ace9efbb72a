//! The event queue in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use motia_core::step::QueueKind;
use motia_core::{Clock, EventId, GroupId, SourcePath, StepName, Timestamp, Topic};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Writes, ready};
use crate::queue::{
    Delivery, DeliveryDetails, DeliveryId, DeliveryInfo, DeliveryState, Emitted, EventQueue, Failure, NewEvent,
    QueueDepth, Subscription,
};
use crate::{Error, Mark, Pending, Write};

pub(super) struct MemoryQueue {
    clock: Arc<dyn Clock>,
    writes: Writes,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    rows: Mutex<Rows>,
    changed: Notify,
}

#[derive(Default)]
struct Rows {
    subscriptions: Vec<Subscription>,
    deliveries: BTreeMap<DeliveryId, Row>,
    out: HashSet<DeliveryId>,
    remembered: HashMap<(Topic, String), (EventId, Timestamp)>,
    paused: BTreeSet<StepName>,
    last: u64,
}

#[derive(Clone)]
struct Row {
    delivery: Delivery,
    event: EventId,
    state: DeliveryState,
    /// Orders a fifo group.
    due: Timestamp,
    /// When it may run next.
    not_before: Timestamp,
    attempts: Vec<Failure>,
    replays: Option<DeliveryId>,
}

impl MemoryQueue {
    pub(super) fn new(clock: Arc<dyn Clock>, writes: Writes) -> Self {
        Self { clock, writes, shared: Arc::default() }
    }

    fn write<T: Send + 'static>(&self, act: impl FnOnce(&mut Rows) -> Result<T, Error>) -> Write<T> {
        let answer = act(&mut self.shared.rows.lock());
        self.shared.changed.notify_waiters();
        match answer {
            Ok(answer) => self.writes.made(answer),
            Err(error) => Write { mark: Mark::NONE, done: Box::pin(std::future::ready(Err(error))) },
        }
    }

    fn read<T: Send + 'static>(&self, read: impl FnOnce(&Rows) -> T) -> Pending<T> {
        ready(read(&self.shared.rows.lock()))
    }
}

impl Rows {
    fn next(&mut self) -> DeliveryId {
        self.last += 1;
        DeliveryId(self.last)
    }

    fn waiting(&self, step: &StepName) -> impl Iterator<Item = &Row> {
        let of_step = move |row: &&Row| row.delivery.step == *step && row.state == DeliveryState::Waiting;
        self.deliveries.values().filter(of_step)
    }

    /// The first that may run, by the rules of the step's queue.
    fn first(&self, step: &StepName, now: Timestamp) -> Option<DeliveryId> {
        if self.paused.contains(step) {
            return None;
        }
        let config =
            self.subscriptions.iter().find(|subscription| subscription.step == *step).map(|known| &known.queue);
        let is_out = |row: &&Row| self.out.contains(&row.delivery.id);
        let may_run = |row: &&Row| row.not_before <= now && !is_out(row);
        if config.is_some_and(|config| config.kind == QueueKind::Fifo) {
            let mut heads: HashMap<Option<&GroupId>, &Row> = HashMap::new();
            for row in self.waiting(step) {
                // What is out or has failed stays the head, whatever was emitted to come before it.
                let place = |row: &Row| (!is_out(&row), row.delivery.failures == 0, row.due, row.delivery.id);
                let head = heads.entry(row.delivery.group.as_ref()).or_insert(row);
                if place(row) < place(head) {
                    *head = row;
                }
            }
            let first = heads.into_values().filter(may_run).min_by_key(|row| (row.not_before, row.delivery.id));
            return first.map(|row| row.delivery.id);
        }
        let limit = config.and_then(|config| config.group_concurrency);
        let has_room = |row: &&Row| match (&row.delivery.group, limit) {
            (Some(group), Some(limit)) => {
                let out = self.waiting(step).filter(is_out).filter(|row| row.delivery.group.as_ref() == Some(group));
                out.count() < limit.get() as usize
            }
            _ => true,
        };
        let runnable = self.waiting(step).filter(may_run).filter(has_room);
        let first =
            runnable.min_by_key(|row| (std::cmp::Reverse(row.delivery.priority), row.not_before, row.delivery.id));
        first.map(|row| row.delivery.id)
    }

    fn take(&mut self, step: &StepName, now: Timestamp, max: usize) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some(id) = self.first(step, now)
        {
            self.out.insert(id);
            taken.extend(self.deliveries.get(&id).map(|row| row.delivery.clone()));
        }
        taken
    }

    /// What is out comes back.
    fn back(&mut self, id: DeliveryId) -> Result<&mut Row, Error> {
        let was_out = self.out.remove(&id);
        self.deliveries.get_mut(&id).filter(|_| was_out).ok_or_else(Error::not_held)
    }

    fn fail(&mut self, id: DeliveryId, failure: Failure, at: Timestamp, state: DeliveryState) -> Result<(), Error> {
        let row = self.back(id)?;
        row.delivery.failures += 1;
        row.attempts.push(failure);
        (row.not_before, row.state) = (at, state);
        Ok(())
    }

    fn remove(&mut self, ids: impl Iterator<Item = DeliveryId>) -> usize {
        let out = &self.out;
        ids.filter(|id| !out.contains(id)).filter(|id| self.deliveries.remove(id).is_some()).count()
    }
}

impl Row {
    fn info(&self, out: &HashSet<DeliveryId>) -> DeliveryInfo {
        DeliveryInfo {
            id: self.delivery.id,
            step: self.delivery.step.clone(),
            state: self.state,
            running: out.contains(&self.delivery.id),
            topic: self.delivery.topic.clone(),
            trace: self.delivery.trace,
            group: self.delivery.group.clone(),
            priority: self.delivery.priority,
            emitted: self.delivery.emitted,
            at: self.not_before,
            failures: self.delivery.failures,
            last_error: self.attempts.last().map(|failure| failure.error.clone()),
            replays: self.replays,
            bytes: self.delivery.data.len() as u64,
        }
    }
}

impl EventQueue for MemoryQueue {
    fn declare(&self, active: Vec<Subscription>, broken: Vec<SourcePath>) -> Pending<Vec<Subscription>> {
        let stored = self.write(|rows| {
            rows.subscriptions
                .retain(|old| broken.contains(&old.source) && !active.iter().any(|new| new.step == old.step));
            rows.subscriptions.extend(active);
            Ok(rows.subscriptions.clone())
        });
        stored.done
    }

    fn emit(&self, event: NewEvent) -> Write<Emitted> {
        self.write(|rows| {
            let once = event.once.as_ref().map(|once| ((event.topic.clone(), once.key.clone()), once.until));
            if let Some((place, _)) = &once
                && let Some((first, until)) = rows.remembered.get(place)
                && *until > event.at
            {
                return Ok(Emitted { event: first.clone(), deliveries: 0, repeated: true });
            }
            let name = EventId::from(rows.next().0.to_string());
            if let Some((place, until)) = once {
                rows.remembered.insert(place, (name.clone(), until));
            }
            let wants = |subscription: &&Subscription| subscription.topics.contains(&event.topic);
            let subscribers: Vec<_> = rows.subscriptions.iter().filter(wants).cloned().collect();
            for Subscription { step, queue, .. } in &subscribers {
                let id = rows.next();
                let due = event.due.unwrap_or_else(|| event.at.plus(queue.delay));
                let delivery = Delivery {
                    id,
                    step: step.clone(),
                    topic: event.topic.clone(),
                    trace: event.trace,
                    parent: event.parent.clone(),
                    group: event.group.clone(),
                    priority: event.priority,
                    data: event.data.clone(),
                    emitted: event.at,
                    failures: 0,
                };
                let row = Row {
                    delivery,
                    event: name.clone(),
                    state: DeliveryState::Waiting,
                    due,
                    not_before: due,
                    attempts: Vec::new(),
                    replays: None,
                };
                rows.deliveries.insert(id, row);
            }
            Ok(Emitted { event: name, deliveries: subscribers.len(), repeated: false })
        })
    }

    fn cancel(&self, event: EventId) -> Write<usize> {
        self.write(|rows| {
            let of_event =
                |row: &&Row| row.event == event && row.state == DeliveryState::Waiting && row.replays.is_none();
            let ids: Vec<_> = rows.deliveries.values().filter(of_event).map(|row| row.delivery.id).collect();
            Ok(rows.remove(ids.into_iter()))
        })
    }

    fn receive(&self, step: StepName, max: usize) -> Pending<Vec<Delivery>> {
        let (shared, clock) = (Arc::clone(&self.shared), Arc::clone(&self.clock));
        Box::pin(async move {
            loop {
                let changed = shared.changed.notified();
                let now = clock.now();
                let next = {
                    let mut rows = shared.rows.lock();
                    let taken = rows.take(&step, now, max);
                    if !taken.is_empty() {
                        return Ok(taken);
                    }
                    rows.waiting(&step).map(|row| row.not_before).filter(|at| *at > now).min()
                };
                match next {
                    Some(at) => drop(tokio::time::timeout(now.until(at), changed).await),
                    None => changed.await,
                }
            }
        })
    }

    fn ack(&self, id: DeliveryId) -> Write<()> {
        self.write(|rows| {
            rows.back(id)?;
            rows.deliveries.remove(&id);
            Ok(())
        })
    }

    fn retry(&self, id: DeliveryId, failure: Failure, due: Timestamp) -> Write<()> {
        self.write(|rows| rows.fail(id, failure, due, DeliveryState::Waiting))
    }

    fn bury(&self, id: DeliveryId, failure: Failure) -> Write<()> {
        let at = failure.at;
        self.write(|rows| rows.fail(id, failure, at, DeliveryState::Dead))
    }

    fn release(&self, id: DeliveryId) {
        drop(self.write(|rows| rows.back(id).map(|_| ())));
    }

    fn depths(&self) -> Pending<Vec<QueueDepth>> {
        self.read(|rows| {
            let mut depths: BTreeMap<StepName, QueueDepth> = BTreeMap::new();
            let of_rows = rows.deliveries.values().filter(|row| row.state != DeliveryState::Replayed);
            let steps = of_rows.map(|row| (&row.delivery.step, Some(row)));
            for (step, row) in steps.chain(rows.paused.iter().map(|step| (step, None))) {
                let state = row.map(|row| row.state);
                let depth = depths.entry(step.clone()).or_insert_with(|| QueueDepth {
                    step: step.clone(),
                    waiting: 0,
                    running: 0,
                    dead: 0,
                    paused: rows.paused.contains(step),
                    orphan: !rows.subscriptions.iter().any(|subscription| subscription.step == *step),
                });
                depth.waiting += u64::from(state == Some(DeliveryState::Waiting));
                depth.running += u64::from(row.is_some_and(|row| rows.out.contains(&row.delivery.id)));
                depth.dead += u64::from(state == Some(DeliveryState::Dead));
            }
            depths.into_values().collect()
        })
    }

    fn list(
        &self,
        step: StepName,
        state: DeliveryState,
        after: Option<DeliveryId>,
        most: usize,
    ) -> Pending<Vec<DeliveryInfo>> {
        self.read(|rows| {
            let wanted = |row: &&Row| {
                row.delivery.step == step && row.state == state && after.is_none_or(|after| row.delivery.id > after)
            };
            rows.deliveries.values().filter(wanted).take(most).map(|row| row.info(&rows.out)).collect()
        })
    }

    fn show(&self, id: DeliveryId) -> Pending<Option<DeliveryDetails>> {
        self.read(|rows| {
            rows.deliveries.get(&id).map(|row| DeliveryDetails {
                info: row.info(&rows.out),
                data: row.delivery.data.clone(),
                attempts: row.attempts.clone(),
            })
        })
    }

    fn replay(&self, ids: Vec<DeliveryId>, at: Timestamp) -> Write<Vec<(DeliveryId, DeliveryId)>> {
        self.write(|rows| {
            let mut replayed = Vec::new();
            for dead in ids {
                let id = rows.next();
                let Some(row) = rows.deliveries.get_mut(&dead).filter(|row| row.state == DeliveryState::Dead) else {
                    continue;
                };
                row.state = DeliveryState::Replayed;
                let mut again = row.clone();
                again.delivery.id = id;
                again.delivery.failures = 0;
                again.attempts.clear();
                (again.state, again.due, again.not_before) = (DeliveryState::Waiting, at, at);
                again.replays = Some(dead);
                rows.deliveries.insert(id, again);
                replayed.push((dead, id));
            }
            Ok(replayed)
        })
    }

    fn discard(&self, ids: Vec<DeliveryId>) -> Write<usize> {
        self.write(|rows| Ok(rows.remove(ids.into_iter())))
    }

    fn pause(&self, step: StepName, paused: bool) -> Write<()> {
        self.write(|rows| {
            if paused {
                rows.paused.insert(step);
            } else {
                rows.paused.remove(&step);
            }
            Ok(())
        })
    }

    fn transfer(&self, from: StepName, to: StepName, most: usize) -> Write<usize> {
        self.write(|rows| {
            let Rows { deliveries, out, .. } = rows;
            let of_step = |row: &&mut Row| row.delivery.step == from && !out.contains(&row.delivery.id);
            let moved = deliveries.values_mut().filter(of_step).take(most).map(|row| row.delivery.step = to.clone());
            Ok(moved.count())
        })
    }
}
