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
//! | `read` | what is in a stream, for those who only look |
//! | `guard` | whether the project lets somebody watch |
//! | `hooks` | what the project hears of those who come and go |
//! | `custom` | streams that storage of the project's own keeps |
//! | `turns` | whose turn it is there |
//! | `ask` | asking the project's code |

mod ask;
mod custom;
mod frame;
mod guard;
mod hooks;
mod outbox;
mod read;
mod rooms;
mod stamps;
mod turns;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use motia_core::record::Level;
use motia_core::{GroupId, ItemKey, StreamName};
use motia_ports::Streams;
use motia_ports::streams::{Epoch, Offset, Position, Published, Snapshot};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::telemetry::Telemetry;
pub(crate) use custom::Routed;
use frame::More;
pub use guard::{Denied, Gate, TurnedAway, Visitor};
pub(crate) use hooks::AT_A_TIME as HOOKS;
pub use hooks::Visits;
pub use outbox::{Message, Outbox};
use rooms::{Departed, PresenceId, Present, Rooms, Told};
use stamps::Stamps;

/// How many may be present in one group or at one item: each of them is told of each.
const PRESENT: usize = 1000;

/// How many subscriptions are told at a time how things are.
const READS: usize = 64;

/// So many bytes of changes wait for the hub at the most, and what one counts beside its item.
const BACKLOG: usize = 64 << 20;
const WEIGHT: usize = 256;

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
    /// A whole group.
    pub fn whole(stream: &StreamName, group: GroupId) -> Self {
        Self { stream: stream.clone(), group, id: None, name: String::new() }
    }

    /// What a message is about that names nothing.
    pub fn nothing() -> Self {
        Self { stream: "".into(), group: "".into(), id: None, name: String::new() }
    }
}

/// Somebody wants to watch something.
#[derive(Clone)]
pub struct Join {
    /// Who.
    pub watcher: WatcherId,
    /// Where it is told.
    pub outbox: Outbox,
    /// What.
    pub subscription: Subscription,
    /// How far it came before.
    pub from: Option<Position>,
    /// What it says of itself to those who are present there: JSON.
    pub presence: Option<Bytes>,
}

enum Command {
    Published(Published),
    Join(Join, oneshot::Sender<bool>),
    Known(Join, Known, oneshot::Sender<bool>),
    Failed(Join, String),
    Refuse(Outbox, Subscription, &'static str, String),
    Leave(WatcherId, Subscription),
    Gone(WatcherId),
    /// Those who watch something of a stream, or one of its groups, must come back: not everything was told.
    GiveUp(StreamName, Option<GroupId>),
}

/// What a subscription that begins is told.
enum Known {
    /// How things are. `gap`: it asked for what it missed, which is not known.
    Now { snapshot: Snapshot, gap: bool },
    /// What it missed.
    Missed { changes: Vec<Published>, upto: Offset },
}

/// A handle on the hub. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    commands: mpsc::UnboundedSender<Command>,
    watchers: Arc<AtomicU64>,
    epoch: Epoch,
    backlog: Arc<Backlog>,
}

/// What is to be told and waits for the hub. Steps may write faster than all watchers of a group can be told.
#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    /// Groups of which something was left out: those who watch them are given up.
    lapsed: Mutex<HashSet<(StreamName, GroupId)>>,
}

impl Backlog {
    /// Whether there is room for it.
    fn takes(&self, published: &Published) -> bool {
        let fits = self.bytes.load(Ordering::Relaxed) < BACKLOG;
        if fits {
            self.bytes.fetch_add(published.what.text().len() + WEIGHT, Ordering::Relaxed);
        }
        fits
    }

    fn taken(&self, published: &Published) {
        self.bytes.fetch_sub(published.what.text().len() + WEIGHT, Ordering::Relaxed);
    }

    /// Whether nobody was given up for this group so far.
    fn lapses(&self, published: &Published) -> bool {
        self.lapsed.lock().insert((published.stream.clone(), published.group.clone()))
    }
}

/// The hub before it runs.
pub struct Dispatch {
    hub: Hub,
    inbox: mpsc::UnboundedReceiver<Command>,
    streams: Arc<dyn Streams>,
    rooms: Rooms,
    stamps: Stamps,
    /// How many presences there have been.
    presences: u64,
    telemetry: Telemetry,
    tasks: TaskTracker,
    /// Turns of reads: all who come back after a restart must not fill the memory with what they are told.
    reads: Arc<Semaphore>,
}

