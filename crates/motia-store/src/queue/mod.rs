//! The event queue on SQLite. On disk is what must not be lost: subscriptions, deliveries, failures. In memory is what a restart may
//! forget: which deliveries run, and a bounded window of those that run next ([`lane`]).

mod lane;
mod rows;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use motia_core::step::QueueKind;
use motia_core::{Clock, SourcePath, StepName, Timestamp, Topic};
use motia_ports::queue::{Delivery, DeliveryId, EventQueue, Failure, NewEvent, QueueDepth, Subscription};
use motia_ports::{Error, Mark, Pending, Write};
use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use tokio::sync::Notify;

use crate::reader::Reader;
use crate::sequence::Sequence;
use crate::writer::Writer;
use lane::{Entry, Lane};

/// Data of more bytes than this is not kept in memory while it waits.
pub(crate) const INLINE: usize = 8 << 10;

#[derive(Clone)]
pub(crate) struct Queue {
    writer: Writer,
    reader: Reader,
    ids: Sequence,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

/// What the writer thread changes after commits.
#[derive(Default)]
struct Shared {
    subscriptions: RwLock<Arc<Subscriptions>>,
    lanes: Mutex<HashMap<StepName, LaneSlot>>,
    /// Which step a delivery that was handed out belongs to.
    held: Mutex<HashMap<DeliveryId, StepName>>,
}

#[derive(Default)]
struct Subscriptions {
    by_topic: HashMap<Topic, Vec<Subscriber>>,
    fifo: HashSet<StepName>,
}

#[derive(Clone)]
struct Subscriber {
    step: StepName,
    delay: Duration,
    fifo: bool,
}

struct LaneSlot {
    lane: Lane,
    wake: Arc<Notify>,
}

impl Subscriptions {
    fn new(stored: &[Subscription]) -> Self {
        let mut subscriptions = Self::default();
        for Subscription { step, topics, queue, .. } in stored {
            let fifo = queue.kind == QueueKind::Fifo;
            if fifo {
                subscriptions.fifo.insert(step.clone());
            }
            for topic in topics {
                let subscriber = Subscriber { step: step.clone(), delay: queue.delay, fifo };
                subscriptions.by_topic.entry(topic.clone()).or_default().push(subscriber);
            }
        }
        subscriptions
    }
}

impl Shared {
    fn with_lane(&self, step: &StepName, act: impl FnOnce(&mut Lane)) {
        if let Some(slot) = self.lanes.lock().get_mut(step) {
            act(&mut slot.lane);
            slot.wake.notify_one();
        }
    }

    fn take_held(&self, id: DeliveryId) -> Option<StepName> {
        self.held.lock().remove(&id)
    }

    fn release(&self, id: DeliveryId) {
        if let Some(step) = self.take_held(id) {
            self.with_lane(&step, |lane| lane.released(id));
        }
    }
}

/// Deliveries on their way out: given back if whoever asked for them is gone before they have their data.
struct HandingOut<'a> {
    shared: &'a Shared,
    ids: Vec<DeliveryId>,
}

impl Drop for HandingOut<'_> {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            self.shared.release(id);
        }
    }
}

impl Queue {
    pub(crate) fn new(writer: Writer, reader: Reader, ids: Sequence, clock: Arc<dyn Clock>) -> Self {
        Self { writer, reader, ids, clock, shared: Arc::default() }
    }

    fn is_fifo(&self, step: &StepName) -> bool {
        self.shared.subscriptions.read().fifo.contains(step)
    }

