//! What handlers ask for. Each operation takes its place in the backend's order when its frame is read, so that a handler's operations
//! are applied in the order sent; only the answers are awaited.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use motia_core::ids::Runtime;
use motia_core::record::{Level, LogLine, Operation as Recorded, OperationRecord, Record, SpanId};
use motia_core::trace::TraceParent;
use motia_core::{StepName, StreamName, TraceId};
use motia_ports::queue::NewEvent;
use motia_ports::streams::ItemAddress;
use motia_ports::{Error, Mark, Write};
use motia_worker::message::{OperationError, WorkerLog};
use motia_worker::{Host, Operation, Origin};

use crate::call::Call;
use crate::engine::EngineHost;
use crate::item;

type Answer = BoxFuture<'static, Result<Bytes, OperationError>>;

/// Who asks: a call that runs, or what a finished one left behind.
struct Asker {
    call: Option<Arc<Call>>,
    trace: TraceId,
    step: StepName,
    span: Option<SpanId>,
    parent: Option<TraceParent>,
}

impl Asker {
    fn after(&self) -> Mark {
        self.call.as_ref().map_or(Mark::NONE, |call| call.last_write())
    }

    fn wrote<T>(&self, write: Write<T>) -> motia_ports::Pending<T> {
        if let Some(call) = &self.call {
            call.wrote(write.mark);
        }
        write.done
    }
}

impl Host for EngineHost {
    type Call = Call;

    fn operation(&self, origin: Origin<Call>, operation: Operation, body: Bytes) -> Answer {
        let asker = self.asker(origin);
        match operation {
            Operation::Emit { topic, group } => self.emit(
                &asker,
                NewEvent {
                    topic,
                    trace: asker.trace,
                    parent: asker.parent.map(|parent| parent.to_string()),
                    group,
                    data: body,
                    at: self.telemetry.clock().now(),
                },
            ),
            Operation::Sync => {
                let (journal, mark) = (Arc::clone(&self.backends.journal), asker.after());
                async move { journal.sync(mark).await.map(|()| Bytes::new()).map_err(refused) }.boxed()
            }
            Operation::StateGet(..)
            | Operation::StateSet(..)
            | Operation::StateDelete(..)
            | Operation::StateGroup(..)
            | Operation::StateClear(..) => self.state(&asker, operation, body),
            Operation::StreamGet(ref stream, ..)
            | Operation::StreamSet(ref stream, ..)
            | Operation::StreamDelete(ref stream, ..)
            | Operation::StreamGroup(ref stream, ..)
            | Operation::StreamSend(ref stream, ..) => {
                if !self.project().has_stream(stream) {
                    return ready(Err(unknown_stream(stream)));
                }
                self.stream(&asker, operation, &body)
            }
        }
    }

    fn log(&self, origin: Option<Origin<Call>>, line: WorkerLog) {
        let (trace, step) = match origin.map(|origin| self.asker(origin)) {
            Some(asker) => (Some(asker.trace), Some(asker.step)),
            None => (None, None),
        };
        let WorkerLog { level, message, details } = line;
        self.telemetry.record(Record::Log(LogLine {
            at: self.telemetry.clock().now(),
            level,
            trace,
            step,
            message,
            details,
        }));
    }

    fn output(&self, _runtime: Runtime, stderr: bool, line: String) {
        self.telemetry.log(if stderr { Level::Warn } else { Level::Info }, line);
    }
}

impl EngineHost {
    fn asker(&self, origin: Origin<Call>) -> Asker {
        match origin {
            Origin::Call(call) => Asker {
                trace: call.trace,
                step: call.step.name.clone(),
                span: Some(call.span),
                parent: Some(call.parent),
                call: Some(call),
            },
            Origin::Late { trace, source } => {
                let step =
                    self.project().step_of(&source).map_or_else(|| source.as_str().into(), |step| step.name.clone());
                Asker { call: None, trace, step, span: None, parent: None }
            }
        }
    }

    fn emit(&self, asker: &Asker, event: NewEvent) -> Answer {
        let topic = event.topic.clone();
        let allowed = asker.call.as_ref().is_none_or(|call| call.step.emits.allow(&topic));
        if !allowed {
            // As the original: said, dropped, never thrown (behaviour-0.17.md C).
            let said = format!("emitted '{topic}', which its config does not list in 'emits': the event was dropped");
            self.telemetry.log_of(Level::Warn, Some(asker.trace), Some(asker.step.clone()), said);
            self.recorder(asker, Recorded::Emit { topic, deliveries: None })(None);
            return ready(Ok(Bytes::new()));
        }
        let emitted = asker.wrote(self.backends.queue.emit(event));
        let record = self.recorder(asker, Recorded::Emit { topic, deliveries: Some(0) });
        async move {
            let outcome = emitted.await;
            record(outcome.as_ref().err());
            outcome.map(|_| Bytes::new()).map_err(refused)
        }
        .boxed()
    }

