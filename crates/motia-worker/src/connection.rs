//! One worker's connection: many calls in flight, writes coalesced, long bodies in chunks with a window each.

mod health;
mod receive;
mod send;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use motia_core::ids::Runtime;
use motia_core::{SourcePath, StreamName};
use parking_lot::Mutex;
use tokio::net::UnixStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use crate::frame::{ANSWER, Kind, WINDOW};
use crate::host::Host;
use crate::message::{CallKind, HandlerError, Hello, Identity, LoadFile, ResultMeta, write_call};
use receive::{Operations, Receiving};
pub use send::{BodySender, NotWanted};
use send::{Outbox, Sending};

/// A handle on a worker's connection.
pub struct Connection<H: Host> {
    shared: Arc<Shared<H>>,
}

impl<H: Host> Clone for Connection<H> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<H: Host> {
    runtime: Runtime,
    host: Arc<H>,
    tasks: TaskTracker,
    outbox: Outbox,
    state: Mutex<State<H>>,
    health: health::Health,
    /// Wakes whoever waits for the last call to end.
    settled: Notify,
    /// How the connection ended.
    ended: watch::Sender<Option<End>>,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By the worker: its process died, or it broke the protocol.
    Worker(String),
    /// By the engine, and why.
    Engine(String),
}

struct State<H: Host> {
    last_call: u32,
    calls: HashMap<u32, Running<H>>,
    /// Calls that ignored their cancellation: what they still ask for is refused, also after they have settled.
    expired: HashSet<u32>,
    /// Our messages whose bodies are not sent whole: by whether they are answers, and id.
    sending: HashMap<(bool, u32), Sending>,
    /// Their messages whose bodies have not come whole.
    receiving: HashMap<(bool, u32), Receiving>,
    operations: Operations,
    ended: bool,
}

/// A call that has not been answered whole.
struct Running<H: Host> {
    source: SourcePath,
    context: Arc<H::Call>,
    limits: CallLimits,
    answer: Option<oneshot::Sender<Result<CallOutcome, CallError>>>,
    /// Its place among the worker's calls.
    place: Box<dyn Credit>,
}

/// What a call holds of its worker. Given back when the call is over.
pub trait Credit: Send {
    /// The head of the response is out, and its body follows. Answers with what others may have from now on.
    fn head_is_out(&mut self) -> Option<OwnedSemaphorePermit> {
        None
    }
}

impl Credit for () {}

/// What the engine calls.
pub struct CallRequest<C> {
    /// The step's file.
    pub source: SourcePath,
    /// The chain.
    pub identity: Identity,
    /// Why.
    pub kind: CallKind,
    /// The request's body, or the event's data.
    pub body: Bytes,
    /// What the engine knows of the call.
    pub context: Arc<C>,
    /// How long it may take.
    pub limits: CallLimits,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// From its start until it must have settled: its timeout and what a cancelled handler gets to stop. Past that its worker is
    /// replaced, and nothing of it has an effect any more.
    pub settle: Duration,
    /// How long its worker may be silent before it counts as dead.
    pub silence: Duration,
}

impl CallLimits {
    /// What a cancelled handler gets to stop.
    pub const GRACE: Duration = Duration::from_secs(5);

    /// Those of a call with a timeout. `silence`: how long its worker may be silent; by default as long as the call may take.
    pub fn new(timeout: Duration, silence: Option<Duration>) -> Self {
        let settle = timeout.saturating_add(Self::GRACE);
        Self { settle, silence: silence.unwrap_or(settle) }
    }
}

/// What a worker says while it loads files.
#[derive(Debug)]
pub enum LoadEvent {
    /// The runtime is up.
    Hello(Hello),
    /// A file's import begins.
    Importing(SourcePath),
    /// A file was imported.
    Imported {
        /// Which.
        source: SourcePath,
        /// Its config as JSON.
        config: Bytes,
        /// Whether it exports a handler.
        handler: bool,
        /// What was odd about the config.
        warnings: Vec<String>,
    },
    /// A file was not imported.
    Refused {
        /// Which.
        source: SourcePath,
        /// Why.
        error: HandlerError,
    },
    /// All files have been answered.
    Ready,
}

/// How a call ended well: the worker answered.
#[derive(Debug)]
pub struct CallOutcome {
    /// What it said.
    pub meta: ResultMeta,
    /// The response's body.
    pub body: ResultBody,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The worker's process ended, or broke the protocol and was ended.
    #[error("the {runtime} worker ended while the handler ran: {reason}")]
    WorkerEnded {
        /// Which runtime.
        runtime: Runtime,
        /// How, for people.
        reason: String,
    },
    /// The engine ended the worker: the handler is not to blame.
    #[error("the handler was cut off: {reason}")]
    CutOff {
        /// Why, for people.
        reason: String,
    },
}

/// A response's body as it comes.
#[derive(Debug)]
pub struct ResultBody {
    first: Bytes,
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    chunks: mpsc::UnboundedReceiver<Result<Bytes, CutOff>>,
    window: Box<dyn WindowGrant>,
    /// Taken in, but not granted again so far: a grant for each small chunk would be a frame for each.
    taken: usize,
    ended: bool,
}