    /// Finishes a delivery: `act` changes the disk, then its lane goes on, in a fifo queue with the next of its group.
    fn finish(
        &self,
        id: DeliveryId,
        act: impl FnOnce(&Connection) -> Result<(), rusqlite::Error> + Send + 'static,
    ) -> Write<()> {
        let Some(step) = self.shared.take_held(id) else { return refused() };
        let group = self.shared.lanes.lock().get(&step).and_then(|slot| slot.lane.group_of(id));
        let (shared, successor_of, finished_step) = (Arc::clone(&self.shared), step.clone(), step.clone());
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                act(connection)?;
                match group {
                    Some(group) => rows::head_of_group(connection, &successor_of, group.as_ref()),
                    None => Ok(None),
                }
            },
            move |successor| shared.with_lane(&finished_step, |lane| lane.finished(id, successor.clone())),
        );
        self.or_held_again(id, step, Write { mark, done: Box::pin(async move { done.await.map(|_| ()) }) })
    }

    /// A delivery whose outcome could not be stored is still handed out: whoever has it may release it.
    fn or_held_again(&self, id: DeliveryId, step: StepName, write: Write<()>) -> Write<()> {
        let (shared, Write { mark, done }) = (Arc::clone(&self.shared), write);
        let done = async move {
            let outcome = done.await;
            if outcome.is_err() {
                shared.held.lock().insert(id, step);
            }
            outcome
        };
        Write { mark, done: Box::pin(done) }
    }

    /// Reads what a lane should hold next. On the writer thread, so that it cannot miss or repeat what is being committed.
    async fn refill(&self, step: &StepName) -> Result<(), Error> {
        const MOST: usize = lane::WINDOW + lane::MOST_HELD;
        let (shared, of, to, fifo) = (Arc::clone(&self.shared), step.clone(), step.clone(), self.is_fifo(step));
        let write = self.writer.submit_then(
            move |connection| rows::next(connection, &of, fifo, MOST),
            move |entries| {
                shared.with_lane(&to, |lane| lane.refilled(entries.iter().cloned(), entries.len() == MOST));
            },
        );
        write.done.await.map(|_| ()).inspect_err(|_| self.shared.with_lane(step, Lane::refill_failed))
    }

    /// Fetches the data that was too large to wait in memory.
    async fn load(&self, entries: Vec<Entry>) -> Result<Vec<Delivery>, Error> {
        let ids = entries.iter().map(Entry::id).collect();
        let mut handing_out = HandingOut { shared: &self.shared, ids };
        let mut deliveries = Vec::with_capacity(entries.len());
        for entry in entries {
            let (mut delivery, loaded) = entry.into_delivery();
            if !loaded {
                let id = delivery.id;
                delivery.data = self.reader.read(Mark::NONE, move |connection| rows::data(connection, id)).await?;
            }
            deliveries.push(delivery);
        }
        handing_out.ids.clear();
        Ok(deliveries)
    }
}

fn refused() -> Write<()> {
    Write { mark: Mark::NONE, done: Box::pin(async { Err(Error::Failed("the delivery is not held".into())) }) }
}

impl EventQueue for Queue {
    fn declare(&self, active: Vec<Subscription>, broken: Vec<SourcePath>) -> Pending<Vec<Subscription>> {
        let shared = Arc::clone(&self.shared);
        let write = self.writer.submit_atomic(
            move |connection| rows::declare(connection, &active, &broken),
            move |stored: &Vec<Subscription>| {
                let subscriptions = Subscriptions::new(stored);
                for (step, slot) in shared.lanes.lock().iter_mut() {
                    slot.lane.set_fifo(subscriptions.fifo.contains(step));
                    slot.wake.notify_one();
                }
                *shared.subscriptions.write() = Arc::new(subscriptions);
            },
        );
        write.done
    }

