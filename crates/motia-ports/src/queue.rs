//! Events and their deliveries (design.md P2, P3).

use bytes::Bytes;
use motia_core::step::QueueConfig;
use motia_core::{EventId, GroupId, Priority, SourcePath, StepName, Timestamp, Topic, TraceId};

use crate::{Pending, Write};

/// A step that wants the events of some topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The step.
    pub step: StepName,
    /// Its file.
    pub source: SourcePath,
    /// Its topics.
    pub topics: Vec<Topic>,
    /// How its deliveries are ordered, delayed and retried.
    pub queue: QueueConfig,
}

/// An event to be delivered.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its topic.
    pub topic: Topic,
    /// The chain it belongs to.
    pub trace: TraceId,
    /// The W3C trace context that came in with the chain, if one did.
    pub parent: Option<String>,
    /// The ordering key (`messageGroupId`).
    pub group: Option<GroupId>,
    /// A JSON text; empty where the emitter passed nothing.
    pub data: Bytes,
    /// When it was emitted.
    pub at: Timestamp,
    /// When its deliveries are due, whatever its subscribers say of delays.
    pub due: Option<Timestamp>,
    /// Which of the due deliveries of a standard queue come first.
    pub priority: Priority,
    /// Emits it once only.
    pub once: Option<Once>,
}

/// While its key is remembered, no second event of the topic with the same key is emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The idempotency key.
    pub key: String,
    /// How long it is remembered.
    pub until: Timestamp,
}

/// What became of an emit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// The event: where it was to be emitted only once, the first one.
    pub event: EventId,
    /// How many steps it goes to; of a repeated one, none.
    pub deliveries: usize,
    /// It was emitted before under the same idempotency key.
    pub repeated: bool,
}

/// Identifies a delivery. Ids grow in the order of the emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// One event for one step, handed out to be handled.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The step it is for.
    pub step: StepName,
    /// The event's topic.
    pub topic: Topic,
    /// The chain it belongs to.
    pub trace: TraceId,
    /// The W3C trace context of the chain.
    pub parent: Option<String>,
    /// The ordering key.
    pub group: Option<GroupId>,
    /// Which come first.
    pub priority: Priority,
    /// The event's data.
    pub data: Bytes,
    /// When it was emitted.
    pub emitted: Timestamp,
    /// Attempts that failed before.
    pub failures: u32,
}

/// Why an attempt failed: kept with the delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the handler threw, for people.
    pub error: String,
    /// When.
    pub at: Timestamp,
}

/// Where a delivery is in its life, as far as that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits or runs.
    Waiting,
    /// Its attempts are used up: a dead letter.
    Dead,
    /// A dead letter that was replayed.
    Replayed,
}

/// A delivery as people look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryInfo {
    /// Its id.
    pub id: DeliveryId,
    /// The step it is for.
    pub step: StepName,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// Whether it is out: received and not finished.
    pub running: bool,
    /// The event's topic.
    pub topic: Topic,
    /// The chain it belongs to.
    pub trace: TraceId,
    /// The ordering key.
    pub group: Option<GroupId>,
    /// Which come first.
    pub priority: Priority,
    /// When it was emitted.
    pub emitted: Timestamp,
    /// When it may run next, or became a dead letter.
    pub at: Timestamp,
    /// Attempts that failed.
    pub failures: u32,
    /// What the last of them failed with.
    pub last_error: Option<String>,
    /// The dead letter that it replays.
    pub replays: Option<DeliveryId>,
    /// How many bytes of data it has.
    pub bytes: u64,
}

/// All that is kept of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryDetails {
    /// What is in lists too.
    pub info: DeliveryInfo,
    /// The event's data.
    pub data: Bytes,
    /// Every failed attempt, the first one first.
    pub attempts: Vec<Failure>,
}

/// What the backend holds of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// The step.
    pub step: StepName,
    /// Deliveries that wait or run.
    pub waiting: u64,
    /// How many of those run.
    pub running: u64,
    /// Dead letters.
    pub dead: u64,
    /// Nothing of it is received until it is resumed.
    pub paused: bool,
    /// No stored subscription has this step: it was renamed or removed, and what waits here waits in vain.
    pub orphan: bool,
}