/// How much is taken in before it is granted again.
const GRANT: usize = WINDOW / 4;

/// The rest of a body did not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutOff {
    /// The stream that the handler returned failed.
    #[error("its stream failed: {0}")]
    Failed(Box<HandlerError>),
    /// The worker broke it off and did not say why.
    #[error("the worker did not send the rest of the body")]
    Unsaid,
    /// The worker's connection ended.
    #[error("{0}")]
    Ended(CallError),
}

trait WindowGrant: Send + Sync + std::fmt::Debug {
    /// The reader took bytes in.
    fn grant(&self, bytes: usize);
    /// The reader is gone: the handler may stop, and what it still sends is thrown away.
    fn abandon(&self, reason: &'static str);
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.chunks.close();
        if !self.ended {
            self.window.abandon("disconnect");
        }
    }
}

impl ResultBody {
    /// The body, if all of it is here already.
    pub fn whole(&self) -> Option<&Bytes> {
        self.rest.is_none().then_some(&self.first)
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, CutOff>> {
        if !self.first.is_empty() {
            return Some(Ok(std::mem::take(&mut self.first)));
        }
        let rest = self.rest.as_mut()?;
        match rest.chunks.recv().await {
            Some(Ok(bytes)) => {
                rest.taken += bytes.len();
                if rest.taken >= GRANT {
                    rest.window.grant(std::mem::take(&mut rest.taken));
                }
                Some(Ok(bytes))
            }
            end => {
                rest.ended = true;
                end
            }
        }
    }
}

impl ResultBody {
    /// The reader does not want the rest: the handler's signal is aborted.
    pub fn cancel(&mut self, reason: &'static str) {
        if let Some(mut rest) = self.rest.take()
            && !std::mem::replace(&mut rest.ended, true)
        {
            rest.window.abandon(reason);
        }
    }
}

/// A call in flight. Dropping it before it is answered cancels it.
pub struct CallHandle<H: Host> {
    id: u32,
    connection: Connection<H>,
    answer: oneshot::Receiver<Result<CallOutcome, CallError>>,
    /// Answered or cancelled: nobody has to tell the worker that nobody waits.
    over: bool,
}

impl<H: Host> CallHandle<H> {
    /// Waits for the answer.
    pub async fn outcome(&mut self) -> Result<CallOutcome, CallError> {
        let outcome = (&mut self.answer).await;
        self.over = true;
        outcome.unwrap_or_else(|_| Err(self.connection.ended_error()))
    }

    /// Whether the worker's thread is blocked, by this handler or by another. Says so within a second.
    pub async fn is_blocked(&self) -> bool {
        self.connection.is_blocked().await
    }

    /// Aborts the handler's signal. The handler may still answer.
    pub fn cancel(&mut self, reason: &'static str) {
        self.over = true;
        self.connection.shared.cancel(self.id, reason);
    }
}

impl<H: Host> Drop for CallHandle<H> {
    fn drop(&mut self) {
        if !self.over {
            self.cancel("disconnect");
        }
    }
}

impl<H: Host> Connection<H> {
    /// Takes over the stream. The receiver gets what the worker says while it loads; it closes when the connection ends.
    pub fn start(
        stream: UnixStream,
        runtime: Runtime,
        host: Arc<H>,
        tasks: TaskTracker,
    ) -> (Self, mpsc::UnboundedReceiver<LoadEvent>) {
        let state = State {
            last_call: 0,
            calls: HashMap::new(),
            expired: HashSet::new(),
            sending: HashMap::new(),
            receiving: HashMap::new(),
            operations: Operations::default(),
            ended: false,
        };
        let shared = Arc::new(Shared {
            runtime,
            host,
            tasks: tasks.clone(),
            outbox: Outbox::default(),
            state: Mutex::new(state),
            health: health::Health::default(),
            settled: Notify::new(),
            ended: watch::Sender::new(None),
        });
        let (events, loading) = mpsc::unbounded_channel();
        let (read, write) = stream.into_split();
        let (reader, writer) = (Arc::clone(&shared), Arc::clone(&shared));
        tasks.spawn(async move {
            // Whatever happens while reading, even a bug of ours: a connection that nobody reads is ended.
            let ended = EndOnDrop(&reader);
            let why = receive::run(&reader, read, events).await;
            reader.end(End::Worker(why));
            drop(ended);
        });
        tasks.spawn(async move { writer.outbox.run(write).await });
        (Self { shared }, loading)
    }

    /// Calls a handler. `place` is given back when the call is over.
    pub fn call(&self, mut request: CallRequest<H::Call>, place: Box<dyn Credit>) -> CallHandle<H> {
        let body = std::mem::take(&mut request.body);
        let (handle, meta) = self.begin(request, place);
        self.shared.send(Kind::Call, 0, handle.id, &meta, body);
        handle
    }

