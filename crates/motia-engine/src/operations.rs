//! What handlers ask for. A handler's operations are applied in the order sent, awaited or not: each is polled once when its frame is
//! read, and takes its turn in its call's order there.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use motia_core::ids::Runtime;
use motia_core::record::{Level, LogLine, Operation as Recorded, OperationRecord, Record, SpanId};
use motia_core::trace::TraceParent;
use motia_core::{GroupId, ItemKey, StepName, StreamName, TraceId};
use motia_ports::queue::NewEvent;
use motia_ports::streams::ItemAddress;
use motia_ports::{Error, Mark, Pending, Write};
use motia_worker::message::{OperationError, WorkerLog};
use motia_worker::{Host, Operation, Origin};

use crate::call::Call;
use crate::engine::{Backends, EngineHost};
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
                let sync = |backends: &Backends, after| backends.journal.sync(after);
                self.read(&asker, |_| {}, sync, |()| Bytes::new())
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
        let record = self.recorder(asker, Recorded::Emit { topic, deliveries: Some(0) });
        self.write(asker, record, move |backends| backends.queue.emit(event), |_| Bytes::new())
    }

    fn state(&self, asker: &Asker, operation: Operation, body: Bytes) -> Answer {
        let recorded = |verb, group: &GroupId, key: Option<&ItemKey>| {
            self.recorder(asker, Recorded::State { verb, group: group.clone(), key: key.cloned() })
        };
        match operation {
            Operation::StateGet(group, key) => {
                let record = recorded("get", &group, Some(&key));
                self.read(asker, record, move |backends, after| backends.state.get(after, group, key), or_null)
            }
            Operation::StateSet(group, key) => {
                let record = recorded("set", &group, Some(&key));
                self.write(asker, record, move |backends| backends.state.set(group, key, body), |()| Bytes::new())
            }
            Operation::StateDelete(group, key) => {
                let record = recorded("delete", &group, Some(&key));
                self.write(asker, record, move |backends| backends.state.delete(group, key), or_null)
            }
            Operation::StateGroup(group) => {
                let record = recorded("getGroup", &group, None);
                self.read(asker, record, move |backends, after| backends.state.group(after, group), list)
            }
            Operation::StateClear(group) => {
                let record = recorded("clear", &group, None);
                self.write(asker, record, move |backends| backends.state.clear(group), |()| Bytes::new())
            }
            _ => ready(Ok(Bytes::new())),
        }
    }

    fn stream(&self, asker: &Asker, operation: Operation, body: &Bytes) -> Answer {
        let recorded = |verb, stream: &StreamName, group: &GroupId, id: Option<&ItemKey>| {
            let (stream, group, id) = (stream.clone(), group.clone(), id.cloned());
            self.recorder(asker, Recorded::Stream { verb, stream, group, id })
        };
        match operation {
            Operation::StreamGet(stream, group, id) => {
                let record = recorded("get", &stream, &group, Some(&id));
                let address = ItemAddress { stream, group, id };
                self.read(asker, record, move |backends, after| backends.streams.get(after, address), or_null)
            }
            Operation::StreamSet(stream, group, id) => {
                let record = recorded("set", &stream, &group, Some(&id));
                match item::stored(body, &id, self.telemetry.clock().now()) {
                    Ok((item, created)) => {
                        let (address, stored) = (ItemAddress { stream, group, id }, item.clone());
                        let set = move |backends: &Backends| backends.streams.set(address, item, created);
                        self.write(asker, record, set, move |_| stored)
                    }
                    // As the original: nothing is stored for null.
                    Err(_) if body.trim_ascii() == b"null" => ready(Ok(Bytes::from_static(b"null"))),
                    Err(error) => ready(Err(OperationError {
                        code: "not-an-object",
                        message: format!("streams.{stream}.set: {error}"),
                    })),
                }
            }
            Operation::StreamDelete(stream, group, id) => {
                let record = recorded("delete", &stream, &group, Some(&id));
                let address = ItemAddress { stream, group, id };
                self.write(asker, record, move |backends| backends.streams.delete(address), or_null)
            }
            Operation::StreamGroup(stream, group) => {
                let record = recorded("getGroup", &stream, &group, None);
                self.read(asker, record, move |backends, after| backends.streams.group(after, stream, group), list)
            }
            Operation::StreamSend(stream, group, id) => {
                // An event is for whoever watches now; it is not kept.
                recorded("send", &stream, &group, id.as_ref())(None);
                ready(Ok(Bytes::new()))
            }
            _ => ready(Ok(Bytes::new())),
        }
    }

    /// A write: it takes effect behind the reads that its call asked for before, and before those that come after.
    fn write<T: Send + 'static>(
        &self,
        asker: &Asker,
        record: impl FnOnce(Option<&Error>) + Send + 'static,
        submit: impl FnOnce(&Backends) -> Write<T> + Send + 'static,
        encode: impl FnOnce(T) -> Bytes + Send + 'static,
    ) -> Answer {
        let (backends, call) = (Arc::clone(&self.backends), asker.call.clone());
        async move {
            let done = match &call {
                None => submit(&backends).done,
                Some(call) => {
                    let _turn = call.order.write().await;
                    let Write { mark, done } = submit(&backends);
                    call.wrote(mark);
                    done
                }
            };
            let outcome = done.await;
            record(outcome.as_ref().err());
            outcome.map(encode).map_err(refused)
        }
        .boxed()
    }

    /// A read: it sees what its call wrote before, committed or not, and nothing that the call writes later.
    fn read<T: Send + 'static>(
        &self,
        asker: &Asker,
        record: impl FnOnce(Option<&Error>) + Send + 'static,
        ask: impl FnOnce(&Backends, Mark) -> Pending<T> + Send + 'static,
        encode: impl FnOnce(T) -> Bytes + Send + 'static,
    ) -> Answer {
        let (backends, call) = (Arc::clone(&self.backends), asker.call.clone());
        async move {
            let outcome = match &call {
                None => ask(&backends, Mark::NONE).await,
                Some(call) => {
                    let _turn = call.order.read().await;
                    ask(&backends, call.last_write()).await
                }
            };
            record(outcome.as_ref().err());
            outcome.map(encode).map_err(refused)
        }
        .boxed()
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
