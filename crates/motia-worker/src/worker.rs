//! A worker: a process, its connection, and how many calls it takes at a time.

use std::sync::Arc;

use bytes::Bytes;
use motia_core::SourcePath;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::connection::{CallHandle, Connection, LoadEvent};
use crate::host::Host;
use crate::message::{CallKind, Identity};
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
    permit: OwnedSemaphorePermit,
}

impl<H: Host> Worker<H> {
    pub(crate) fn new(
        connection: Connection<H>,
        process: Process,
        loading: mpsc::UnboundedReceiver<LoadEvent>,
    ) -> Self {
        let credits = |count| Arc::new(Semaphore::new(count));
        Self { connection, process, loading, http: credits(HTTP_CREDITS), events: credits(EVENT_CREDITS) }
    }

    /// Ends it and everything that it started; calls in flight are cut off.
    pub(crate) fn kill(&self, why: &str) {
        self.connection.end(why);
        self.process.kill();
    }

    /// The places that are left for a class.
    pub(crate) fn credits(&self, class: Class) -> &Arc<Semaphore> {
        match class {
            Class::Http => &self.http,
            Class::Event => &self.events,
        }
    }

    /// A place that was got from [`Worker::credits`], or of the quarantine.
    pub(crate) fn place(&self, permit: OwnedSemaphorePermit) -> Place<H> {
        Place { connection: self.connection.clone(), permit }
    }
}

impl<H: Host> Place<H> {
    /// Calls a handler.
    pub fn call(
        self,
        source: &SourcePath,
        identity: Identity,
        kind: &CallKind,
        body: Bytes,
        context: Arc<H::Call>,
    ) -> CallHandle<H> {
        self.connection.call(source, identity, kind, body, context, Box::new(self.permit))
    }
}