    /// Calls a handler whose body is still coming, all of it: it runs once the body has been sent and finished, and how long it may take is
    /// counted from then on.
    pub fn call_open(
        &self,
        mut request: CallRequest<H::Call>,
        place: Box<dyn Credit>,
    ) -> (CallHandle<H>, BodySender<H>) {
        let settle = std::mem::replace(&mut request.limits.settle, Duration::MAX);
        let (handle, meta) = self.begin(request, place);
        let body = BodySender::open(&self.shared, handle.id, &meta, settle);
        (handle, body)
    }

    fn begin(&self, request: CallRequest<H::Call>, place: Box<dyn Credit>) -> (CallHandle<H>, BytesMut) {
        let CallRequest { source, identity, kind, context, limits, body: _ } = request;
        let mut meta = BytesMut::with_capacity(512);
        write_call(&mut meta, &source, identity, &kind);
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut state = self.shared.state.lock();
            let id = state.free_call_id();
            if !state.ended {
                let running = Running { source, context, limits, answer: Some(answer), place };
                state.calls.insert(id, running);
            }
            id
        };
        (CallHandle { id, connection: self.clone(), answer: answered, over: false }, meta)
    }

    /// Asks the worker to import files.
    pub fn load(&self, root: &std::path::Path, files: &[LoadFile]) {
        let meta = serde_json::json!({ "root": root }).to_string();
        // Paths that are not UTF-8 were refused by discovery.
        let body = serde_json::to_vec(files).unwrap_or_default();
        self.shared.send(Kind::Load, 0, 0, meta.as_bytes(), body.into());
    }

    /// Tells the worker the names of all streams.
    pub fn streams(&self, names: &[StreamName]) {
        let body = serde_json::to_vec(names).unwrap_or_default();
        self.shared.send(Kind::Streams, 0, 0, b"", body.into());
    }

    /// Says that no further call will come.
    pub fn stop(&self) {
        self.shared.send(Kind::Stop, 0, 0, b"", Bytes::new());
    }

    /// How many calls are in flight.
    pub fn running(&self) -> usize {
        self.shared.state.lock().calls.len()
    }

    /// Waits until no call is in flight.
    pub async fn settled(&self) {
        loop {
            let settled = self.shared.settled.notified();
            if self.running() == 0 {
                return;
            }
            settled.await;
        }
    }

    /// Waits for the end of the connection and says how it came.
    pub async fn ended(&self) -> End {
        let mut ended = self.shared.ended.subscribe();
        let end = ended.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        end.unwrap_or_else(|| End::Engine("the connection was closed".into()))
    }

    /// Ends the connection from this side.
    pub fn end(&self, end: End) {
        self.shared.end(end);
    }

    fn ended_error(&self) -> CallError {
        let end = self.shared.ended.borrow().clone();
        end.unwrap_or_else(|| End::Engine("the connection was closed".into())).error(self.shared.runtime)
    }
}

struct EndOnDrop<'a, H: Host>(&'a Shared<H>);

impl<H: Host> Drop for EndOnDrop<'_, H> {
    fn drop(&mut self) {
        self.0.end(End::Engine("its connection was no longer read".into()));
    }
}

impl End {
    /// The worker's stream came to its end.
    pub(crate) const PROCESS_ENDED: &'static str = "its process ended";

    fn error(self, runtime: Runtime) -> CallError {
        match self {
            Self::Worker(reason) => CallError::WorkerEnded { runtime, reason },
            Self::Engine(reason) => CallError::CutOff { reason },
        }
    }
}

impl<H: Host> State<H> {
    fn free_call_id(&mut self) -> u32 {
        loop {
            self.last_call = self.last_call.wrapping_add(1);
            // 0 belongs to messages without a number.
            if self.last_call != 0 && !self.calls.contains_key(&self.last_call) {
                return self.last_call;
            }
        }
    }
}

impl<H: Host> Shared<H> {
    /// The call is over: its place is free.
    fn finish(&self, id: u32) {
        let (running, settled) = {
            let mut state = self.state.lock();
            let running = state.calls.remove(&id);
            // One that expired may be all that is left.
            (running, state.calls.len() <= state.expired.len())
        };
        // Outside of the lock: its place may be given back to others who look at this worker.
        drop(running);
        if settled {
            self.settled.notify_waiters();
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Ends the connection once: every call in flight is answered with how it ended.
    fn end(&self, end: End) {
        let calls = {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.ended, true) {
                return;
            }
            // Whoever sends one finds that it is gone.
            state.sending.values().for_each(Sending::wake);
            state.sending.clear();
            for receiving in std::mem::take(&mut state.receiving).into_values() {
                receiving.cut_off(CutOff::Ended(end.clone().error(self.runtime)));
            }
            std::mem::take(&mut state.calls)
        };
        self.outbox.close();
        self.ended.send_replace(Some(end.clone()));
        for mut running in calls.into_values() {
            if let Some(answer) = running.answer.take() {
                // Whoever asked may have gone.
                let _ = answer.send(Err(end.clone().error(self.runtime)));
            }
        }
        self.settled.notify_waiters();
    }
}

/// The `flags` bit of a message.
fn answer_bit(answer: bool) -> u8 {
    if answer { ANSWER } else { 0 }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
