//! What goes out to a client that watches streams.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
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

/// Tells the client what there is for it: as much at a time as there is.
pub(super) async fn tell(
    outgoing: &mut SplitSink<Client, Frame>,
    inbox: &mut mpsc::UnboundedReceiver<ToClient>,
    outbox: &Outbox,
) -> End {
    let mut ping = tokio::time::interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    ping.tick().await;
    loop {
        let sent = tokio::select! {
            message = inbox.recv() => match message {
                Some(message) => send(outgoing, inbox, outbox, message).await,
                None => return End::Gone,
            },
            _ = ping.tick() => outgoing.send(Frame::Ping(Bytes::new())).await,
        };
        if let Err(error) = sent {
            return end_of(&error);
        }
    }
}

async fn send(
    outgoing: &mut SplitSink<Client, Frame>,
    inbox: &mut mpsc::UnboundedReceiver<ToClient>,
    outbox: &Outbox,
    first: ToClient,
) -> Result<(), Error> {
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
        feed(outgoing, text).await?;
    }
    outgoing.flush().await
}

/// A message of any length. What a connection keeps for writing is as large as the longest frame that it ever sent.
async fn feed(outgoing: &mut SplitSink<Client, Frame>, mut text: Bytes) -> Result<(), Error> {
    let mut kind = Data::Text;
    loop {
        let part = text.split_to(text.len().min(FRAME));
        let last = text.is_empty();
        outgoing.feed(Frame::Frame(RawFrame::message(part, OpCode::Data(kind), last))).await?;
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
