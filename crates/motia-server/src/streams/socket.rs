//! One client that watches streams, from its first message to its last.
//!
//! What it says is acted on in the order in which it came, one thing at a time; what it is told goes out meanwhile.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use motia_engine::Engine;
use motia_engine::streams::{Denied, Join, Outbox, Subscription, Visitor, Visits, WatcherId};
use motia_ports::streams::Position;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::BEHIND;
use super::message::{Message, Misunderstood};
use super::tell::{FRAME, Taken, tell};

/// The longest message of a client. A join needs some hundred bytes.
const MESSAGE_BYTES: usize = 64 << 10;
/// What one client may watch at a time.
const SUBSCRIPTIONS: usize = 10_000;
/// The bytes of their names together.
const NAMES: usize = 4 << 20;
/// Messages that a client may send at once, and how many more each second.
const BURST: u32 = 20_000;
const PER_SECOND: u32 = 1_000;
/// How long a client may say nothing. It is asked for a sign of life more often than that.
const SILENCE: Duration = Duration::from_secs(75);
/// How long a refusal takes.
const REFUSAL: Duration = Duration::from_millis(50);
/// What a newer client takes for a sign of life, and after how long it gets one without asking.
const PONG: &[u8] = b"{\"type\":\"pong\"}";
const LONG: Duration = Duration::from_secs(4);
/// The version of what newer clients speak (sdk/protocol/streams.md).
const PROTOCOL: u32 = 1;
/// How long a client may take to answer a close.
const FAREWELL: Duration = Duration::from_secs(2);
/// Memory of each connection.
const READ_BUFFER: usize = 1 << 10;

/// Our own close codes.
const TOO_SLOW: u16 = 4008;
const TOO_MANY: u16 = 4029;

pub(super) type Client = WebSocketStream<TcpStream>;

/// A client whose connection is about to become a WebSocket.
pub(crate) struct Socket {
    engine: Engine,
    visitor: Visitor,
}

/// How it ends.
pub(super) enum End {
    /// The client hung up.
    Gone,
    /// We hang up, and say why.
    Close(CloseCode, &'static str),
}

impl Socket {
    pub(crate) fn new(engine: Engine, visitor: Visitor) -> Self {
        Self { engine, visitor }
    }

    /// Serves the client. `read`: what it sent behind its request. `_place`: its place among all connections.
    pub(crate) async fn run(
        self,
        stream: TcpStream,
        read: Vec<u8>,
        shutdown: CancellationToken,
        _place: OwnedSemaphorePermit,
    ) {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(FRAME)
            // Answers to pings would fill it if nothing is taken; what we write never has more than two frames there.
            .max_write_buffer_size(4 * FRAME)
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        let client = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
        let (mut outgoing, mut incoming) = client.split();
        let (outbox, mut inbox) = Outbox::new(BEHIND);
        let watcher = self.engine.hub().watcher();
        let Self { engine, visitor } = self;
        let visits = Visits::new(engine.clone(), visitor);
        let rate = Rate::new(engine.telemetry().clock().elapsed());
        let (clock, taken) = (Arc::clone(engine.telemetry().clock()), Taken::default());
        let mut session = Session { engine, visits, outbox, watcher, subscriptions: HashSet::new(), names: 0, rate };
        let behind = session.outbox.clone();
        let end = {
            let (listening, telling) =
                (session.listen(&mut incoming, &taken), tell(&mut outgoing, &mut inbox, &behind, &*clock, &taken));
            let (listening, telling) = (pin!(listening), pin!(telling));
            tokio::select! {
                end = listening => end,
                end = telling => end,
                () = behind.overflowed() => End::Close(CloseCode::Library(TOO_SLOW), "too slow: too much waits to be taken"),
                () = shutdown.cancelled() => End::Close(CloseCode::Away, "the server is stopping"),
            }
        };
        session.engine.hub().gone(watcher);
        for subscription in std::mem::take(&mut session.subscriptions) {
            session.visits.end(&subscription);
        }
        if let End::Close(code, reason) = end
            && let Ok(client) = outgoing.reunite(incoming)
        {
            // One that does not answer is cut off.
            let _ = tokio::time::timeout(FAREWELL, close(client, code, reason)).await;
        }
    }
}

/// Says that the connection ends and why, and waits until the client has heard it.
async fn close(mut client: Client, code: CloseCode, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    if client.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = client.next().await {}
    }
}

