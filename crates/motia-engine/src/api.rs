//! Requests to handlers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use motia_core::TraceId;
use motia_core::project::Validation;
use motia_core::record::{Cause, Level};
use motia_core::step::{Method, Step};
use motia_core::trace::TraceParent;
use motia_schema::Problem;
use motia_worker::message::{HandlerError, ResultMeta};
use motia_worker::{
    BodySender, CallError, CallHandle, CallKind, CallLimits, CallOutcome, Class, NotWanted, RequestHead, ResultBody,
    Unavailable,
};

use crate::call::Call;
use crate::engine::{Engine, EngineHost};
use crate::response::ResponseBody;
use crate::validation::{Data, Refused, in_words};

/// A request that runs this long is worth a line in the log.
const LONG: Duration = Duration::from_secs(30);
/// Bodies that are on their way to workers at a time, and how long one waits for its turn: slow clients must not take all places.
pub(crate) const UPLOADS: usize = 256;
const UPLOAD_PATIENCE: Duration = Duration::from_secs(5);

/// A request for a step.
pub struct ApiRequest<'a> {
    /// The step.
    pub step: Arc<Step>,
    /// Its method, for the record.
    pub method: Method,
    /// The request without its body.
    pub head: RequestHead,
    /// The body.
    pub body: RequestBody<'a>,
    /// The W3C context that came with it.
    pub parent: Option<TraceParent>,
}

/// A request's body.
pub enum RequestBody<'a> {
    /// In one piece; for forms their JSON before it.
    Whole(Bytes),
    /// Its beginning is here, the rest is still coming.
    Coming {
        /// The beginning.
        first: Bytes,
        /// The rest.
        rest: &'a mut dyn BodySource,
    },
}

/// The rest of a request's body.
pub trait BodySource: Send {
    /// The next bytes; `None` at the end. After a refusal nothing more is asked for.
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, Refusal>>>;
}

/// What became of a request.
pub struct ApiReply {
    /// The chain that it began.
    pub trace: TraceId,
    /// The chain's W3C context.
    pub parent: TraceParent,
    /// The handler's response, or why there is none.
    pub outcome: Result<(ResultMeta, ResponseBody), Refusal>,
}

/// Why there is no response of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body is not what its content type says.
    Invalid(String),
    /// The body does not match the schema of the step, which is enforced.
    Mismatch(Vec<Problem>),
    /// The body did not come whole.
    Body {
        /// What it is answered with.
        status: u16,
        /// Why.
        reason: String,
    },
    /// The handler failed, or what it wrote could not be stored. The cause is in the log.
    Failed,
    /// The worker died.
    WorkerEnded,
    /// No worker can take it now.
    Unavailable(String),
    /// The handler took too long.
    TimedOut(Duration),
}

impl Engine {
    /// Runs the handler of an API step. Answers once everything that the handler wrote is safe (design.md P1).
    /// Dropping the future says that the client went away: the handler's signal is aborted.
    pub async fn request(&self, request: ApiRequest<'_>) -> ApiReply {
        let ApiRequest { step, method, head, body, parent } = request;
        let shared = &self.shared;
        let trace = shared.backends.traces.next();
        let parent = parent.unwrap_or_else(|| shared.backends.traces.parent(trace));
        let cause = Cause::Request { method, path: head.path.clone() };
        let call = OpenCall::new(Call::begin(&shared.telemetry, &step, trace, parent, cause));
        let outcome = self.run_request(&call, head, body).await;
        // The boundary of P1 holds for failures too: a client that reads 500 may ask what was done.
        let outcome = match call.settle(&*shared.backends.journal).await {
            Ok(()) => outcome,
            Err(error) => {
                self.say(&call, format!("ended, but what it wrote could not be made safe: {error}"));
                Err(Refusal::Failed)
            }
        };
        let parent = call.parent;
        let outcome = match outcome {
            Ok((meta, body)) if meta.stream => {
                let body = ResponseBody::streamed(body, self.clone(), call, meta.status);
                Ok((meta, body))
            }
            Ok((meta, body)) => {
                call.end(meta.status, None);
                Ok((meta, ResponseBody::ready(body)))
            }
            Err(refusal) => {
                call.end(Some(refusal.status()), Some(refusal.describe()));
                Err(refusal)
            }
        };
        ApiReply { trace, parent, outcome }
    }

