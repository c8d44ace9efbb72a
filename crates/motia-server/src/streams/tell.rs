//! What goes out to a client that watches streams.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use motia_core::Clock;
use motia_engine::streams::{Message as ToClient, Outbox};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::socket::{Client, End, end_of};

/// How often a client is asked whether it is there.
const PING: Duration = Duration::from_secs(25);
/// The longest frame: longer messages are sent in parts, and several together are no longer. As much is written at a time.
pub(super) const FRAME: usize = 16 << 10;

/// How long a client may take for one frame. Its system takes it in; it need not have read it.
const STALL: Duration = Duration::from_secs(60);

/// When the client last took something.
#[derive(Default)]
pub(super) struct Taken(AtomicU64);

impl Taken {
    fn note(&self, clock: &dyn Clock) {
        self.0.store(u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// By the clock's `elapsed`.
    pub(super) fn last(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Why something did not go out.
enum Unsent {
    Failed(Error),
    Stalled,
}

async fn in_time(sending: impl Future<Output = Result<(), Error>>) -> Result<(), Unsent> {
    match tokio::time::timeout(STALL, sending).await {
        Ok(sent) => sent.map_err(Unsent::Failed),
        Err(_) => Err(Unsent::Stalled),
    }
}

/// Tells the client what there is for it: as much at a time as there is.
pub(super) async fn tell(
    outgoing: &mut SplitSink<Client, Frame>,
    inbox: &mut mpsc::UnboundedReceiver<ToClient>,
    outbox: &Outbox,
    clock: &dyn Clock,
    taken: &Taken,
) -> End {
    let mut ping = tokio::time::interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    ping.tick().await;
    loop {
        let sent = tokio::select! {
            message = inbox.recv() => match message {
                Some(message) => send(outgoing, inbox, outbox, message, || taken.note(clock)).await,
                None => return End::Gone,
            },
            _ = ping.tick() => in_time(outgoing.send(Frame::Ping(Bytes::new()))).await,
        };
        match sent {
            Ok(()) => {}
            Err(Unsent::Stalled) => return End::Gone,
            Err(Unsent::Failed(error)) => return end_of(&error),
        }
    }
}

async fn send(
    outgoing: &mut SplitSink<Client, Frame>,
    inbox: &mut mpsc::UnboundedReceiver<ToClient>,
    outbox: &Outbox,
    first: ToClient,
    note: impl Fn(),
) -> Result<(), Unsent> {
    let mut next = Some(first);
    while let Some(message) = next {
        next = inbox.try_recv().ok();
        let text = match &next {
            Some(_) if outbox.greeted() => batch(message, &mut next, inbox, outbox),
            _ => {
                outbox.taken(&message);
                message.text().clone()
            }
        };
        feed(outgoing, text, &note).await?;
    }
    in_time(outgoing.flush()).await?;
    note();
    Ok(())
}

/// A message of any length. What a connection keeps for writing is as large as the longest frame that it ever sent.
async fn feed(outgoing: &mut SplitSink<Client, Frame>, mut text: Bytes, note: impl Fn()) -> Result<(), Unsent> {
    let mut kind = Data::Text;
    loop {
        let part = text.split_to(text.len().min(FRAME));
        let last = text.is_empty();
        in_time(outgoing.feed(Frame::Frame(RawFrame::message(part, OpCode::Data(kind), last)))).await?;
        note();
        if last {
            return Ok(());
        }
        kind = Data::Continue;
    }
}

/// Several messages that wait, as one.
fn batch(
    first: ToClient,
    next: &mut Option<ToClient>,
    inbox: &mut mpsc::UnboundedReceiver<ToClient>,
    outbox: &Outbox,
) -> Bytes {
    let mut text = BytesMut::from(&b"["[..]);
    text.extend_from_slice(first.text());
    outbox.taken(&first);
    while let Some(message) = next.take_if(|message| text.len() + message.text().len() < FRAME) {
        text.extend_from_slice(b",");
        text.extend_from_slice(message.text());
        outbox.taken(&message);
        *next = inbox.try_recv().ok();
    }
    text.extend_from_slice(b"]");
    text.freeze()
}
