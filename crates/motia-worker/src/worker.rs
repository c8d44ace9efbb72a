//! A worker: a process, its connection, and how many calls it takes at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, mpsc};

use crate::connection::{BodySender, CallHandle, CallRequest, Connection, End, LoadEvent};
use crate::host::Host;
use crate::process::Process;

/// Calls of requests that a worker holds at a time.
const HTTP_CREDITS: usize = 1024;
/// Calls of events and ticks that a worker holds at a time: apart, so that neither starves the other.
const EVENT_CREDITS: usize = 256;
/// What kind of work asks for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A request: waits a little, then is turned away.
    Http,
    /// An event or a tick: waits as long as it takes.
    Event,
}

/// A worker: a process and its connection.
pub struct Worker<H: Host> {
    pub(crate) connection: Connection<H>,
    pub(crate) process: Process,
    pub(crate) loading: mpsc::UnboundedReceiver<LoadEvent>,
    http: Arc<Semaphore>,
    events: Arc<Semaphore>,
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
    /// Given back when the call is over.
    credit: Box<dyn Send>,
    alone: bool,
}

impl<H: Host> Worker<H> {
    pub(crate) fn new(
        connection: Connection<H>,
        process: Process,
        loading: mpsc::UnboundedReceiver<LoadEvent>,
    ) -> Self {
        let credits = |count| Arc::new(Semaphore::new(count));
        let (http, events) = (credits(HTTP_CREDITS), credits(EVENT_CREDITS));
        Self { connection, process, loading, http, events, departing: AtomicBool::new(false) }
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
        }
    }

    /// The calls that it holds.
    pub(crate) fn load(&self) -> usize {
        (HTTP_CREDITS - self.http.available_permits()) + (EVENT_CREDITS - self.events.available_permits())
    }

    /// A place, if one is left.
    pub(crate) fn try_place(&self, class: Class) -> Option<Place<H>> {
        let permit = Arc::clone(self.credits(class)).try_acquire_owned().ok()?;
        Some(self.place(permit))
    }

    /// A place, against what is given back when the call is over.
    pub(crate) fn place(&self, credit: impl Send + 'static) -> Place<H> {
        Place { connection: self.connection.clone(), credit: Box::new(credit), alone: false }
    }

    /// A place in a worker that has no other call.
    pub(crate) fn place_alone(&self, credit: impl Send + 'static) -> Place<H> {
        Place { alone: true, ..self.place(credit) }
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
