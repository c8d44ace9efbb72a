//! Requests to handlers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use motia_core::TraceId;
use motia_core::project::Validation;
use motia_core::record::{Cause, Level};
use motia_core::step::{Method, Step};
use motia_core::trace::TraceParent;
use motia_schema::Problem;
use motia_worker::message::{HandlerError, ResultMeta};
use motia_worker::{CallError, CallKind, CallLimits, CallOutcome, Class, RequestHead, ResultBody, Unavailable};

use crate::call::Call;
use crate::engine::Engine;
use crate::validation::{Data, Refused, in_words};

/// A request for a step.
pub struct ApiRequest {
    /// The step.
    pub step: Arc<Step>,
    /// Its method, for the record.
    pub method: Method,
    /// The request without its body.
    pub head: RequestHead,
    /// The body, and for forms their JSON before it.
    pub body: Bytes,
    /// The W3C context that came with it.
    pub parent: Option<TraceParent>,
}

/// What became of a request.
pub struct ApiReply {
    /// The chain that it began.
    pub trace: TraceId,
    /// The chain's W3C context.
    pub parent: TraceParent,
    /// The handler's response, or why there is none.
    pub outcome: Result<(ResultMeta, ResultBody), Refusal>,
}

/// Why there is no response of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body is not what its content type says.
    Invalid(String),
    /// The body does not match the schema of the step, which is enforced.
    Mismatch(Vec<Problem>),
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
    pub async fn request(&self, request: ApiRequest) -> ApiReply {
        let ApiRequest { step, method, head, body, parent } = request;
        let shared = &self.shared;
        let trace = shared.backends.traces.next();
        let parent = parent.unwrap_or_else(|| shared.backends.traces.parent(trace));
        let cause = Cause::Request { method, path: head.path.clone() };
        let call = Call::begin(&shared.telemetry, &step, trace, parent, cause);
        let outcome = self.run_request(&call, head, body).await;
        // The boundary of P1 holds for failures too: a client that reads 500 may ask what was done.
        let outcome = match call.settle(&*shared.backends.journal).await {
            Ok(()) => outcome,
            Err(error) => {
                self.say(&call, format!("ended, but what it wrote could not be made safe: {error}"));
                Err(Refusal::Failed)
            }
        };
        let (status, error) = match &outcome {
            Ok((meta, _)) => (meta.status, None),
            Err(refusal) => (Some(refusal.status()), Some(refusal.describe())),
        };
        call.end(status, error);
        ApiReply { trace, parent: call.parent, outcome }
    }

    async fn run_request(
        &self,
        call: &Arc<Call>,
        head: RequestHead,
        body: Bytes,
    ) -> Result<(ResultMeta, ResultBody), Refusal> {
        let step = &call.step;
        self.check_body(call, &head, &body).await?;
        let refuse = |unavailable: Unavailable| Refusal::Unavailable(unavailable.to_string());
        let place =
            self.pool(step.language.runtime()).ok_or_else(no_worker)?.place(Class::Http).await.map_err(refuse)?;
        let limit = self.shared.settings().timeouts.api;
        let limits = CallLimits::new(limit, None);
        let mut handle = place.call(call.request(CallKind::Api(Box::new(head)), body, limits));
        let Ok(answer) = tokio::time::timeout(limit, handle.outcome()).await else {
            handle.cancel("timeout");
            self.say(call, format!("did not answer within {} s and was cancelled (timeouts.api)", limit.as_secs_f32()));
            return Err(Refusal::TimedOut(limit));
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

fn no_worker() -> Refusal {
    Refusal::Unavailable("no worker of its language runs".into())
}

impl Refusal {
    /// The status that it is answered with.
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) | Self::Mismatch(_) => 400,
            Self::Failed => 500,
            Self::WorkerEnded => 502,
            Self::Unavailable(_) => 503,
            Self::TimedOut(_) => 504,
        }
    }

    /// For the record.
    fn describe(&self) -> String {
        match self {
            Self::Invalid(reason) | Self::Unavailable(reason) => reason.clone(),
            Self::Mismatch(problems) => format!("its body does not match bodySchema: {}", in_words(problems)),
            Self::Failed => "the handler failed".into(),
            Self::WorkerEnded => "the worker ended".into(),
            Self::TimedOut(limit) => format!("no answer within {} s", limit.as_secs_f32()),
        }
    }
}