/// What is known of a client.
struct Session {
    engine: Engine,
    visits: Visits,
    outbox: Outbox,
    watcher: WatcherId,
    subscriptions: HashSet<Subscription>,
    /// Bytes of their names.
    names: usize,
    rate: Rate,
}

impl Session {
    /// Acts on what the client says until it hangs up or breaks a rule.
    async fn listen(&mut self, incoming: &mut SplitStream<Client>, taken: &Taken) -> End {
        let clock = Arc::clone(self.engine.telemetry().clock());
        let mut heard_at = clock.elapsed();
        loop {
            // One that takes what it is sent is alive, though it may not come to the ping behind that for long.
            let silent = || clock.elapsed().saturating_sub(heard_at.max(taken.last()));
            let heard = match tokio::time::timeout(SILENCE.saturating_sub(silent()), incoming.next()).await {
                Ok(Some(Ok(heard))) => heard,
                Ok(Some(Err(error))) => return end_of(&error),
                Ok(None) => return End::Gone,
                Err(_) if silent() < SILENCE => continue,
                Err(_) => return End::Close(CloseCode::Policy, "nothing was heard from you, no pong either"),
            };
            heard_at = clock.elapsed();
            if !self.rate.allows(self.engine.telemetry().clock().elapsed()) {
                return End::Close(CloseCode::Library(TOO_MANY), "too many messages");
            }
            let text = match heard {
                Frame::Text(text) => text,
                Frame::Binary(_) => return End::Close(CloseCode::Unsupported, "messages must be text"),
                // Pings are answered for us, and so is a close.
                _ => continue,
            };
            let done = match Message::parse(text.as_str()) {
                Ok(Message::Join(subscription, from, presence)) => {
                    let outbox = self.outbox.clone();
                    let joining = self.join(subscription, from, presence);
                    still_there(&outbox, joining).await
                }
                Ok(Message::Leave(subscription)) => {
                    if self.subscriptions.remove(&subscription) {
                        self.names -= length_of(&subscription);
                        self.visits.end(&subscription);
                        self.engine.hub().leave(self.watcher, subscription);
                    }
                    Ok(())
                }
                Ok(Message::Hello) => {
                    // Whoever asks takes the answers.
                    self.outbox.room().await;
                    self.greet();
                    Ok(())
                }
                Ok(Message::Ping) => {
                    if self.outbox.greeted() {
                        self.outbox.room().await;
                        self.outbox.answer(Bytes::from_static(PONG));
                    }
                    Ok(())
                }
                Ok(Message::Other) => Ok(()),
                Err(Misunderstood::Incomplete(why)) => {
                    self.refuse(Subscription::nothing(), "INVALID_MESSAGE", why).await;
                    Ok(())
                }
                Err(Misunderstood::NotJson) => return End::Close(CloseCode::Invalid, "messages must be JSON"),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// The client is a newer one, and hears what it may ask for.
    fn greet(&self) {
        let epoch = self.engine.hub().epoch().as_str();
        let hello = serde_json::json!({ "type": "hello", "data": { "protocol": PROTOCOL, "epoch": epoch } });
        self.outbox.greet();
        self.outbox.answer(hello.to_string().into());
    }

    async fn join(
        &mut self,
        subscription: Subscription,
        from: Option<Position>,
        presence: Option<Bytes>,
    ) -> Result<(), End> {
        let full = self.subscriptions.len() >= SUBSCRIPTIONS || self.names + length_of(&subscription) > NAMES;
        if full && !self.subscriptions.contains(&subscription) {
            let why = format!(
                "one connection can watch {SUBSCRIPTIONS} items and groups at a time, with {} MiB of names",
                NAMES >> 20
            );
            self.refuse(subscription, "TOO_MANY_SUBSCRIPTIONS", why).await;
            return Ok(());
        }
        match self.engine.may_watch(self.visits.visitor(), &subscription).await {
            Ok(()) => {
                if self.subscriptions.insert(subscription.clone()) {
                    self.names += length_of(&subscription);
                    self.visits.begin(&subscription);
                }
                // What a client asks for is read no faster than it takes it.
                self.outbox.room().await;
                let greeted = self.outbox.greeted();
                let (from, presence) = (from.filter(|_| greeted), presence.filter(|_| greeted));
                let (watcher, outbox) = (self.watcher, self.outbox.clone());
                self.engine.hub().join(Join { watcher, outbox, subscription, from, presence }).await;
                Ok(())
            }
            Err(denied) => {
                if denied == Denied::UnknownStream {
                    let why = format!("Stream {} not found", subscription.stream);
                    self.refuse(subscription.clone(), DENIED, why).await;
                }
                match denied {
                    // It asks again when it has come back.
                    Denied::Unavailable(_) => Err(End::Close(CloseCode::Again, "it cannot be asked now who may watch")),
                    _ => {
                        self.refuse(subscription, DENIED, Denied::NotAllowed.to_string()).await;
                        Ok(())
                    }
                }
            }
        }
    }

    async fn refuse(&self, subscription: Subscription, code: &'static str, why: String) {
        if !self.outbox.greeted() {
            // The original took longer, and React clients of it listen for errors only once they have asked.
            tokio::time::sleep(REFUSAL).await;
        }
        self.outbox.room().await;
        self.engine.hub().refuse(&self.outbox, subscription, code, why);
    }
}

/// Does something that may take long. Pings are not heard meanwhile, so a newer client is told without being asked that we are there.
async fn still_there<T>(outbox: &Outbox, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(LONG, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) if outbox.greeted() => outbox.answer(Bytes::from_static(PONG)),
            Err(_) => {}
        }
    }
}

/// The bytes of what names it.
fn length_of(subscription: &Subscription) -> usize {
    let Subscription { stream, group, id, name } = subscription;
    stream.as_str().len() + group.as_str().len() + id.as_ref().map_or(0, |id| id.as_str().len()) + name.len()
}

const DENIED: &str = "STREAM_ACCESS_DENIED";

pub(super) fn end_of(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::Close(CloseCode::Size, "the message is too long"),
        Error::Utf8(_) => End::Close(CloseCode::Invalid, "the message is not UTF-8"),
        Error::Protocol(_) => End::Close(CloseCode::Protocol, "that is not the WebSocket protocol"),
        _ => End::Gone,
    }
}

/// How often a client may say something.
struct Rate {
    left: u32,
    /// When more was last allowed.
    since: Duration,
}

impl Rate {
    fn new(now: Duration) -> Self {
        Self { left: BURST, since: now }
    }

    fn allows(&mut self, now: Duration) -> bool {
        if self.left == 0 {
            let more = now.saturating_sub(self.since).as_millis() * u128::from(PER_SECOND) / 1000;
            self.left = u32::try_from(more).unwrap_or(u32::MAX).min(BURST);
            self.since = now;
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_say_much_at_once_but_not_for_ever() {
        let at = |millis| Duration::from_secs(9) + Duration::from_millis(millis);
        let mut rate = Rate::new(at(0));
        assert!((0..BURST).all(|_| rate.allows(at(0))));
        assert!(!rate.allows(at(0)));
        assert!((0..100).all(|_| rate.allows(at(100))));
        assert!(!rate.allows(at(100)));
    }
}
