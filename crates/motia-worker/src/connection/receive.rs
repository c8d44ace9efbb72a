//! The receiving half: frames to calls, operations, logs.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use motia_core::SourcePath;
use motia_core::record::Level;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::mpsc;

use super::{CallOutcome, CutOff, End, LoadEvent, Rest, ResultBody, Shared, State, WindowGrant};
use crate::frame::{ANSWER, Frame, Kind, MORE, WINDOW, decode};
use crate::host::{Host, Origin};
use crate::message::{FileMeta, HandlerError, LogMeta, ResultMeta, WorkerLog};
use crate::operation::{OperationError, OperationMeta};

/// A message whose body has not come whole.
pub(super) enum Receiving {
    /// It is collected, then handled.
    Whole { first: Frame, body: BytesMut },
    /// It is passed on as it comes.
    Stream {
        chunks: mpsc::UnboundedSender<Result<Bytes, CutOff>>,
        /// Bytes that the worker is ahead of the reader.
        ahead: Arc<AtomicUsize>,
    },
}

impl Receiving {
    /// Tells the reader that the rest will not come.
    pub(super) fn cut_off(self, why: CutOff) {
        if let Self::Stream { chunks, .. } = self {
            // The reader may be gone.
            let _ = chunks.send(Err(why));
        }
    }
}

/// Reads until the stream ends or breaks the protocol; answers with why.
pub(super) async fn run<H: Host>(
    shared: &Arc<Shared<H>>,
    mut stream: OwnedReadHalf,
    events: mpsc::UnboundedSender<LoadEvent>,
) -> String {
    let mut buffer = BytesMut::with_capacity(128 << 10);
    loop {
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return End::PROCESS_ENDED.into(),
            Ok(_) => shared.health.heard(),
            // A process that dies with frames unread.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return End::PROCESS_ENDED.into(),
            Err(error) => return format!("its connection broke: {error}"),
        }
        loop {
            match decode(&mut buffer) {
                Ok(Some(frame)) => {
                    if let Err(breach) = shared.receive(frame, &events) {
                        return format!("it broke the protocol: {breach}");
                    }
                }
                Ok(None) => break,
                Err(breach) => return format!("it broke the protocol: {breach}"),
            }
        }
        if buffer.capacity() - buffer.len() < 16 << 10 {
            buffer.reserve(128 << 10);
        }
    }
}

#[derive(Deserialize)]
struct WindowMeta {
    bytes: usize,
}

#[derive(Deserialize)]
struct AbortMeta {
    error: Option<HandlerError>,
}

/// Gives a worker more window as a response's reader takes its chunks.
struct Grants<H: Host> {
    shared: Weak<Shared<H>>,
    call: u32,
    ahead: Arc<AtomicUsize>,
}

impl<H: Host> std::fmt::Debug for Grants<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grants").field("call", &self.call).finish_non_exhaustive()
    }
}

impl<H: Host> WindowGrant for Grants<H> {
    fn grant(&self, bytes: usize) {
        self.ahead.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(shared) = self.shared.upgrade() {
            shared.grant(true, self.call, bytes);
        }
    }

    fn abandon(&self, reason: &'static str) {
        if let Some(shared) = self.shared.upgrade() {
            shared.cancel(self.call, reason);
            self.ahead.store(0, Ordering::Relaxed);
            shared.grant(true, self.call, u32::MAX as usize);
        }
    }
}

fn meta<'a, T: Deserialize<'a>>(frame: &'a Frame) -> Result<T, String> {
    let text: &[u8] = if frame.meta.is_empty() { b"{}" } else { &frame.meta };
    serde_json::from_slice(text).map_err(|error| format!("the meta of a {:?} frame: {error}", frame.kind))
}

impl<H: Host> Shared<H> {
    fn receive(self: &Arc<Self>, frame: Frame, events: &mpsc::UnboundedSender<LoadEvent>) -> Result<(), String> {
        match frame.kind {
            Kind::Data => return self.more(&frame, events),
            Kind::Abort => return self.abort(&frame),
            Kind::Window => {
                let WindowMeta { bytes } = meta(&frame)?;
                self.window(frame.flags & ANSWER != 0, frame.id, bytes);
                return Ok(());
            }
            Kind::Result => return self.result(frame),
            _ => {}
        }
        if frame.flags & MORE == 0 {
            return self.message(frame, events);
        }
        self.grant(false, frame.id, frame.body.len());
        let body = BytesMut::from(&frame.body[..]);
        let key = (false, frame.id);
        let mut state = self.state.lock();
        if frame.kind == Kind::Op {
            state.operations.begin(frame.id);
        }
        state.receiving.insert(key, Receiving::Whole { first: frame, body });
        Ok(())
    }