/// Events on their way to steps.
///
/// 1. Subscriptions are stored. `declare` makes the stored set equal to `active`, plus whatever it held for the files in `broken`:
///    a file that cannot run at the moment keeps its subscriptions, and its deliveries wait.
/// 2. `emit` makes one delivery per stored subscription of the topic, all or none.
/// 3. A delivery stays until `ack`, `bury`, `cancel` or `discard`. What was received and not finished when the process ended is received
///    again; nobody is charged an attempt for it.
/// 4. `receive` waits until the step has something to do. What it returned is not returned again before `retry` or `release`.
/// 5. A delivery is received no earlier than it is due (`due` of the event, else its subscriber's delay) and its retry time says.
/// 6. In a fifo queue, the deliveries of one group are received one at a time in the order (due time, emit order); one that is to be
///    retried blocks its group until it is finished. An event without a group belongs to one group of its own.
/// 7. `retry` and `bury` count a failed attempt and keep its error; `release` does neither.
/// 8. In a standard queue, of the deliveries that may run those with the higher priority are received first, and among them the
///    one that could run first.
/// 9. In a standard queue with a group concurrency, no more deliveries of one group are out at a time. One that waits for its retry is
///    not out. Deliveries without a group are not limited.
/// 10. While the key of `once` is remembered, an emit of the same topic and key makes nothing and answers with the first event. Topics
///     do not share keys.
/// 11. `cancel` takes the deliveries of an event back that are not out and have not become dead letters; it answers with their number.
/// 12. `replay` makes, of each dead letter named, a new delivery with the whole input that is due now, at the tail of its group, with no
///     failures; the dead letter is kept as replayed and cannot be replayed again. `discard` removes what is named, unless it is out.
/// 13. `pause` is stored. A paused step receives nothing; what is out may be finished.
/// 14. `transfer` hands what one step holds and has not out over to another, in the same order.
pub trait EventQueue: Send + Sync + 'static {
    /// Replaces the stored subscriptions; answers with those that are now in force.
    fn declare(&self, active: Vec<Subscription>, broken: Vec<SourcePath>) -> Pending<Vec<Subscription>>;
    /// Emits an event.
    fn emit(&self, event: NewEvent) -> Write<Emitted>;
    /// Takes an event back; answers with the number of deliveries that are gone.
    fn cancel(&self, event: EventId) -> Write<usize>;
    /// The next deliveries of a step, at least one and at most `max`.
    fn receive(&self, step: StepName, max: usize) -> Pending<Vec<Delivery>>;
    /// The delivery was handled.
    fn ack(&self, id: DeliveryId) -> Write<()>;
    /// The attempt failed; another one is due at `due`.
    fn retry(&self, id: DeliveryId, failure: Failure, due: Timestamp) -> Write<()>;
    /// The attempt failed and was the last: the delivery becomes a dead letter.
    fn bury(&self, id: DeliveryId, failure: Failure) -> Write<()>;
    /// The attempt was cut off by no fault of the handler: it may be received again at once.
    fn release(&self, id: DeliveryId);

    /// What is held, per step, of every step that has something or is paused.
    fn depths(&self) -> Pending<Vec<QueueDepth>>;
    /// The deliveries of a step in a state, by id, those behind `after`, at most `most`.
    fn list(
        &self,
        step: StepName,
        state: DeliveryState,
        after: Option<DeliveryId>,
        most: usize,
    ) -> Pending<Vec<DeliveryInfo>>;
    /// All that is kept of a delivery.
    fn show(&self, id: DeliveryId) -> Pending<Option<DeliveryDetails>>;
    /// Delivers dead letters again; answers with each that was one and the delivery that replays it.
    fn replay(&self, ids: Vec<DeliveryId>, at: Timestamp) -> Write<Vec<(DeliveryId, DeliveryId)>>;
    /// Removes deliveries; answers with how many there were.
    fn discard(&self, ids: Vec<DeliveryId>) -> Write<usize>;
    /// Pauses a step, or resumes it.
    fn pause(&self, step: StepName, paused: bool) -> Write<()>;
    /// Hands over at most `most` of what one step holds; answers with how many that were.
    fn transfer(&self, from: StepName, to: StepName, most: usize) -> Write<usize>;
}
