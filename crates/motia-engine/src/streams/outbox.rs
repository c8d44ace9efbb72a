//! What is on its way to one who watches. One that does not take it must neither slow the others nor fill the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

/// A message for a watcher: JSON, shared by all who get it.
#[derive(Clone, Debug)]
pub struct Message {
    text: Bytes,
    /// It was asked for: how much of it there is, is up to the watcher.
    asked: bool,
}

impl Message {
    /// Its text.
    pub fn text(&self) -> &Bytes {
        &self.text
    }
}

/// Messages on their way to a watcher, as many bytes as it may be behind. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    messages: mpsc::UnboundedSender<Message>,
    shared: Arc<Backlog>,
}

struct Backlog {
    /// Of what was not asked for.
    bytes: AtomicUsize,
    most: usize,
    overflowed: AtomicBool,
    overflow: Notify,
    /// Bytes of all that waits.
    waiting: AtomicUsize,
    taken: Notify,
    greeted: AtomicBool,
}

impl Outbox {
    /// One that holds `most` bytes. Whoever takes messages out says so by [`Outbox::taken`].
    pub fn new(most: usize) -> (Self, mpsc::UnboundedReceiver<Message>) {
        let (messages, inbox) = mpsc::unbounded_channel();
        let backlog = Backlog {
            bytes: AtomicUsize::new(0),
            most,
            overflowed: AtomicBool::new(false),
            overflow: Notify::new(),
            waiting: AtomicUsize::new(0),
            taken: Notify::new(),
            greeted: AtomicBool::new(false),
        };
        (Self { messages, shared: Arc::new(backlog) }, inbox)
    }

    /// The watcher said hello: from now on it is spoken to as newer clients are (sdk/protocol/streams.md).
    pub fn greet(&self) {
        self.shared.greeted.store(true, Ordering::Relaxed);
    }

    /// Whether it did.
    pub fn greeted(&self) -> bool {
        self.shared.greeted.load(Ordering::Relaxed)
    }

    /// A message for the watcher. One that is too far behind gets no further ones.
    pub fn push(&self, text: Bytes) {
        let shared = &self.shared;
        if shared.overflowed.load(Ordering::Relaxed) {
            return;
        }
        let length = text.len();
        // A single message may be longer: whoever is not behind at all gets it.
        let before = shared.bytes.fetch_add(length, Ordering::Relaxed);
        if before > 0 && before + length > shared.most {
            return self.give_up();
        }
        self.send(Message { text, asked: false });
    }

    /// The watcher gets no further messages: it must come back, and ask for what it missed.
    pub fn give_up(&self) {
        self.shared.overflowed.store(true, Ordering::Relaxed);
        self.shared.overflow.notify_one();
    }

    /// How many bytes it may be behind.
    pub(super) fn most(&self) -> usize {
        self.shared.most
    }

    /// A message that the watcher asked for. It counts for nothing: whoever asks waits for [`Outbox::room`] first.
    pub fn answer(&self, text: Bytes) {
        self.send(Message { text, asked: true });
    }

    fn send(&self, message: Message) {
        self.shared.waiting.fetch_add(message.text.len(), Ordering::Relaxed);
        // Nobody may be there any more.
        let _ = self.messages.send(message);
    }

    /// The message has left.
    pub fn taken(&self, message: &Message) {
        let (shared, length) = (&self.shared, message.text.len());
        if !message.asked {
            shared.bytes.fetch_sub(length, Ordering::Relaxed);
        }
        let before = shared.waiting.fetch_sub(length, Ordering::Relaxed);
        if before > shared.most / 2 && before - length <= shared.most / 2 {
            shared.taken.notify_one();
        }
    }

    /// Waits until the watcher is not far behind.
    pub async fn room(&self) {
        while self.shared.waiting.load(Ordering::Relaxed) > self.shared.most / 2 {
            self.shared.taken.notified().await;
        }
    }

    /// Waits until the watcher is too far behind.
    pub async fn overflowed(&self) {
        self.shared.overflow.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn text(length: usize) -> Bytes {
        vec![b'x'; length].into()
    }

    #[tokio::test]
    async fn who_takes_nothing_is_given_up_and_costs_no_memory() {
        let (outbox, mut inbox) = Outbox::new(100);
        for _ in 0..1000 {
            outbox.push(text(60));
        }
        tokio::time::timeout(Duration::from_secs(1), outbox.overflowed()).await.expect("noticed");
        assert_eq!(std::iter::from_fn(|| inbox.try_recv().ok()).count(), 1);
        let (outbox, mut inbox) = Outbox::new(100);
        for _ in 0..10 {
            outbox.push(text(200));
            outbox.taken(&inbox.recv().await.expect("one"));
        }
    }

    #[tokio::test]
    async fn who_asks_for_much_is_not_given_up_but_waits_for_room() {
        let (outbox, mut inbox) = Outbox::new(100);
        outbox.answer(text(1000));
        outbox.push(text(80));
        let room = outbox.room();
        let mut room = std::pin::pin!(room);
        assert!(futures_util::FutureExt::now_or_never(room.as_mut()).is_none());
        outbox.taken(&inbox.recv().await.expect("the answer"));
        outbox.taken(&inbox.recv().await.expect("the other"));
        tokio::time::timeout(Duration::from_secs(1), room).await.expect("room");
    }
}