    /// The rest of a message will not come.
    fn abort(self: &Arc<Self>, frame: &Frame) -> Result<(), String> {
        let (receiving, ready) = {
            let mut state = self.state.lock();
            let receiving = state.receiving.remove(&(frame.flags & ANSWER != 0, frame.id));
            let given_up = matches!(&receiving, Some(Receiving::Whole { first, .. }) if first.kind == Kind::Op);
            let ready = if given_up { state.operations.end(frame.id, None) } else { Vec::new() };
            (receiving, ready)
        };
        if let Some(receiving @ Receiving::Stream { .. }) = receiving {
            let AbortMeta { error } = meta(frame)?;
            receiving.cut_off(error.map_or(CutOff::Unsaid, |error| CutOff::Failed(Box::new(error))));
            self.finish(frame.id);
        }
        ready.into_iter().try_for_each(|frame| self.operation(frame))
    }

    /// The next bytes of a message.
    fn more(self: &Arc<Self>, frame: &Frame, events: &mpsc::UnboundedSender<LoadEvent>) -> Result<(), String> {
        let answer = frame.flags & ANSWER != 0;
        let last = frame.flags & MORE == 0;
        let whole = {
            let mut state = self.state.lock();
            match state.receiving.get_mut(&(answer, frame.id)) {
                None => return Ok(()), // Its call is over; the rest is of no interest.
                Some(Receiving::Whole { body, .. }) => body.extend_from_slice(&frame.body),
                Some(Receiving::Stream { chunks, ahead }) => {
                    // A reader that is gone has given all the window there is: its rest is thrown away.
                    // Counted before it is sent: its reader takes it off at once.
                    let before = ahead.fetch_add(frame.body.len(), Ordering::Relaxed);
                    if chunks.send(Ok(frame.body.clone())).is_ok() && before.saturating_add(frame.body.len()) > WINDOW {
                        return Err("a body ran ahead of its window".into());
                    }
                }
            }
            if last { state.receiving.remove(&(answer, frame.id)) } else { None }
        };
        match whole {
            Some(Receiving::Whole { first, body }) => {
                self.message(Frame { flags: first.flags & !MORE, body: body.freeze(), ..first }, events)
            }
            Some(Receiving::Stream { .. }) => {
                self.finish(frame.id);
                Ok(())
            }
            None => {
                let collected =
                    matches!(self.state.lock().receiving.get(&(answer, frame.id)), Some(Receiving::Whole { .. }));
                if collected {
                    self.grant(answer, frame.id, frame.body.len());
                }
                Ok(())
            }
        }
    }

    /// A message whose body is here whole.
    fn message(self: &Arc<Self>, frame: Frame, events: &mpsc::UnboundedSender<LoadEvent>) -> Result<(), String> {
        let event = match frame.kind {
            Kind::Op => {
                let ready = self.state.lock().operations.complete(frame);
                return ready.into_iter().try_for_each(|frame| self.operation(frame));
            }
            Kind::Log => return self.log(frame),
            Kind::Pong => {
                self.health.pong(&meta(&frame)?);
                return Ok(());
            }
            Kind::Retire => {
                self.health.retire(meta(&frame)?);
                return Ok(());
            }
            Kind::Hello => LoadEvent::Hello(meta(&frame)?),
            Kind::Importing => LoadEvent::Importing(meta::<FileMeta>(&frame)?.file),
            Kind::Imported => {
                let FileMeta { file, handler, warnings } = meta(&frame)?;
                LoadEvent::Imported { source: file, config: frame.body, handler, warnings }
            }
            Kind::Refused => {
                let error = serde_json::from_slice(&frame.body)
                    .unwrap_or_else(|_| HandlerError::new(String::from_utf8_lossy(&frame.body)));
                LoadEvent::Refused { source: meta::<FileMeta>(&frame)?.file, error }
            }
            Kind::Ready => {
                self.health.ready(&meta(&frame)?);
                LoadEvent::Ready
            }
            // Frames that only the engine sends: nothing of ours answers them.
            _ => return Ok(()),
        };
        // Nobody listens any more once loading is over.
        let _ = events.send(event);
        Ok(())
    }

    fn result(self: &Arc<Self>, frame: Frame) -> Result<(), String> {
        let result: ResultMeta = meta(&frame)?;
        let (id, more) = (frame.id, frame.flags & MORE != 0);
        let (answer, rest, freed) = {
            let mut state = self.state.lock();
            let Some(running) = state.calls.get_mut(&id) else { return Ok(()) };
            let answer = running.answer.take();
            let freed = more.then(|| running.place.head_is_out());
            if more {
                // The handler has settled; how long its stream may take is the reader's to say.
                running.limits.settle = std::time::Duration::MAX;
            }
            let rest = more.then(|| {
                let (chunks, stream) = mpsc::unbounded_channel();
                let ahead = Arc::new(AtomicUsize::new(0));
                let window = Grants { shared: Arc::downgrade(self), call: id, ahead: Arc::clone(&ahead) };
                state.receiving.insert((true, id), Receiving::Stream { chunks, ahead });
                Rest { chunks: stream, window: Box::new(window), taken: 0, ended: false }
            });
            (answer, rest, freed)
        };
        // Outside of the lock, as in `finish`.
        drop(freed);
        if !more {
            self.finish(id);
        } else if !frame.body.is_empty() {
            self.grant(true, id, frame.body.len());
        }
        if let Some(answer) = answer {
            // Whoever asked may have gone.
            let _ = answer.send(Ok(CallOutcome { meta: result, body: ResultBody { first: frame.body, rest } }));
        }
        Ok(())
    }