    async fn run_request(
        &self,
        call: &Arc<Call>,
        head: RequestHead,
        body: RequestBody<'_>,
    ) -> Result<(ResultMeta, ResultBody), Refusal> {
        let step = &call.step;
        if let RequestBody::Whole(body) = &body {
            self.check_body(call, &head, body).await?;
        }
        let limit = self.shared.settings().timeouts.api;
        let pool = self.pool(step.language.runtime()).ok_or_else(no_worker)?;
        let refuse = |unavailable: Unavailable| Refusal::Unavailable(unavailable.to_string());
        let asked = format!("{} {}", head.method, head.path);
        let kind = CallKind::Api(Box::new(head));
        let limits = CallLimits::new(limit, None);
        let answer = match body {
            RequestBody::Whole(body) => {
                let place = pool.place(Class::Http).await.map_err(refuse)?;
                let mut handle = place.call(call.request(kind, body, limits));
                self.answer(call, &asked, limit, &mut handle).await?
            }
            RequestBody::Coming { first, rest } => {
                let turn = tokio::time::timeout(UPLOAD_PATIENCE, self.shared.uploads.acquire()).await;
                let Ok(Ok(turn)) = turn else { return Err(too_many_uploads()) };
                let place = pool.place(Class::Http).await.map_err(refuse)?;
                let (mut handle, sender) = place.call_open(call.request(kind, Bytes::new(), limits));
                // A worker that ends need not wait for the client.
                let early = tokio::select! {
                    sent = send_body(sender, first, rest, limit) => {
                        sent.inspect_err(|refusal| self.turn_away(call.trace, step, &refusal.describe()))?;
                        None
                    }
                    answer = handle.outcome() => Some(answer),
                };
                drop(turn);
                match early {
                    Some(answer) => answer,
                    None => self.answer(call, &asked, limit, &mut handle).await?,
                }
            }
        };
        let CallOutcome { meta, body } = match answer {
            Ok(outcome) => outcome,
            Err(error @ CallError::WorkerEnded { .. }) => {
                self.say(call, error.to_string());
                return Err(Refusal::WorkerEnded);
            }
            Err(CallError::CutOff { reason }) => return Err(Refusal::Unavailable(reason)),
        };
        if let Some(reason) = meta.invalid {
            self.turn_away(call.trace, &call.step, &reason);
            return Err(Refusal::Invalid(reason));
        }
        if meta.error.as_ref().is_some_and(HandlerError::is_unknown_step) {
            return Err(Refusal::Unavailable("the step was replaced this very moment".into()));
        }
        if let Some(error) = meta.error {
            self.say(call, format!("failed: {error}"));
            return Err(Refusal::Failed);
        }
        Ok((meta, body))
    }

    /// Whether the body of a step's requests must be there as a whole before its handler runs.
    pub fn needs_whole_body(&self, step: &Step) -> bool {
        step.schema().is_some() && self.shared.validation_of(step) == Validation::Enforce
    }

    async fn check_body(&self, call: &Call, head: &RequestHead, body: &Bytes) -> Result<(), Refusal> {
        let step = &call.step;
        if step.schema().is_none() {
            return Ok(());
        }
        let mode = self.shared.validation_of(step);
        if mode == Validation::Off {
            return Ok(());
        }
        let Some(data) = Data::of_request(head, body) else { return Ok(()) };
        if mode == Validation::Warn {
            self.shared.validation.sample(step, data);
            return Ok(());
        }
        let refusal = match self.shared.validation.enforce(step, data).await {
            Ok(()) => return Ok(()),
            Err(Refused::NotJson(problem)) => Refusal::Invalid(format!("the body is not valid JSON: {problem}")),
            Err(Refused::Mismatch(problems)) => Refusal::Mismatch(problems),
        };
        self.turn_away(call.trace, step, &refusal.describe());
        Err(refusal)
    }