    fn state(&self, asker: &Asker, operation: Operation, body: Bytes) -> Answer {
        let state = &self.backends.state;
        let recorded = |verb, group, key| Recorded::State { verb, group, key };
        match operation {
            Operation::StateGet(group, key) => {
                let record = self.recorder(asker, recorded("get", group.clone(), Some(key.clone())));
                answer(state.get(asker.after(), group, key), record, or_null)
            }
            Operation::StateSet(group, key) => {
                let record = self.recorder(asker, recorded("set", group.clone(), Some(key.clone())));
                answer(asker.wrote(state.set(group, key, body)), record, |()| Bytes::new())
            }
            Operation::StateDelete(group, key) => {
                let record = self.recorder(asker, recorded("delete", group.clone(), Some(key.clone())));
                answer(asker.wrote(state.delete(group, key)), record, or_null)
            }
            Operation::StateGroup(group) => {
                let record = self.recorder(asker, recorded("getGroup", group.clone(), None));
                answer(state.group(asker.after(), group), record, list)
            }
            Operation::StateClear(group) => {
                let record = self.recorder(asker, recorded("clear", group.clone(), None));
                answer(asker.wrote(state.clear(group)), record, |()| Bytes::new())
            }
            _ => ready(Ok(Bytes::new())),
        }
    }

    fn stream(&self, asker: &Asker, operation: Operation, body: &Bytes) -> Answer {
        let streams = &self.backends.streams;
        let recorded = |verb, address: &ItemAddress| Recorded::Stream {
            verb,
            stream: address.stream.clone(),
            group: address.group.clone(),
            id: Some(address.id.clone()),
        };
        match operation {
            Operation::StreamGet(stream, group, id) => {
                let address = ItemAddress { stream, group, id };
                let record = self.recorder(asker, recorded("get", &address));
                answer(streams.get(asker.after(), address), record, or_null)
            }
            Operation::StreamSet(stream, group, id) => {
                let address = ItemAddress { stream, group, id };
                let record = self.recorder(asker, recorded("set", &address));
                match item::stored(body, &address.id, self.telemetry.clock().now()) {
                    Ok((item, created)) => {
                        let stored = item.clone();
                        answer(asker.wrote(streams.set(address, item, created)), record, move |_| stored)
                    }
                    // As the original: nothing is stored for null.
                    Err(_) if body.trim_ascii() == b"null" => ready(Ok(Bytes::from_static(b"null"))),
                    Err(error) => ready(Err(OperationError {
                        code: "not-an-object",
                        message: format!("streams.{}.set: {error}", address.stream),
                    })),
                }
            }
            Operation::StreamDelete(stream, group, id) => {
                let address = ItemAddress { stream, group, id };
                let record = self.recorder(asker, recorded("delete", &address));
                answer(asker.wrote(streams.delete(address)), record, or_null)
            }
            Operation::StreamGroup(stream, group) => {
                let verb =
                    Recorded::Stream { verb: "getGroup", stream: stream.clone(), group: group.clone(), id: None };
                let record = self.recorder(asker, verb);
                answer(streams.group(asker.after(), stream, group), record, list)
            }
            Operation::StreamSend(stream, group, id) => {
                // An event is for whoever watches now; it is not kept.
                self.recorder(asker, Recorded::Stream { verb: "send", stream, group, id })(None);
                ready(Ok(Bytes::new()))
            }
            _ => ready(Ok(Bytes::new())),
        }
    }

    /// What records an operation once its outcome is known.
    fn recorder(&self, asker: &Asker, operation: Recorded) -> impl FnOnce(Option<&Error>) + Send + 'static {
        let telemetry = self.telemetry.clone();
        let (span, trace, step) = (asker.span, asker.trace, asker.step.clone());
        let (at, began) = (telemetry.clock().now(), telemetry.clock().elapsed());
        move |error| {
            let took = telemetry.clock().elapsed().saturating_sub(began);
            let error = error.map(ToString::to_string);
            telemetry.record(Record::Operation(OperationRecord { span, trace, step, operation, at, took, error }));
        }
    }
}

fn answer<T: Send + 'static>(
    pending: motia_ports::Pending<T>,
    record: impl FnOnce(Option<&Error>) + Send + 'static,
    encode: impl FnOnce(T) -> Bytes + Send + 'static,
) -> Answer {
    async move {
        let outcome = pending.await;
        record(outcome.as_ref().err());
        outcome.map(encode).map_err(refused)
    }
    .boxed()
}

fn ready(answer: Result<Bytes, OperationError>) -> Answer {
    std::future::ready(answer).boxed()
}

fn refused(error: Error) -> OperationError {
    OperationError { code: error.code(), message: error.to_string() }
}

fn unknown_stream(name: &StreamName) -> OperationError {
    OperationError {
        code: "stream-unknown",
        message: format!(
            "there is no stream '{name}': add a file such as steps/{name}.stream.ts that exports its config"
        ),
    }
}

fn or_null(value: Option<Bytes>) -> Bytes {
    value.unwrap_or_else(|| Bytes::from_static(b"null"))
}

fn list(values: Vec<Bytes>) -> Bytes {
    let mut json = Vec::with_capacity(values.iter().map(|value| value.len() + 1).sum::<usize>() + 2);
    json.push(b'[');
    for (n, value) in values.iter().enumerate() {
        if n > 0 {
            json.push(b',');
        }
        json.extend_from_slice(value);
    }
    json.push(b']');
    json.into()
}
