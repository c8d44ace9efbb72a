//! What handlers ask for. A handler's operations are applied in the order sent, awaited or not: each is polled once when its frame is
//! read, and takes its turn in its call's order there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use motia_core::ids::Runtime;
use motia_core::query::Query;
use motia_core::record::{Level, LogLine, Operation as Recorded, OperationRecord, Record, SpanId};
use motia_core::step::{QueueKind, Trigger};
use motia_core::stream::Stream;
use motia_core::trace::TraceParent;
use motia_core::update::{Change, UpdateError};
use motia_core::{GroupId, ItemKey, Priority, StepName, StreamName, Topic, TraceId};
use motia_ports::queue::Emitted;
use motia_ports::state::{Conditional, Entry, Revision};
use motia_ports::streams::ItemAddress;
use motia_ports::{Error, Mark, Pending, Write};
use motia_worker::message::WorkerLog;
use motia_worker::operation::{EmitRequest, OperationError, StateOperation, StreamOperation};
use motia_worker::{Host, Operation, Origin};
use serde_json::json;

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
            Operation::Emit(request) => self.emit(&asker, request, body),
            Operation::Cancel(event) => {
                let record = self.recorder(&asker, Recorded::Cancel { event: event.clone() });
                self.write(&asker, record, move |backends| backends.queue.cancel(event), |gone| json(&gone))
            }
            Operation::Sync => {
                let sync = |backends: &Backends, after| backends.journal.sync(after);
                self.read(&asker, |_| {}, sync, |()| Bytes::new())
            }
            Operation::State(operation) => self.state(&asker, operation, body),
            Operation::Stream(name, operation) => match self.project().stream(&name) {
                Some(stream) => self.stream(&asker, stream, operation, &body),
                None => ready(Err(unknown_stream(&name))),
            },
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

    fn emit(&self, asker: &Asker, request: EmitRequest, data: Bytes) -> Answer {
        let topic = request.topic.clone();
        let allowed = asker.call.as_ref().is_none_or(|call| call.step.emits.allow(&topic));
        if !allowed {
            // As the original: said, dropped, never thrown (behaviour-0.17.md C).
            let said = format!("emitted '{topic}', which its config does not list in 'emits': the event was dropped");
            self.telemetry.log_of(Level::Warn, Some(asker.trace), Some(asker.step.clone()), said);
            self.recorder(asker, Recorded::Emit { topic, deliveries: None })(None);
            return ready(Ok(Bytes::new()));
        }
        if request.priority != Priority::default() {
            self.warn_of_priority(&topic);
        }
        let event = self.event(request, asker.trace, asker.parent.map(|parent| parent.to_string()), data);
        let record = self.recorder(asker, Recorded::Emit { topic, deliveries: Some(0) });
        let answer = |Emitted { event, repeated, .. }: Emitted| {
            let repeated = if repeated { r#","repeated":true"# } else { "" };
            // What backends call events has nothing in it that JSON would escape.
            format!(r#"{{"id":"{event}"{repeated}}}"#).into()
        };
        self.write(asker, record, move |backends| backends.queue.emit(event), answer)
    }

    /// A fifo queue knows no priorities: said once of each step.
    fn warn_of_priority(&self, topic: &Topic) {
        for step in self.project().steps() {
            if let Trigger::Event(event) = &step.trigger
                && event.queue.kind == QueueKind::Fifo
                && event.subscribes.contains(topic)
                && self.warned_of_priority.lock().insert(step.name.clone())
            {
                let said =
                    format!("the priority of an event of '{topic}' has no meaning here: a fifo queue keeps its order");
                self.telemetry.log_of(Level::Warn, None, Some(step.name.clone()), said);
            }
        }
    }

    fn state(&self, asker: &Asker, operation: StateOperation, body: Bytes) -> Answer {
        let recorded = |verb, group: &GroupId, key: Option<&ItemKey>| {
            self.recorder(asker, Recorded::State { verb, group: group.clone(), key: key.cloned() })
        };
        let expires = |ttl: Option<Duration>| ttl.map(|ttl| self.telemetry.clock().now().plus(ttl));
        match operation {
            StateOperation::Get(group, key) => {
                let record = recorded("get", &group, Some(&key));
                self.read(asker, record, move |backends, after| backends.state.get(after, group, key), or_null)
            }
            StateOperation::Entry(group, key) => {
                let record = recorded("entry", &group, Some(&key));
                self.read(asker, record, move |backends, after| backends.state.entry(after, group, key), entry)
            }
            StateOperation::Set(group, key, ttl) => {
                let (record, expires) = (recorded("set", &group, Some(&key)), expires(ttl));
                let set = move |backends: &Backends| backends.state.set(group, key, body, expires);
                self.write(asker, record, set, |()| Bytes::new())
            }
            StateOperation::SetIf { group, key, expected, ttl } => {
                let (record, expires) = (recorded("setIfRevision", &group, Some(&key)), expires(ttl));
                let expected = expected.map(Revision);
                let set_if = move |backends: &Backends| backends.state.set_if(group, key, body, expected, expires);
                self.write(asker, record, set_if, |outcome| {
                    json(&match outcome {
                        Conditional::Written(Revision(revision)) => json!({ "written": true, "revision": revision }),
                        Conditional::Changed(there) => {
                            json!({ "written": false, "revision": there.map(|Revision(revision)| revision) })
                        }
                    })
                })
            }
            StateOperation::Update(group, key) => {
                let changes = match Change::parse_all(&body) {
                    Ok(changes) => changes,
                    Err(error) => return ready(Err(not_updated("state.update", &error))),
                };
                let record = recorded("update", &group, Some(&key));
                let update = move |backends: &Backends| backends.state.update(group, key, changes);
                let updated = self.write(asker, record, update, |updated| updated);
                async move { updated.await?.map(or_null).map_err(|error| not_updated("state.update", &error)) }.boxed()
            }
            StateOperation::Delete(group, key) => {
                let record = recorded("delete", &group, Some(&key));
                self.write(asker, record, move |backends| backends.state.delete(group, key), or_null)
            }
            StateOperation::Group(group) => {
                let record = recorded("getGroup", &group, None);
                self.read(asker, record, move |backends, after| backends.state.group(after, group), list)
            }
            StateOperation::Keys(group) => {
                let record = recorded("listKeys", &group, None);
                self.read(asker, record, move |backends, after| backends.state.keys(after, group), |keys| json(&keys))
            }
            StateOperation::Groups => {
                let record = recorded("listGroups", &GroupId::from(""), None);
                self.read(asker, record, |backends, after| backends.state.groups(after), |groups| json(&groups))
            }
            StateOperation::Clear(group) => {
                let record = recorded("clear", &group, None);
                self.write(asker, record, move |backends| backends.state.clear(group), |()| Bytes::new())
            }
        }
    }

    fn stream(&self, asker: &Asker, of: &Arc<Stream>, operation: StreamOperation, body: &Bytes) -> Answer {
        let stream = of.name.clone();
        let recorded = |verb, group: &GroupId, id: Option<&ItemKey>| {
            let (stream, group, id) = (stream.clone(), group.clone(), id.cloned());
            self.recorder(asker, Recorded::Stream { verb, stream, group, id })
        };
        let address = |group: GroupId, id: ItemKey| ItemAddress { stream: stream.clone(), group, id };
        match operation {
            StreamOperation::Get(group, id) => {
                let record = recorded("get", &group, Some(&id));
                let address = address(group, id);
                self.read(asker, record, move |backends, after| backends.streams.get(after, address), or_null)
            }
            StreamOperation::Set(group, id) => {
                let record = recorded("set", &group, Some(&id));
                match item::stored(body, &id, self.telemetry.clock().now()) {
                    Ok((item, created)) => {
                        if let Err(unfit) = self.validation.item(of, self.settings().validation, &item) {
                            let message = format!("streams.{stream}.set: {unfit}");
                            return ready(Err(OperationError { code: "validation-failed", message }));
                        }
                        let address = address(group, id);
                        let set = move |backends: &Backends| backends.streams.set(address, item, created);
                        self.write(asker, record, set, |stored| stored.item)
                    }
                    // As the original: nothing is stored for null.
                    Err(_) if body.trim_ascii() == b"null" => ready(Ok(Bytes::from_static(b"null"))),
                    Err(error) => ready(Err(OperationError {
                        code: "not-an-object",
                        message: format!("streams.{stream}.set: {error}"),
                    })),
                }
            }
            StreamOperation::Update(group, id) => {
                let name = format!("streams.{stream}.update");
                let changes = match Change::parse_all(body) {
                    Ok(changes) => changes,
                    Err(error) => return ready(Err(not_updated(&name, &error))),
                };
                let record = recorded("update", &group, Some(&id));
                let (key, now, address) = (id.clone(), self.telemetry.clock().now(), address(group, id));
                let (validation, mode, of) = (Arc::clone(&self.validation), self.settings().validation, Arc::clone(of));
                let revise = Arc::new(move |there: Option<&[u8]>| {
                    let revised = item::revised(there, &changes, &key, now)?;
                    if let Some((item, _)) = &revised {
                        let unfit = validation.item(&of, mode, item);
                        unfit.map_err(|unfit| UpdateError::of_result(unfit.to_string()))?;
                    }
                    Ok(revised)
                });
                let update = move |backends: &Backends| backends.streams.update(address, revise);
                let updated = self.write(asker, record, update, |updated| updated);
                async move { updated.await?.map(or_null).map_err(|error| not_updated(&name, &error)) }.boxed()
            }
            StreamOperation::Query(group) => {
                let query = match Query::parse(body) {
                    Ok(query) => query,
                    Err(error) => {
                        let message = format!("streams.{stream}.query: {error}");
                        return ready(Err(OperationError { code: "bad-query", message }));
                    }
                };
                let record = recorded("query", &group, None);
                let read = move |backends: &Backends, after| backends.streams.query(after, stream, group, query);
                self.read(asker, record, read, list)
            }
            StreamOperation::Clear(group) => {
                let record = recorded("clear", &group, None);
                self.write(asker, record, move |backends| backends.streams.clear(stream, group), |count| json(&count))
            }
            StreamOperation::Delete(group, id) => {
                let record = recorded("delete", &group, Some(&id));
                let address = address(group, id);
                self.write(asker, record, move |backends| backends.streams.delete(address), or_null)
            }
            StreamOperation::Group(group) => {
                let record = recorded("getGroup", &group, None);
                let read = move |backends: &Backends, after| backends.streams.group(after, stream, group);
                self.read(asker, record, read, list)
            }
            StreamOperation::Send(group, id) => {
                let record = recorded("send", &group, id.as_ref());
                let message = body.clone();
                // For whoever watches now: nothing is kept that a response would have to wait for.
                let send = move |backends: &Backends| {
                    let Write { done, .. } = backends.streams.send(stream, group, id, message);
                    Write { mark: Mark::NONE, done }
                };
                self.write(asker, record, send, |()| Bytes::new())
            }
        }
    }

    /// A write: it takes effect behind the reads that its call asked for before, and before those that come after.
    fn write<T: Send + 'static, U: Send + 'static>(
        &self,
        asker: &Asker,
        record: impl FnOnce(Option<&Error>) + Send + 'static,
        submit: impl FnOnce(&Backends) -> Write<T> + Send + 'static,
        encode: impl FnOnce(T) -> U + Send + 'static,
    ) -> BoxFuture<'static, Result<U, OperationError>> {
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
            if !telemetry.traces() {
                return;
            }
            let took = telemetry.clock().elapsed().saturating_sub(began);
            let error = error.map(ToString::to_string);
            telemetry.record(Record::Operation(OperationRecord { span, trace, step, operation, at, took, error }));
        }
    }
}

/// What serializes always.
fn json(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// `{value, revision, expires}`; the value as it is stored.
fn entry(entry: Option<Entry>) -> Bytes {
    let Some(Entry { value, revision, expires }) = entry else { return or_null(None) };
    let mut text = Vec::with_capacity(value.len() + 64);
    text.extend_from_slice(b"{\"value\":");
    text.extend_from_slice(&value);
    text.extend_from_slice(format!(r#","revision":{}"#, revision.0).as_bytes());
    if let Some(expires) = expires {
        text.extend_from_slice(format!(r#","expires":{}"#, expires.as_millis()).as_bytes());
    }
    text.push(b'}');
    text.into()
}

fn not_updated(operation: &str, error: &UpdateError) -> OperationError {
    OperationError { code: "bad-update", message: format!("{operation}: {error}") }
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

pub(crate) fn list(values: Vec<Bytes>) -> Bytes {
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
