//! The sending half: frames collect while a write is under way and go out together; long bodies wait for their windows.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Notify;

use super::{Shared, answer_bit};
use crate::frame::{CHUNK, Kind, MAX_INLINE_BODY, MORE, WINDOW, encode};
use crate::host::Host;

/// Frames on their way out. Bounded by what may be under way: calls by their credits, bodies by their windows.
#[derive(Default)]
pub(super) struct Outbox {
    frames: Mutex<Frames>,
    wake: Notify,
}

#[derive(Default)]
struct Frames {
    bytes: BytesMut,
    closed: bool,
}

/// Capacity above this is given back after a burst.
const KEEP: usize = 256 << 10;

impl Outbox {
    fn push(&self, kind: Kind, flags: u8, id: u32, meta: &[u8], body: &[u8]) {
        let mut frames = self.frames.lock();
        if !frames.closed {
            encode(&mut frames.bytes, kind, flags, id, meta, body);
            self.wake.notify_one();
        }
    }

    /// Writes until the outbox is closed or the stream breaks: then the reading half notices and ends the connection.
    pub(super) async fn run(&self, mut stream: OwnedWriteHalf) {
        let mut out = BytesMut::new();
        loop {
            let notified = self.wake.notified();
            {
                let mut frames = self.frames.lock();
                if frames.closed {
                    return;
                }
                std::mem::swap(&mut frames.bytes, &mut out);
            }
            if out.is_empty() {
                notified.await;
                // Whatever else is ready to run may have frames of its own: they go out together.
                tokio::task::yield_now().await;
                continue;
            }
            if stream.write_all(&out).await.is_err() {
                return;
            }
            out.clear();
            if out.capacity() > KEEP {
                out = BytesMut::new();
            }
        }
    }

    pub(super) fn close(&self) {
        *self.frames.lock() = Frames { bytes: BytesMut::new(), closed: true };
        self.wake.notify_one();
    }
}

/// A body that is not sent whole.
pub(super) enum Sending {
    /// The part that waits for its window.
    Rest { bytes: Bytes, window: usize },
    /// More of it comes from its sender, who waits for the window.
    Open { window: usize, sender: Arc<Notify> },
}

impl Sending {
    pub(super) fn wake(&self) {
        if let Self::Open { sender, .. } = self {
            sender.notify_one();
        }
    }
}

/// Sends a call's body as it comes. Dropping this before it is finished breaks the call off: no handler runs.
pub struct BodySender<H: Host> {
    shared: Arc<Shared<H>>,
    id: u32,
    room: Arc<Notify>,
    /// What the call may take once its body is there.
    settle: Duration,
}

/// The worker does not want the rest of a body: it has answered, or its connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotWanted;

impl<H: Host> BodySender<H> {
    pub(super) fn open(shared: &Arc<Shared<H>>, id: u32, meta: &[u8], settle: Duration) -> Self {
        let room = Arc::new(Notify::new());
        let mut state = shared.state.lock();
        if !state.ended {
            shared.outbox.push(Kind::Call, MORE, id, meta, b"");
            state.sending.insert((false, id), Sending::Open { window: WINDOW, sender: Arc::clone(&room) });
        }
        drop(state);
        Self { shared: Arc::clone(shared), id, room, settle }
    }

    /// Sends the next bytes, as soon as the worker has room for them.
    pub async fn send(&self, mut bytes: Bytes) -> Result<(), NotWanted> {
        while !bytes.is_empty() {
            let chunk = bytes.split_to(CHUNK.min(bytes.len()));
            while !self.try_send(&chunk)? {
                self.room.notified().await;
            }
        }
        Ok(())
    }

    fn try_send(&self, chunk: &[u8]) -> Result<bool, NotWanted> {
        let mut state = self.shared.state.lock();
        let Some(Sending::Open { window, .. }) = state.sending.get_mut(&(false, self.id)) else {
            return Err(NotWanted);
        };
        if chunk.len() > *window {
            return Ok(false);
        }
        *window -= chunk.len();
        self.shared.outbox.push(Kind::Data, MORE, self.id, b"", chunk);
        Ok(true)
    }

    /// The body is complete: the handler runs.
    pub fn finish(self) {
        self.end(Kind::Data);
    }

    fn end(&self, last: Kind) {
        let mut state = self.shared.state.lock();
        if state.sending.remove(&(false, self.id)).is_some() {
            if let Some(running) = state.calls.get_mut(&self.id) {
                running.limits.settle = self.settle;
            }
            self.shared.outbox.push(last, 0, self.id, b"", b"");
        }
    }
}

impl<H: Host> Drop for BodySender<H> {
    fn drop(&mut self) {
        self.end(Kind::Abort);
    }
}

impl<H: Host> Shared<H> {
    /// Sends a message, its body cut and held back as the protocol says.
    pub(super) fn send(&self, kind: Kind, flags: u8, id: u32, meta: &[u8], mut body: Bytes) {
        if body.len() <= MAX_INLINE_BODY {
            self.outbox.push(kind, flags, id, meta, &body);
            return;
        }
        let answer = kind == Kind::Reply;
        let first = body.split_to(CHUNK);
        // Under the lock, so that a window cannot arrive between the first frame and the entry it is for.
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        self.outbox.push(kind, flags | MORE, id, meta, &first);
        let (mut bytes, mut window) = (body, WINDOW - CHUNK);
        if !self.send_more(answer, id, &mut bytes, &mut window) {
            state.sending.insert((answer, id), Sending::Rest { bytes, window });
        }
    }

    /// The worker took bytes in.
    pub(super) fn window(&self, answer: bool, id: u32, bytes: usize) {
        let mut state = self.state.lock();
        match state.sending.get_mut(&(answer, id)) {
            None => {}
            Some(Sending::Open { window, sender }) => {
                *window = window.saturating_add(bytes);
                sender.notify_one();
            }
            Some(Sending::Rest { bytes: rest, window }) => {
                *window = window.saturating_add(bytes);
                if self.send_more(answer, id, rest, window) {
                    state.sending.remove(&(answer, id));
                }
            }
        }
    }

    /// Aborts a handler's signal.
    pub(super) fn cancel(&self, id: u32, reason: &'static str) {
        let meta = format!(r#"{{"reason":"{reason}"}}"#);
        self.send(Kind::Cancel, 0, id, meta.as_bytes(), Bytes::new());
    }

    /// Sends what the window allows. Answers whether that was all.
    fn send_more(&self, answer: bool, id: u32, rest: &mut Bytes, window: &mut usize) -> bool {
        while !rest.is_empty() {
            let size = CHUNK.min(rest.len());
            if size > *window {
                return false;
            }
            *window -= size;
            let chunk = rest.split_to(size);
            let more = if rest.is_empty() { 0 } else { MORE };
            self.outbox.push(Kind::Data, answer_bit(answer) | more, id, b"", &chunk);
        }
        true
    }

    /// Tells the worker that bytes of its message were taken in.
    pub(super) fn grant(&self, answer: bool, id: u32, bytes: usize) {
        let meta = format!(r#"{{"bytes":{bytes}}}"#);
        self.outbox.push(Kind::Window, answer_bit(answer), id, meta.as_bytes(), b"");
    }
}