    /// Waits for the worker's answer, as long as an answer may take.
    async fn answer(
        &self,
        call: &Call,
        asked: &str,
        limit: Duration,
        handle: &mut CallHandle<EngineHost>,
    ) -> Result<Result<CallOutcome, CallError>, Refusal> {
        if let Ok(answer) = tokio::time::timeout(limit.min(LONG), handle.outcome()).await {
            return Ok(answer);
        }
        if let Some(left) = limit.checked_sub(LONG).filter(|left| !left.is_zero()) {
            let text = format!("{asked} has been running for {} s", LONG.as_secs());
            self.shared.telemetry.log_of(Level::Warn, Some(call.trace), Some(call.step.name.clone()), text);
            if let Ok(answer) = tokio::time::timeout(left, handle.outcome()).await {
                return Ok(answer);
            }
        }
        handle.cancel("timeout");
        self.say(call, format!("did not answer within {} s and was cancelled (timeouts.api)", limit.as_secs_f32()));
        Err(Refusal::TimedOut(limit))
    }

    /// Logs why a request was refused before its handler ran.
    pub fn turn_away(&self, trace: TraceId, step: &Step, reason: &str) {
        let text = format!("a request was refused: {reason}");
        self.shared.telemetry.log_of(Level::Warn, Some(trace), Some(step.name.clone()), text);
    }

    /// A trace id for an answer of our own.
    pub fn next_trace(&self) -> TraceId {
        self.shared.backends.traces.next()
    }

    /// Logs what went wrong with a call.
    pub(crate) fn say(&self, call: &Call, message: String) {
        self.shared.telemetry.log_of(Level::Error, Some(call.trace), Some(call.step.name.clone()), message);
    }
}

/// Passes a body on to its worker, no faster than that takes it in.
async fn send_body(
    sender: BodySender<EngineHost>,
    first: Bytes,
    rest: &mut dyn BodySource,
    limit: Duration,
) -> Result<(), Refusal> {
    let mut next = Some(Ok(first));
    while let Some(bytes) = next {
        match tokio::time::timeout(limit, sender.send(bytes?)).await {
            Ok(Ok(())) => next = rest.next().await,
            // Its answer says why the rest is not wanted.
            Ok(Err(NotWanted)) => return Ok(()),
            Err(_) => return Err(Refusal::TimedOut(limit)),
        }
    }
    sender.finish();
    Ok(())
}

/// A request that has not been answered whole. If nobody says how it ended, its client went away.
pub(crate) struct OpenCall {
    call: Arc<Call>,
    ended: bool,
}

impl OpenCall {
    fn new(call: Arc<Call>) -> Self {
        Self { call, ended: false }
    }

    pub(crate) fn end(mut self, status: Option<u16>, error: Option<String>) {
        self.ended = true;
        self.call.end(status, error);
    }
}

impl std::ops::Deref for OpenCall {
    type Target = Arc<Call>;

    fn deref(&self) -> &Arc<Call> {
        &self.call
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if !self.ended {
            self.call.end(None, Some("the client went away".into()));
        }
    }
}

fn too_many_uploads() -> Refusal {
    Refusal::Unavailable(format!("{UPLOADS} long request bodies are being received already"))
}

fn no_worker() -> Refusal {
    Refusal::Unavailable("no worker of its language runs".into())
}

impl Refusal {
    /// The status that it is answered with.
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) | Self::Mismatch(_) => 400,
            Self::Body { status, .. } => *status,
            Self::Failed => 500,
            Self::WorkerEnded => 502,
            Self::Unavailable(_) => 503,
            Self::TimedOut(_) => 504,
        }
    }

    /// For the record.
    fn describe(&self) -> String {
        match self {
            Self::Invalid(reason) | Self::Unavailable(reason) | Self::Body { reason, .. } => reason.clone(),
            Self::Mismatch(problems) => format!("its body does not match bodySchema: {}", in_words(problems)),
            Self::Failed => "the handler failed".into(),
            Self::WorkerEnded => "the worker ended".into(),
            Self::TimedOut(limit) => format!("no answer within {} s", limit.as_secs_f32()),
        }
    }
}