    fn operation(self: &Arc<Self>, frame: Frame) -> Result<(), String> {
        let request: OperationMeta = meta(&frame)?;
        let origin = self.state.lock().origin(request.call, request.trace, request.step.clone());
        let origin = match origin {
            Ok(origin) => origin,
            Err(refused) => {
                self.reply(frame.id, Err(refused));
                return Ok(());
            }
        };
        let mut answer = match request.operation() {
            Ok(operation) => self.host.operation(origin, operation, frame.body),
            Err(error) => {
                self.reply(frame.id, Err(error));
                return Ok(());
            }
        };
        // Many answers are there at once; only the others need a task.
        match (&mut answer).now_or_never() {
            Some(reply) => self.reply(frame.id, reply),
            None => {
                let shared = Arc::clone(self);
                self.tasks.spawn(async move { shared.reply(frame.id, answer.await) });
            }
        }
        Ok(())
    }

    fn reply(&self, id: u32, reply: Result<Bytes, OperationError>) {
        match reply {
            Ok(value) => self.send(Kind::Reply, 0, id, b"", value),
            Err(error) => {
                let meta = serde_json::json!({ "error": error }).to_string();
                self.send(Kind::Reply, 0, id, meta.as_bytes(), Bytes::new());
            }
        }
    }

    fn log(&self, frame: Frame) -> Result<(), String> {
        let LogMeta { level, message, call, trace, step } = meta(&frame)?;
        // Whatever becomes of the call: what it says is worth reading.
        let origin = self.state.lock().known_origin(call, trace, step);
        let level = level.parse().unwrap_or(Level::Info);
        self.host.log(origin, WorkerLog { level, message, details: frame.body });
        Ok(())
    }
}

/// Operations take effect in the order of their first frames: what comes behind a long one that is not here whole waits for it.
#[derive(Default)]
pub(super) struct Operations {
    waiting: VecDeque<(u32, Option<Frame>)>,
}

impl Operations {
    /// The first frame of a long operation.
    fn begin(&mut self, id: u32) {
        self.waiting.push_back((id, None));
    }

    /// An operation that is here whole; answers with those that may take effect now.
    fn complete(&mut self, frame: Frame) -> Vec<Frame> {
        if self.waiting.is_empty() {
            return vec![frame];
        }
        if !self.waiting.iter().any(|(id, waiting)| *id == frame.id && waiting.is_none()) {
            self.waiting.push_back((frame.id, Some(frame)));
            return Vec::new();
        }
        self.end(frame.id, Some(frame))
    }

    /// A long operation is here whole, or will never be.
    fn end(&mut self, id: u32, frame: Option<Frame>) -> Vec<Frame> {
        match (self.waiting.iter().position(|(waiting, _)| *waiting == id), frame) {
            (Some(at), Some(frame)) => self.waiting[at].1 = Some(frame),
            (Some(at), None) => drop(self.waiting.remove(at)),
            (None, _) => {}
        }
        let mut ready = Vec::new();
        while let Some((_, Some(_))) = self.waiting.front() {
            ready.extend(self.waiting.pop_front().and_then(|(_, frame)| frame));
        }
        ready
    }
}

impl<H: Host> State<H> {
    /// Whose operation it is, if it may still have an effect.
    fn origin(
        &self,
        call: Option<u32>,
        trace: Option<motia_core::TraceId>,
        source: Option<SourcePath>,
    ) -> Result<Origin<H::Call>, OperationError> {
        if call.is_some_and(|call| self.expired.contains(&call)) {
            return Err(OperationError {
                code: "call-expired",
                message: "the handler went on after its timeout: what it emits and writes has no effect any more"
                    .into(),
            });
        }
        self.known_origin(call, trace, source).ok_or_else(|| OperationError {
            code: "unknown-call",
            message: "the operation belongs to no call that the engine knows".into(),
        })
    }

    fn known_origin(
        &self,
        call: Option<u32>,
        trace: Option<motia_core::TraceId>,
        source: Option<SourcePath>,
    ) -> Option<Origin<H::Call>> {
        if let (Some(trace), Some(source)) = (trace, source) {
            return Some(Origin::Late { trace, source });
        }
        Some(Origin::Call(Arc::clone(&self.calls.get(&call?)?.context)))
    }
}
