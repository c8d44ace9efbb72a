//! The stream hub: what changes in streams goes to those who watch.
//!
//! The store tells of every change, after its commit and in order; one task passes it on. A subscription first hears how things are, then what
//! changes after that: nothing is missed, and nothing goes back.
//!
//! | module | holds |
//! |---|---|
//! | `rooms` | who watches what |
//! | `outbox` | what is on its way to one of them |
//! | `frame` | messages as JSON |
//! | `stamps` | the times that they bear |
//! | `guard` | whether the project lets somebody watch |

mod frame;
mod guard;
mod outbox;
mod rooms;
mod stamps;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use motia_core::{Clock, GroupId, ItemKey, StreamName};
use motia_ports::Streams;
use motia_ports::streams::{Published, Snapshot};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use guard::{Denied, Gate, TurnedAway, Visitor};
pub use outbox::{Message, Outbox};
use rooms::{Rooms, Told};
use stamps::Stamps;

/// How many subscriptions are told at a time how things are.
const READS: usize = 64;

/// One who watches: a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WatcherId(u64);

/// What somebody wants to watch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The stream.
    pub stream: StreamName,
    /// The group.
    pub group: GroupId,
    /// The item; none for the whole group.
    pub id: Option<ItemKey>,
    /// How the client calls it.
    pub name: String,
}

impl Subscription {
    /// What a message is about that names nothing.
    pub fn nothing() -> Self {
        Self { stream: "".into(), group: "".into(), id: None, name: String::new() }
    }
}

enum Command {
    Published(Published),
    Join(WatcherId, Outbox, Subscription, oneshot::Sender<()>),
    Synced(WatcherId, Subscription, Snapshot, oneshot::Sender<()>),
    Failed(WatcherId, Outbox, Subscription, String),
    Refuse(Outbox, Subscription, &'static str, String),
    Leave(WatcherId, Subscription),
    Gone(WatcherId),
}

/// A handle on the hub. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    commands: mpsc::UnboundedSender<Command>,
    watchers: Arc<AtomicU64>,
}

/// The hub before it runs.
pub struct Dispatch {
    hub: Hub,
    inbox: mpsc::UnboundedReceiver<Command>,
    streams: Arc<dyn Streams>,
    rooms: Rooms,
    stamps: Stamps,
    tasks: TaskTracker,
    /// Turns of reads: all who come back after a restart must not fill the memory with what they are told.
    reads: Arc<Semaphore>,
}

impl Hub {
    /// A hub over these streams, told of everything from now on.
    pub fn new(streams: Arc<dyn Streams>, clock: Arc<dyn Clock>, tasks: TaskTracker) -> (Self, Dispatch) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let hub = Self { commands, watchers: Arc::default() };
        let tell = hub.commands.clone();
        // The engine may be stopping.
        streams.observe(Arc::new(move |published| drop(tell.send(Command::Published(published)))));
        let stamps = Stamps::new(clock, Arc::clone(&streams), tasks.clone());
        let rooms = Rooms::default();
        let reads = Arc::new(Semaphore::new(READS));
        let dispatch = Dispatch { hub: hub.clone(), inbox, streams, rooms, stamps, tasks, reads };
        (hub, dispatch)
    }

    /// Somebody new.
    pub fn watcher(&self) -> WatcherId {
        WatcherId(self.watchers.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets somebody watch: first comes how things are, then what changes. Returns once the first is on its way.
    pub async fn join(&self, watcher: WatcherId, outbox: &Outbox, subscription: Subscription) {
        let (done, begun) = oneshot::channel();
        self.send(Command::Join(watcher, outbox.clone(), subscription, done));
        // The engine may be stopping, and the watcher may have left meanwhile.
        let _ = begun.await;
    }

    /// Tells somebody that it may not, and why.
    pub fn refuse(&self, outbox: &Outbox, subscription: Subscription, code: &'static str, why: String) {
        self.send(Command::Refuse(outbox.clone(), subscription, code, why));
    }

    /// Somebody watches this no more.
    pub fn leave(&self, watcher: WatcherId, subscription: Subscription) {
        self.send(Command::Leave(watcher, subscription));
    }

    /// Somebody is gone.
    pub fn gone(&self, watcher: WatcherId) {
        self.send(Command::Gone(watcher));
    }

    fn send(&self, command: Command) {
        // The engine may be stopping.
        let _ = self.commands.send(command);
    }
}

impl Dispatch {
    /// Passes on what comes, until the engine stops.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let command = tokio::select! {
                command = self.inbox.recv() => command,
                () = shutdown.cancelled() => return,
            };
            let Some(command) = command else { return };
            self.act(command);
        }
    }

    fn act(&mut self, command: Command) {
        match command {
            Command::Published(published) => {
                if self.rooms.has(&published) {
                    let frame = frame::published(self.stamps.next(), &published);
                    self.rooms.publish(&published, &frame);
                }
            }
            Command::Join(watcher, outbox, subscription, done) => {
                self.rooms.join(watcher, &outbox, &subscription);
                self.read(watcher, outbox, subscription, done);
            }
            Command::Synced(watcher, subscription, Snapshot { upto, items }, _done) => {
                let Subscription { stream, group, id, .. } = &subscription;
                let Self { rooms, stamps, .. } = self;
                rooms.synced(watcher, &subscription, upto, |told| match told {
                    Told::Sync => frame::sync(stamps.next(), stream, group, id.as_ref(), &items),
                    Told::Published(published) => frame::published(stamps.next(), published),
                });
            }
            Command::Failed(watcher, outbox, subscription, why) => {
                let Self { rooms, stamps, .. } = self;
                rooms.failed(watcher, &subscription, |told| match told {
                    Told::Sync => Bytes::new(),
                    Told::Published(published) => frame::published(stamps.next(), published),
                });
                self.refuse(&outbox, &subscription, "STREAM_READ_FAILED", &why);
            }
            Command::Refuse(outbox, subscription, code, why) => {
                self.refuse(&outbox, &subscription, code, &why);
            }
            Command::Leave(watcher, subscription) => self.rooms.leave(watcher, &subscription),
            Command::Gone(watcher) => self.rooms.gone(watcher),
        }
    }

    fn refuse(&mut self, outbox: &Outbox, subscription: &Subscription, code: &str, why: &str) {
        let Subscription { stream, group, id, .. } = subscription;
        outbox.push(frame::refused(self.stamps.next(), stream, group, id.as_ref(), code, why));
    }

    /// Reads how things are, for a subscription that has begun.
    fn read(&self, watcher: WatcherId, outbox: Outbox, subscription: Subscription, done: oneshot::Sender<()>) {
        let (hub, streams, turns) = (self.hub.clone(), Arc::clone(&self.streams), Arc::clone(&self.reads));
        self.tasks.spawn(async move {
            let Subscription { stream, group, id, .. } = subscription.clone();
            let turn = turns.acquire_owned().await;
            let snapshot = streams.snapshot(stream, group, id).await;
            drop(turn);
            match snapshot {
                Ok(snapshot) => hub.send(Command::Synced(watcher, subscription, snapshot, done)),
                Err(error) => {
                    hub.send(Command::Failed(watcher, outbox, subscription, error.to_string()));
                }
            }
        });
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