    fn emit(&self, event: NewEvent) -> Write<usize> {
        let subscriptions = Arc::clone(&self.shared.subscriptions.read());
        let Some(subscribers) = subscriptions.by_topic.get(&event.topic).filter(|list| !list.is_empty()).cloned()
        else {
            return Write { mark: Mark::NONE, done: Box::pin(async { Ok(0) }) };
        };
        let (ids, shared) = (self.ids.clone(), Arc::clone(&self.shared));
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                let share = subscribers.len() > 1 && event.data.len() > INLINE;
                let payload =
                    share.then(|| rows::insert_payload(connection, &event.data, subscribers.len())).transpose()?;
                let mut entries = Vec::with_capacity(subscribers.len());
                for Subscriber { step, delay, fifo } in subscribers {
                    let delivery = deliver(&event, DeliveryId(ids.next()), step);
                    let due = event.at.plus(delay);
                    rows::insert(connection, &delivery, due, fifo, payload)?;
                    entries.push(Entry::new(delivery, due));
                }
                Ok(entries)
            },
            move |entries| {
                for entry in entries {
                    shared.with_lane(entry.step(), |lane| lane.emitted(entry.clone()));
                }
            },
        );
        Write { mark, done: Box::pin(async move { done.await.map(|entries| entries.len()) }) }
    }

    fn receive(&self, step: StepName, max: usize) -> Pending<Vec<Delivery>> {
        let fifo = self.is_fifo(&step);
        let wake = {
            let mut lanes = self.shared.lanes.lock();
            let slot = lanes
                .entry(step.clone())
                .or_insert_with(|| LaneSlot { lane: Lane::new(fifo), wake: Arc::new(Notify::new()) });
            Arc::clone(&slot.wake)
        };
        let this = self.clone();
        Box::pin(async move {
            loop {
                let wants_refill = |slot: &mut LaneSlot| slot.lane.wants_refill();
                if this.shared.lanes.lock().get_mut(&step).is_some_and(wants_refill) {
                    this.refill(&step).await?;
                }
                let now = this.clock.now();
                let (taken, next_at) = {
                    let mut lanes = this.shared.lanes.lock();
                    let Some(LaneSlot { lane, .. }) = lanes.get_mut(&step) else { return Err(Error::Closed) };
                    let taken = lane.take(now, max);
                    // Under the same lock: from here on each of them is known as handed out.
                    this.shared.held.lock().extend(taken.iter().map(|entry| (entry.id(), step.clone())));
                    (taken, lane.next_at())
                };
                if !taken.is_empty() {
                    return this.load(taken).await;
                }
                match next_at {
                    // Early or late does not matter: the loop looks again.
                    Some(at) => drop(tokio::time::timeout(now.until(at), wake.notified()).await),
                    None => wake.notified().await,
                }
            }
        })
    }

    fn ack(&self, id: DeliveryId) -> Write<()> {
        self.finish(id, move |connection| rows::delete(connection, id))
    }

    fn retry(&self, id: DeliveryId, failure: Failure, due: Timestamp) -> Write<()> {
        let Some(step) = self.shared.take_held(id) else { return refused() };
        let (shared, of) = (Arc::clone(&self.shared), step.clone());
        let write = self.writer.submit_atomic(
            move |connection| rows::postpone(connection, id, &failure, due),
            move |()| shared.with_lane(&of, |lane| lane.retried(id, due)),
        );
        self.or_held_again(id, step, write)
    }

    fn bury(&self, id: DeliveryId, failure: Failure) -> Write<()> {
        self.finish(id, move |connection| rows::bury(connection, id, &failure))
    }

    fn release(&self, id: DeliveryId) {
        self.shared.release(id);
    }

    fn depths(&self) -> Pending<Vec<QueueDepth>> {
        self.reader.read(Mark::NONE, rows::depths)
    }
}

fn deliver(event: &NewEvent, id: DeliveryId, step: StepName) -> Delivery {
    Delivery {
        id,
        step,
        topic: event.topic.clone(),
        trace: event.trace,
        parent: event.parent.clone(),
        group: event.group.clone(),
        data: event.data.clone(),
        emitted: event.at,
        failures: 0,
    }
}

/// An absent text stands for "no data".
fn bytes(text: Option<String>) -> Bytes {
    text.map(|text| Bytes::from(text.into_bytes())).unwrap_or_default()
}
