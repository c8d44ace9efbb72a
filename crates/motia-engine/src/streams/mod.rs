//! The stream hub: what changes in streams goes to those who watch.
//!
//! The store tells of every change, after its commit and in order; one task passes it on. A subscription first hears how things are, then what
//! changes after that: nothing is missed, and nothing goes back.
//!
//! | module | holds |
//! |---|---|
//! | `rooms` | who watches what |
//! | `frame` | messages as JSON, and their timestamps |

mod frame;
mod rooms;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use motia_core::{Clock, GroupId, ItemKey, StreamName, Timestamp};
use motia_ports::Streams;
use motia_ports::streams::{Published, Snapshot};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use frame::{Stamp, Stamps};
use rooms::Rooms;

/// How far ahead it is stored up to when messages may be stamped.
const STAMPS_AHEAD: Duration = Duration::from_secs(10);

/// One who watches: a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WatcherId(u64);

/// What somebody wants to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Messages on their way to a watcher, as many bytes as it may be behind.
#[derive(Clone)]
pub struct Outbox {
    messages: mpsc::UnboundedSender<Bytes>,
    shared: Arc<Backlog>,
}

struct Backlog {
    bytes: AtomicUsize,
    most: usize,
    overflowed: AtomicBool,
    overflow: Notify,
}

impl Outbox {
    /// One that holds `most` bytes. Whoever takes messages out says so by [`Outbox::taken`].
    pub fn new(most: usize) -> (Self, mpsc::UnboundedReceiver<Bytes>) {
        let (messages, inbox) = mpsc::unbounded_channel();
        let backlog =
            Backlog { bytes: AtomicUsize::new(0), most, overflowed: AtomicBool::new(false), overflow: Notify::new() };
        (Self { messages, shared: Arc::new(backlog) }, inbox)
    }

    /// A message for the watcher. One that is too far behind gets no further ones.
    pub fn push(&self, message: Bytes) {
        let shared = &self.shared;
        if shared.overflowed.load(Ordering::Relaxed) {
            return;
        }
        let length = message.len();
        // A single message may be longer: whoever is not behind at all gets it.
        let before = shared.bytes.fetch_add(length, Ordering::Relaxed);
        if before > 0 && before + length > shared.most {
            shared.overflowed.store(true, Ordering::Relaxed);
            shared.overflow.notify_one();
            return;
        }
        // Nobody may be there any more.
        let _ = self.messages.send(message);
    }

    /// So many bytes have left.
    pub fn taken(&self, bytes: usize) {
        self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Waits until the watcher is too far behind.
    pub async fn overflowed(&self) {
        self.shared.overflow.notified().await;
    }
}

enum Command {
    Published(Published),
    Join(WatcherId, Outbox, Subscription),
    Synced(WatcherId, Subscription, Snapshot),
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
    /// Up to when messages may be stamped, as it is stored.
    stamped_until: Timestamp,
    tasks: TaskTracker,
}

impl Hub {
    /// A hub over these streams, told of everything from now on.
    pub fn new(streams: Arc<dyn Streams>, clock: Arc<dyn Clock>, tasks: TaskTracker) -> (Self, Dispatch) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let hub = Self { commands, watchers: Arc::default() };
        let tell = hub.commands.clone();
        // The engine may be stopping.
        streams.observe(Arc::new(move |published| drop(tell.send(Command::Published(published)))));
        let stamped_until = streams.stamped_until();
        let stamps = Stamps::new(clock, stamped_until);
        let rooms = Rooms::default();
        let dispatch = Dispatch { hub: hub.clone(), inbox, streams, rooms, stamps, stamped_until, tasks };
        (hub, dispatch)
    }

    /// Somebody new.
    pub fn watcher(&self) -> WatcherId {
        WatcherId(self.watchers.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets somebody watch: first comes how things are, then what changes.
    pub fn join(&self, watcher: WatcherId, outbox: &Outbox, subscription: Subscription) {
        self.send(Command::Join(watcher, outbox.clone(), subscription));
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
                    let frame = frame::published(self.stamp(), &published);
                    self.rooms.publish(&published, &frame);
                }
            }
            Command::Join(watcher, outbox, subscription) => {
                self.rooms.join(watcher, &outbox, &subscription);
                self.read(watcher, outbox, subscription);
            }
            Command::Synced(watcher, subscription, Snapshot { upto, items }) => {
                let Subscription { stream, group, id, .. } = &subscription;
                let frame = frame::sync(self.stamp(), stream, group, id.as_ref(), &items);
                self.rooms.synced(watcher, &subscription, frame, upto);
            }
            Command::Refuse(outbox, subscription, code, why) => {
                let Subscription { stream, group, id, .. } = &subscription;
                outbox.push(frame::refused(self.stamp(), stream, group, id.as_ref(), code, &why));
            }
            Command::Leave(watcher, subscription) => self.rooms.leave(watcher, &subscription),
            Command::Gone(watcher) => self.rooms.gone(watcher),
        }
    }

    /// A timestamp that is later than all before it, those before a restart too. Storing how far they may go ahead of time is cheaper than
    /// storing each.
    fn stamp(&mut self) -> Stamp {
        let stamp = self.stamps.next();
        if stamp.ceiling().plus(STAMPS_AHEAD / 2) > self.stamped_until {
            self.stamped_until = stamp.ceiling().plus(STAMPS_AHEAD);
            // If it fails, so does everything else.
            self.tasks.spawn(self.streams.stamp_until(self.stamped_until).done);
        }
        stamp
    }

    /// Reads how things are, for a subscription that has begun.
    fn read(&self, watcher: WatcherId, outbox: Outbox, subscription: Subscription) {
        let (hub, streams) = (self.hub.clone(), Arc::clone(&self.streams));
        self.tasks.spawn(async move {
            let Subscription { stream, group, id, .. } = subscription.clone();
            match streams.snapshot(stream, group, id).await {
                Ok(snapshot) => hub.send(Command::Synced(watcher, subscription, snapshot)),
                Err(error) => {
                    hub.leave(watcher, subscription.clone());
                    hub.refuse(&outbox, subscription, "STREAM_READ_FAILED", error.to_string());
                }
            }
        });
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
