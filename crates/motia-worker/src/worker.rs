//! A worker: a process, its connection, and how many calls it takes at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::connection::{BodySender, CallHandle, CallRequest, Connection, Credit, End, LoadEvent};
use crate::host::Host;
use crate::process::Process;

/// Calls of requests that a worker holds at a time, until the heads of their responses are out. Many, since most handlers wait for
/// something: what this bounds is memory.
pub(crate) const HTTP_CREDITS: usize = 8192;
/// Responses beyond that whose bodies are still coming: a stream may last for hours, and must not cost a request its place.
const STREAM_CREDITS: usize = 16_384;
/// Calls of events and ticks that a worker holds at a time: apart, so that neither starves the other.
const EVENT_CREDITS: usize = 256;
/// Calls of a stream's own storage: apart from those that wait for them, which may be all that a worker holds.
const STORAGE_CREDITS: usize = 1024;

/// What kind of work asks for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A request: waits a little, then is turned away.
    Http,
    /// An event or a tick: waits as long as it takes.
    Event,
    /// What a stream's own storage does for a call that runs: waits as long as it takes.
    Storage,
}

/// A worker: a process and its connection.
pub struct Worker<H: Host> {
    pub(crate) connection: Connection<H>,
    pub(crate) process: Process,
    pub(crate) loading: mpsc::UnboundedReceiver<LoadEvent>,
    http: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    events: Arc<Semaphore>,
    storage: Arc<Semaphore>,
    /// It serves until another has taken its place.
    departing: AtomicBool,
}

impl<H: Host> Drop for Worker<H> {
    /// A process that nobody knows any more is of no use.
    fn drop(&mut self) {
        self.kill("nobody needs it any more");
    }
}

/// A credit of a worker: the right to one call.
pub struct Place<H: Host> {
    connection: Connection<H>,
    credit: Box<dyn Credit>,
    alone: bool,
}

/// The credit of a request: its place among those that are not answered, then one among the responses that are under way.
struct RequestCredit {
    permit: OwnedSemaphorePermit,
    streams: Arc<Semaphore>,
}

impl Credit for RequestCredit {
    fn head_is_out(&mut self) -> Option<OwnedSemaphorePermit> {
        // With no place left there, it keeps the one that it has.
        let stream = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        Some(std::mem::replace(&mut self.permit, stream))
    }
}

/// Events and ticks have no response.
impl Credit for OwnedSemaphorePermit {}

impl<H: Host> Worker<H> {
    pub(crate) fn new(
        connection: Connection<H>,
        process: Process,
        loading: mpsc::UnboundedReceiver<LoadEvent>,
    ) -> Self {
        let credits = |count| Arc::new(Semaphore::new(count));
        Self {
            connection,
            process,
            loading,
            http: credits(HTTP_CREDITS),
            streams: credits(STREAM_CREDITS),
            events: credits(EVENT_CREDITS),
            storage: credits(STORAGE_CREDITS),
            departing: AtomicBool::new(false),
        }
    }

    /// Ends it and everything that it started; calls in flight are cut off.
    pub(crate) fn kill(&self, why: &str) {
        self.connection.end(End::Engine(why.to_owned()));
        self.process.kill();
    }

    /// Ends it as one that is to blame for that itself: calls in flight end as if its process had died.
    pub(crate) fn give_up(&self, why: &str) {
        self.connection.end(End::Worker(why.to_owned()));
        self.process.kill();
    }

    /// The places that are left for a class.
    pub(crate) fn credits(&self, class: Class) -> &Arc<Semaphore> {
        match class {
            Class::Http => &self.http,
            Class::Event => &self.events,
            Class::Storage => &self.storage,
        }
    }

    /// The calls that it holds.
    pub(crate) fn load(&self) -> usize {
        let taken = |most: usize, credits: &Semaphore| most - credits.available_permits();
        taken(HTTP_CREDITS, &self.http)
            + taken(STREAM_CREDITS, &self.streams)
            + taken(EVENT_CREDITS, &self.events)
            + taken(STORAGE_CREDITS, &self.storage)
    }

    /// A place, if one is left.
    pub(crate) fn try_place(&self, class: Class) -> Option<Place<H>> {
        let permit = Arc::clone(self.credits(class)).try_acquire_owned().ok()?;
        Some(self.place(class, permit))
    }

    /// A place, against a permit of its class.
    pub(crate) fn place(&self, class: Class, permit: OwnedSemaphorePermit) -> Place<H> {
        let credit: Box<dyn Credit> = match class {
            Class::Http => Box::new(RequestCredit { permit, streams: Arc::clone(&self.streams) }),
            Class::Event | Class::Storage => Box::new(permit),
        };
        Place { connection: self.connection.clone(), credit, alone: false }
    }

    /// A place in a worker that has no other call.
    pub(crate) fn place_alone(&self, credit: impl Credit + 'static) -> Place<H> {
        Place { connection: self.connection.clone(), credit: Box::new(credit), alone: true }
    }

    /// It serves until another has taken its place.
    pub(crate) fn depart(&self) {
        self.departing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_departing(&self) -> bool {
        self.departing.load(Ordering::Relaxed)
    }
}

impl<H: Host> Place<H> {
    /// Whether the call has its worker for itself: if that blocks or dies, it is known which call is to blame.
    pub fn is_alone(&self) -> bool {
        self.alone
    }

    /// Calls a handler.
    pub fn call(self, request: CallRequest<H::Call>) -> CallHandle<H> {
        self.connection.call(request, self.credit)
    }

    /// Calls a handler whose body is still coming.
    pub fn call_open(self, request: CallRequest<H::Call>) -> (CallHandle<H>, BodySender<H>) {
        self.connection.call_open(request, self.credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_under_way_leaves_its_place_to_the_next_request() {
        let (http, streams) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let take = || Arc::clone(&http).try_acquire_owned().ok();
        let credit = |permit| RequestCredit { permit, streams: Arc::clone(&streams) };
        let mut first = credit(take().expect("free"));
        assert!(take().is_none());
        drop(first.head_is_out());
        let mut second = credit(take().expect("the first one only streams"));
        assert!(second.head_is_out().is_none(), "there is no place left among the streams");
        assert!(take().is_none(), "so it keeps the one that it has");
        drop(first);
        drop(second.head_is_out().expect("room again"));
        drop(second);
        assert_eq!((http.available_permits(), streams.available_permits()), (1, 1));
    }
}
