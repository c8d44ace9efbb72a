//! The sending half: frames collect while a write is under way and go out together; long bodies wait for their windows.

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

/// The part of a body that waits for its window.
pub(super) struct Sending {
    rest: Bytes,
    window: usize,
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
        let mut sending = Sending { rest: body, window: WINDOW - CHUNK };
        if !self.send_more(answer, id, &mut sending) {
            state.sending.insert((answer, id), sending);
        }
    }

    /// The worker took bytes in.
    pub(super) fn window(&self, answer: bool, id: u32, bytes: usize) {
        let mut state = self.state.lock();
        if let Some(sending) = state.sending.get_mut(&(answer, id)) {
            sending.window = sending.window.saturating_add(bytes);
            if self.send_more(answer, id, sending) {
                state.sending.remove(&(answer, id));
            }
        }
    }

    /// Sends what the window allows. Answers whether that was all.
    fn send_more(&self, answer: bool, id: u32, sending: &mut Sending) -> bool {
        while !sending.rest.is_empty() {
            let size = CHUNK.min(sending.rest.len());
            if size > sending.window {
                return false;
            }
            sending.window -= size;
            let chunk = sending.rest.split_to(size);
            let more = if sending.rest.is_empty() { 0 } else { MORE };
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
