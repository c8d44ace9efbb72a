//! The event queue on SQLite. On disk is what must not be lost: subscriptions, deliveries, failures. In memory is what a restart may
//! forget: which deliveries are out, and a bounded window of those that run next.
//!
//! | module | holds |
//! |---|---|
//! | `lane` | the window of one step, without any IO |
//! | `lanes` | all windows, and how they are filled from disk |
//! | `subscriptions` | who gets which events |
//! | `rows` | deliveries on disk |
//! | `inspect`, `redeliver` | what people look at, and what they do about it |

pub(crate) mod adopt;
mod inspect;
mod lane;
mod lanes;
mod redeliver;
mod rows;
mod subscriptions;

use std::sync::Arc;

use motia_core::{EventId, Priority, SourcePath, StepName, Timestamp};
use motia_ports::queue::{
    Delivery, DeliveryDetails, DeliveryId, DeliveryInfo, DeliveryState, Emitted, EventQueue, Failure, NewEvent,
    QueueDepth, Subscription,
};
use motia_ports::{Error, Mark, Pending, Write};

use crate::reader::Reader;
use crate::sequence::Sequence;
use crate::steady::SteadyClock;
use crate::writer::Writer;
use lane::{Entry, Rule};
use lanes::Lanes;
use subscriptions::{Subscriber, Subscriptions};

/// Removes a dead letter, or one that was replayed. Nothing in memory knows of it.
pub(crate) fn remove_finished(connection: &rusqlite::Connection, id: DeliveryId) -> Result<(), rusqlite::Error> {
    let finished = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM deliveries WHERE id = ?1 AND state > 0)")?
        .query_row([rows::key(id)], |row| row.get(0))?;
    if finished { rows::delete(connection, id) } else { Ok(()) }
}

/// Data of more bytes than this is not kept in memory while it waits.
pub(crate) const INLINE: usize = 8 << 10;

#[derive(Clone)]
pub(crate) struct Queue {
    writer: Writer,
    reader: Reader,
    ids: Sequence,
    clock: SteadyClock,
    lanes: Arc<Lanes>,
}

impl Queue {
    /// `paused`: the steps that are.
    pub(crate) fn new(
        writer: Writer,
        reader: Reader,
        ids: Sequence,
        clock: SteadyClock,
        paused: Vec<StepName>,
    ) -> Self {
        let lanes = Arc::new(Lanes::new(clock.clone(), paused));
        Self { writer, reader, ids, clock, lanes }
    }

    /// Fetches the data that was too large to wait in memory.
    async fn load(&self, entries: Vec<Entry>) -> Result<Vec<Delivery>, Error> {
        let mut handing_out = HandingOut { lanes: &self.lanes, ids: entries.iter().map(Entry::id).collect() };
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

    /// Reads what a lane should hold. On the writer thread, so that it cannot miss or repeat what is being committed.
    async fn refill(&self, step: &StepName) -> Result<(), Error> {
        let (lanes, of) = (Arc::clone(&self.lanes), step.clone());
        let write = self.writer.submit_then(|_| Ok(()), move |connection, ()| lanes.refill(connection, &of));
        write.done.await.inspect_err(|_| {
            self.lanes.with(step, lane::Lane::refill_failed);
        })
    }

    /// Changes a delivery that is out; its lane goes on after the commit. One whose outcome could not be stored is out as before, and
    /// whoever has it may release it.
    fn finish(
        &self,
        id: DeliveryId,
        act: impl FnOnce(&rusqlite::Connection, Rule) -> Result<(), rusqlite::Error> + Send + 'static,
        then: impl FnOnce(&Lanes, &rusqlite::Connection, &StepName) + Send + 'static,
    ) -> Write<()> {
        let Some(step) = self.lanes.take_out(id) else {
            return Write { mark: Mark::NONE, done: Box::pin(async { Err(Error::not_held()) }) };
        };
        let rule = self.lanes.rule(&step);
        let (lanes, of) = (Arc::clone(&self.lanes), step.clone());
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| act(connection, rule),
            move |connection, ()| then(&lanes, connection, &of),
        );
        let lanes = Arc::clone(&self.lanes);
        let done = async move {
            let outcome = done.await;
            if outcome.is_err() {
                lanes.put_out(id, step);
            }
            outcome
        };
        Write { mark, done: Box::pin(done) }
    }

    /// Removes deliveries that are not out, in one step with the look whether they are. `choose` reads which.
    fn remove(
        &self,
        choose: impl FnOnce(&rusqlite::Connection) -> Result<Vec<DeliveryId>, rusqlite::Error> + Send + 'static,
    ) -> Write<usize> {
        let (lanes, after, failed) = (Arc::clone(&self.lanes), Arc::clone(&self.lanes), Arc::clone(&self.lanes));
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                let mut removed = Vec::new();
                for id in choose(connection)? {
                    let Some((step, group)) = rows::lane_of(connection, id)? else { continue };
                    if lanes.withdraw(&step, id) {
                        rows::delete(connection, id)?;
                        removed.push((step, group));
                    }
                }
                Ok(removed)
            },
            move |connection, removed| after.removed(connection, removed),
        );
        let done = async move {
            match done.await {
                Ok(removed) => Ok(removed.len()),
                Err(error) => {
                    failed.reread_all();
                    Err(error)
                }
            }
        };
        Write { mark, done: Box::pin(done) }
    }
}

