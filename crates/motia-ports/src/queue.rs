//! Events and their deliveries (design.md P2, P3).

use bytes::Bytes;
use motia_core::step::QueueConfig;
use motia_core::{GroupId, SourcePath, StepName, Timestamp, Topic, TraceId};

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
}

/// Identifies a delivery. Ids grow in the order of the emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// One event for one step.
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
    /// The event's data.
    pub data: Bytes,
    /// When it was emitted.
    pub emitted: Timestamp,
    /// Attempts that failed before.
    pub failures: u32,
}

/// Why an attempt failed: kept with the delivery.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the handler threw, for people.
    pub error: String,
    /// When.
    pub at: Timestamp,
}

/// What the backend holds of a step, for `motia queue` and start-up lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// The step.
    pub step: StepName,
    /// Deliveries that wait or run.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Events on their way to steps.
///
/// 1. Subscriptions are stored. `declare` makes the stored set equal to `active`, plus whatever it held for the files in `broken`:
///    a file that cannot run at the moment keeps its subscriptions, and its deliveries wait.
/// 2. `emit` makes one delivery per stored subscription of the topic, all or none. It answers with their number.
/// 3. A delivery stays until `ack` or `bury`. What was received and not finished when the process ended is received again;
///    nobody is charged an attempt for it.
/// 4. `receive` waits until the step has something to do. What it returned is not returned again before `retry` or `release`.
/// 5. A standard delivery is received no earlier than its delay and its retry time say.
/// 6. In a fifo queue, the deliveries of one group are received one at a time in the order (due time, emit order); one that is to be
///    retried blocks its group until it is finished. An event without a group belongs to one group of its own.
/// 7. `retry` and `bury` count a failed attempt and keep its error; `release` does neither.
pub trait EventQueue: Send + Sync + 'static {
    /// Replaces the stored subscriptions; answers with those that are now in force.
    fn declare(&self, active: Vec<Subscription>, broken: Vec<SourcePath>) -> Pending<Vec<Subscription>>;
    /// Emits an event; answers with the number of deliveries.
    fn emit(&self, event: NewEvent) -> Write<usize>;
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
    /// What is held, per step, of every step that has something.
    fn depths(&self) -> Pending<Vec<QueueDepth>>;
}