impl Hub {
    /// A hub over these streams, told of everything from now on.
    pub fn new(streams: Arc<dyn Streams>, telemetry: Telemetry, tasks: TaskTracker) -> (Self, Dispatch) {
        let (commands, inbox) = mpsc::unbounded_channel();
        let hub = Self { commands, watchers: Arc::default(), epoch: streams.epoch(), backlog: Arc::default() };
        let (tell, backlog) = (hub.commands.clone(), Arc::clone(&hub.backlog));
        streams.observe(Arc::new(move |published| {
            let command = if backlog.takes(&published) {
                Command::Published(published)
            } else if backlog.lapses(&published) {
                Command::GiveUp(published.stream, Some(published.group))
            } else {
                return;
            };
            // The engine may be stopping.
            let _ = tell.send(command);
        }));
        let stamps = Stamps::new(Arc::clone(telemetry.clock()), Arc::clone(&streams), tasks.clone());
        let (rooms, reads) = (Rooms::default(), Arc::new(Semaphore::new(READS)));
        let dispatch =
            Dispatch { hub: hub.clone(), inbox, streams, rooms, stamps, presences: 0, telemetry, tasks, reads };
        (hub, dispatch)
    }

    /// What offsets are of from now on.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Somebody new.
    pub fn watcher(&self) -> WatcherId {
        WatcherId(self.watchers.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets somebody watch: first comes how things are, or what it missed since a position, then what changes. Returns once the first is on
    /// its way, and whether it is: if that cannot be read, the watcher is told so, and nothing else.
    pub async fn join(&self, join: Join) -> bool {
        let (done, begun) = oneshot::channel();
        self.send(Command::Join(join, done));
        // The engine may be stopping, and the watcher may have left meanwhile.
        begun.await.unwrap_or(false)
    }

    /// Those who watch a stream, or a group of it, must come back: it is another one than before, or it is not known what happened in it.
    pub fn give_up(&self, stream: StreamName, group: Option<GroupId>) {
        self.send(Command::GiveUp(stream, group));
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
                self.hub.backlog.taken(&published);
                let Self { rooms, stamps, .. } = self;
                let mut stamp = None;
                rooms.publish(&published, |_: Told<'_>, greeted| {
                    let stamp = *stamp.get_or_insert_with(|| stamps.next());
                    frame::published(stamp, &published, offset_of(&published, greeted))
                });
            }
            Command::Join(join, done) => {
                self.rooms.join(join.watcher, &join.outbox, &join.subscription);
                self.read(join, done);
            }
            Command::Known(join, known, done) => {
                self.known(join.watcher, &join.subscription, &known);
                // It may not wait any more.
                let _ = done.send(true);
                if let Some(info) = join.presence.clone() {
                    self.appear(&join, info);
                }
            }
            Command::Failed(Join { watcher, outbox, subscription, .. }, why) => {
                let Self { rooms, stamps, .. } = self;
                let departed = rooms.failed(watcher, &subscription, |told: Told<'_>, greeted| match told {
                    Told::Published(published) | Told::Missed(published) => {
                        frame::published(stamps.next(), published, offset_of(published, greeted))
                    }
                    Told::Answer => Bytes::new(),
                });
                self.depart(departed);
                // What went wrong is not for those who watch.
                let said = format!("what is in the stream '{}' could not be read: {why}", subscription.stream);
                self.telemetry.log(Level::Error, said);
                self.refuse(&outbox, &subscription, "STREAM_READ_FAILED", "the stream cannot be read now");
            }
            Command::GiveUp(stream, group) => {
                self.rooms.give_up(&stream, group.as_ref());
                if let Some(group) = group {
                    self.hub.backlog.lapsed.lock().remove(&(stream, group));
                }
            }
            Command::Refuse(outbox, subscription, code, why) => {
                self.refuse(&outbox, &subscription, code, &why);
            }
            Command::Leave(watcher, subscription) => {
                let departed = self.rooms.leave(watcher, &subscription);
                self.depart(departed);
            }
            Command::Gone(watcher) => {
                let departed = self.rooms.gone(watcher);
                self.depart(departed);
            }
        }
    }

    /// Tells a subscription that begins what it waits for.
    fn known(&mut self, watcher: WatcherId, subscription: &Subscription, known: &Known) {
        let Self { rooms, stamps, hub: Hub { epoch, .. }, .. } = self;
        let (upto, missed) = match known {
            Known::Now { snapshot, .. } => (snapshot.upto, &[][..]),
            Known::Missed { changes, upto } => (*upto, &**changes),
        };
        rooms.synced(watcher, subscription, upto, missed, |told: Told<'_>, greeted| {
            let named = More { subscription: name_of(subscription, greeted), ..More::default() };
            let whole = if greeted { More { offset: Some(upto), epoch: Some(&*epoch), ..named } } else { named };
            let stamp = stamps.next();
            match (told, known) {
                (Told::Published(published), _) => frame::published(stamp, published, offset_of(published, greeted)),
                (Told::Missed(change), _) => {
                    frame::published(stamp, change, More { offset: change.what.offset(), ..named })
                }
                (Told::Answer, Known::Now { snapshot, gap }) => {
                    frame::sync(stamp, subscription, &snapshot.items, *gap && greeted, whole)
                }
                (Told::Answer, Known::Missed { .. }) => frame::resumed(stamp, subscription, whole),
            }
        });
    }

    fn refuse(&mut self, outbox: &Outbox, subscription: &Subscription, code: &str, why: &str) {
        let more = More { subscription: name_of(subscription, outbox.greeted()), ..More::default() };
        outbox.push(frame::refused(self.stamps.next(), subscription, code, why, more));
    }

    /// Somebody is present from now on: it is told who is, and they are told of it.
    fn appear(&mut self, join: &Join, info: Bytes) {
        let Join { watcher, outbox, subscription, .. } = join;
        self.presences += 1;
        let present = Present { id: PresenceId(self.presences), info };
        let Some((all, before)) = self.rooms.appear(*watcher, subscription, present.clone()) else { return };
        self.depart(before);
        if all.len() > PRESENT {
            self.rooms.disappear(*watcher, subscription);
            let why = format!("{PRESENT} are present already, and no more can be");
            return self.refuse(outbox, subscription, "TOO_MANY_PRESENT", &why);
        }
        let more = More { subscription: name_of(subscription, true), ..More::default() };
        outbox.answer(frame::present(self.stamps.next(), subscription, &all, more));
        let Subscription { stream, group, id, .. } = subscription;
        let joined = frame::joined(self.stamps.next(), subscription, &present);
        for witness in self.rooms.witnesses(stream, group, id.as_ref(), present.id) {
            witness.push(joined.clone());
        }
    }

    /// Those who are present are told who is not any more.
    fn depart(&mut self, departed: impl IntoIterator<Item = Departed>) {
        for Departed { stream, group, id, presence } in departed {
            let about = Subscription { id: id.clone(), ..Subscription::whole(&stream, group.clone()) };
            let left = frame::left(self.stamps.next(), &about, presence);
            for witness in self.rooms.witnesses(&stream, &group, id.as_ref(), presence) {
                witness.push(left.clone());
            }
        }
    }

    /// Reads how things are, or what was missed, for a subscription that has begun.
    fn read(&self, join: Join, done: oneshot::Sender<bool>) {
        let (hub, streams, turns) = (self.hub.clone(), Arc::clone(&self.streams), Arc::clone(&self.reads));
        self.tasks.spawn(async move {
            // What hangs elsewhere must not keep others from being read.
            let turn =
                if streams.is_remote(&join.subscription.stream) { None } else { turns.acquire_owned().await.ok() };
            if done.is_closed() {
                return;
            }
            let known = what_is_known(&*streams, &join.subscription, join.from.clone()).await;
            drop(turn);
            match known {
                Ok(known) => hub.send(Command::Known(join, known, done)),
                Err(error) => hub.send(Command::Failed(join, error.to_string())),
            }
        });
    }
}

async fn what_is_known(
    streams: &dyn Streams,
    subscription: &Subscription,
    from: Option<Position>,
) -> Result<Known, motia_ports::Error> {
    let Subscription { stream, group, id, .. } = subscription;
    let gap = from.is_some();
    if let Some(from) = from {
        let offset = from.offset;
        if let Some(changes) = streams.since(stream.clone(), group.clone(), from).await? {
            let upto = changes.last().and_then(|change| change.what.offset()).unwrap_or(offset);
            return Ok(Known::Missed { changes, upto });
        }
    }
    let snapshot = streams.snapshot(stream.clone(), group.clone(), id.clone()).await?;
    Ok(Known::Now { snapshot, gap })
}

/// For which subscription an answer is: newer clients are told.
fn name_of(subscription: &Subscription, greeted: bool) -> Option<&str> {
    Some(&*subscription.name).filter(|name| greeted && !name.is_empty())
}

/// What newer clients are told besides, of a change.
fn offset_of(published: &Published, greeted: bool) -> More<'static> {
    More { offset: published.what.offset().filter(|_| greeted), ..More::default() }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