/// Deliveries on their way out: given back if whoever asked for them is gone before they have their data.
struct HandingOut<'a> {
    lanes: &'a Lanes,
    ids: Vec<DeliveryId>,
}

impl Drop for HandingOut<'_> {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            self.lanes.release(id);
        }
    }
}

impl EventQueue for Queue {
    fn declare(&self, active: Vec<Subscription>, broken: Vec<SourcePath>) -> Pending<Vec<Subscription>> {
        let lanes = Arc::clone(&self.lanes);
        let write = self.writer.submit_atomic(
            move |connection| subscriptions::declare(connection, &active, &broken),
            move |_, stored| lanes.subscribe(Subscriptions::new(stored)),
        );
        write.done
    }

    fn emit(&self, event: NewEvent) -> Write<Emitted> {
        let subscriptions = self.lanes.subscriptions();
        let subscribers = subscriptions.of(&event.topic);
        if subscribers.is_empty() && event.once.is_none() {
            let id = self.ids.next();
            let emitted = Emitted { event: rows::event_id(&(id..id)), deliveries: 0, repeated: false };
            return Write { mark: Mark::NONE, done: Box::pin(async { Ok(emitted) }) };
        }
        let (ids, lanes, subscribers) = (self.ids.clone(), Arc::clone(&self.lanes), subscribers.to_vec());
        let clock = self.clock.clone();
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                if let Some(once) = &event.once
                    && let Some(first) = rows::remembered(connection, &event, &once.key)?
                {
                    return Ok((Emitted { event: first, deliveries: 0, repeated: true }, Vec::new()));
                }
                // Numbered here, on the writer thread: the deliveries of an event follow one another.
                let count = subscribers.len() as u64;
                let first = ids.take(count.max(1));
                let deliveries = first..first + count;
                let id = rows::event_id(&deliveries);
                if let Some(once) = &event.once {
                    rows::remember(connection, &event.topic, &once.key, &id, once.until)?;
                }
                let share = subscribers.len() > 1 && event.data.len() > INLINE;
                let payload =
                    share.then(|| rows::insert_payload(connection, &event.data, subscribers.len())).transpose()?;
                let mut entries = Vec::with_capacity(subscribers.len());
                // On this thread, so that what comes later in the order of ids is never due earlier without a reason of its own.
                let (at, ahead) = (clock.now(), clock.ahead());
                for (number, subscriber) in deliveries.zip(subscribers) {
                    let due = event.due.map_or_else(|| at.plus(subscriber.delay), |due| due.plus(ahead));
                    let rule = subscriber.rule;
                    let delivery = deliver(&event, at, DeliveryId(number), subscriber);
                    rows::insert(connection, &delivery, due, rule, payload)?;
                    entries.push(Entry::new(delivery, due));
                }
                Ok((Emitted { event: id, deliveries: entries.len(), repeated: false }, entries))
            },
            move |connection, (_, entries)| {
                for entry in entries {
                    lanes.emitted(connection, entry.clone());
                }
            },
        );
        Write { mark, done: Box::pin(async move { done.await.map(|(emitted, _)| emitted) }) }
    }

    fn cancel(&self, event: EventId) -> Write<usize> {
        self.remove(move |connection| rows::waiting_of(connection, &event))
    }

    fn receive(&self, step: StepName, max: usize) -> Pending<Vec<Delivery>> {
        let wake = self.lanes.open(&step);
        let this = self.clone();
        Box::pin(async move {
            loop {
                let woken = wake.notified();
                let now = this.clock.now();
                if this.lanes.wants_refill(&step, now) {
                    this.refill(&step).await?;
                }
                let (taken, next_at) = this.lanes.take(&step, max);
                if !taken.is_empty() {
                    return this.load(taken).await;
                }
                match next_at {
                    // Early or late does not matter: the loop looks again.
                    Some(at) => drop(tokio::time::timeout(this.clock.now().until(at), woken).await),
                    None => woken.await,
                }
            }
        })
    }

    fn ack(&self, id: DeliveryId) -> Write<()> {
        self.finish(
            id,
            move |connection, _| rows::delete(connection, id),
            move |lanes, connection, step| lanes.finished(connection, step, id),
        )
    }

    fn retry(&self, id: DeliveryId, failure: Failure, due: Timestamp) -> Write<()> {
        let ahead = self.clock.ahead();
        let (failure, due) = (Failure { at: failure.at.plus(ahead), ..failure }, due.plus(ahead));
        self.finish(
            id,
            move |connection, rule| rows::postpone(connection, id, &failure, due, rule),
            move |lanes, connection, step| lanes.retried(connection, step, id, due),
        )
    }

    fn bury(&self, id: DeliveryId, failure: Failure) -> Write<()> {
        self.finish(
            id,
            move |connection, _| rows::bury(connection, id, &failure),
            move |lanes, connection, step| lanes.finished(connection, step, id),
        )
    }

    fn release(&self, id: DeliveryId) {
        self.lanes.release(id);
    }

    fn depths(&self) -> Pending<Vec<QueueDepth>> {
        let (depths, lanes) = (self.reader.read(Mark::NONE, inspect::depths), Arc::clone(&self.lanes));
        Box::pin(async move {
            let mut depths = depths.await?;
            for depth in &mut depths {
                // What has just been finished is on disk for another moment.
                depth.running = lanes.count_out(&depth.step).min(depth.waiting);
            }
            Ok(depths)
        })
    }

    fn list(
        &self,
        step: StepName,
        state: DeliveryState,
        after: Option<DeliveryId>,
        most: usize,
    ) -> Pending<Vec<DeliveryInfo>> {
        let lanes = Arc::clone(&self.lanes);
        let of = step.clone();
        let list = self.reader.read(Mark::NONE, move |connection| inspect::list(connection, &of, state, after, most));
        Box::pin(async move {
            let mut list = list.await?;
            for info in &mut list {
                info.running = lanes.is_out(&step, info.id);
            }
            Ok(list)
        })
    }

    fn show(&self, id: DeliveryId) -> Pending<Option<DeliveryDetails>> {
        let lanes = Arc::clone(&self.lanes);
        let show = self.reader.read(Mark::NONE, move |connection| inspect::show(connection, id));
        Box::pin(async move {
            let mut details = show.await?;
            if let Some(DeliveryDetails { info, .. }) = &mut details {
                info.running = lanes.is_out(&info.step, info.id);
            }
            Ok(details)
        })
    }

    fn replay(&self, dead: Vec<DeliveryId>, at: Timestamp) -> Write<Vec<(DeliveryId, DeliveryId)>> {
        let at = at.plus(self.clock.ahead());
        let (ids, lanes, after) = (self.ids.clone(), Arc::clone(&self.lanes), Arc::clone(&self.lanes));
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                let mut replayed = Vec::new();
                for dead in dead {
                    let again = DeliveryId(ids.next());
                    let entry = redeliver::replay(connection, dead, again, at, |step| lanes.rule(step))?;
                    replayed.extend(entry.map(|entry| (dead, entry)));
                }
                Ok(replayed)
            },
            move |connection, replayed| {
                for (_, entry) in replayed {
                    after.emitted(connection, entry.clone());
                }
            },
        );
        let ids = |(dead, entry): &(DeliveryId, Entry)| (*dead, entry.id());
        Write { mark, done: Box::pin(async move { done.await.map(|replayed| replayed.iter().map(ids).collect()) }) }
    }

    fn discard(&self, ids: Vec<DeliveryId>) -> Write<usize> {
        self.remove(move |_| Ok(ids))
    }

    fn pause(&self, step: StepName, paused: bool) -> Write<()> {
        let (lanes, of) = (Arc::clone(&self.lanes), step.clone());
        self.writer.submit_then(
            move |connection| {
                let sql = if paused {
                    "INSERT OR IGNORE INTO paused (step) VALUES (?1)"
                } else {
                    "DELETE FROM paused WHERE step = ?1"
                };
                connection.prepare_cached(sql)?.execute([step.as_str()]).map(|_| ())
            },
            move |_, ()| lanes.pause(&of, paused),
        )
    }

    fn transfer(&self, from: StepName, to: StepName, most: usize) -> Write<usize> {
        let (lanes, after, both) = (Arc::clone(&self.lanes), Arc::clone(&self.lanes), [from.clone(), to.clone()]);
        let Write { mark, done } = self.writer.submit_atomic(
            move |connection| {
                // From here on nothing of it can be handed out.
                lanes.reread([&from].into_iter());
                let is_out = |id| lanes.is_out(&from, id);
                redeliver::transfer(connection, (&from, &to), lanes.rule(&to), most, is_out)
            },
            move |_, _| after.reread(both.iter()),
        );
        Write { mark, done }
    }
}

fn deliver(event: &NewEvent, at: Timestamp, id: DeliveryId, to: Subscriber) -> Delivery {
    Delivery {
        id,
        step: to.step,
        topic: event.topic.clone(),
        trace: event.trace,
        parent: event.parent.clone(),
        group: event.group.clone(),
        priority: if to.rule == Rule::Fifo { Priority::default() } else { event.priority },
        data: event.data.clone(),
        emitted: at,
        failures: 0,
    }
}
