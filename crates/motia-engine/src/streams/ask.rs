//! Asking the code of a project something that is no step: who may watch, what its own storage holds.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use motia_core::step::Step;
use motia_core::{Language, SourcePath};
use motia_worker::{CallError, CallKind, CallLimits, CallOutcome, Class, Pool, ResultBody};

use crate::call::Call;
use crate::engine::EngineHost;

/// The longest answer, in bytes.
const LONGEST: usize = 64 << 20;

/// What is asked. The answer is JSON.
pub(super) struct Question<'a> {
    pub source: &'a SourcePath,
    pub language: Language,
    pub kind: CallKind,
    pub class: Class,
    pub body: Bytes,
    /// How long the answer may take.
    pub limit: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// Nobody can be asked now.
    #[error("{0}")]
    Unavailable(String),
    /// The code failed.
    #[error("{0}")]
    Failed(String),
    /// It took its worker with it, or too long.
    #[error("{0}")]
    Lost(String),
}

/// Asks in a worker. Answers also with the call, in whose name something may be said.
pub(super) async fn ask(
    host: &EngineHost,
    pool: Option<Pool<EngineHost>>,
    question: Question<'_>,
) -> (Option<Arc<Call>>, Result<Bytes, Unanswered>) {
    let Question { source, language, kind, class, body, limit } = question;
    let unavailable = |why: String| (None, Err(Unanswered::Unavailable(why)));
    let Some(pool) = pool else { return unavailable(format!("no {} worker runs", language.runtime())) };
    let place = match tokio::time::timeout(limit, pool.place(class)).await {
        Ok(Ok(place)) => place,
        Ok(Err(why)) => return unavailable(why.to_string()),
        Err(_) => return unavailable(format!("no {} worker had a place", language.runtime())),
    };
    let trace = host.backends.traces.next();
    let asked = Arc::new(Step::unlisted(source.clone(), language));
    let call = Call::begin_unrecorded(&host.telemetry, &asked, trace, host.backends.traces.parent(trace));
    let mut handle = place.call(call.request(kind, body, CallLimits::new(limit, None)));
    let answered = async {
        match handle.outcome().await {
            Ok(CallOutcome { meta, body }) => match meta.error {
                None => whole(body).await,
                Some(error) if error.is_unknown_step() => {
                    Err(Unanswered::Unavailable(format!("{source} was replaced this very moment")))
                }
                Some(error) => Err(Unanswered::Failed(error.to_string())),
            },
            Err(CallError::CutOff { reason }) => Err(Unanswered::Unavailable(reason)),
            Err(error @ CallError::WorkerEnded { .. }) => Err(Unanswered::Lost(error.to_string())),
        }
    };
    let answer = match tokio::time::timeout(limit, answered).await {
        Ok(answer) => answer,
        Err(_) => {
            handle.cancel("timeout");
            Err(Unanswered::Lost(format!("did not answer within {} s", limit.as_secs_f32())))
        }
    };
    (Some(call), answer)
}

/// An answer that may come in several frames.
async fn whole(mut body: ResultBody) -> Result<Bytes, Unanswered> {
    if let Some(whole) = body.whole() {
        return Ok(whole.clone());
    }
    let mut whole = BytesMut::new();
    while let Some(part) = body.next().await {
        whole.extend_from_slice(&part.map_err(|cut_off| Unanswered::Failed(cut_off.to_string()))?);
        if whole.len() > LONGEST {
            return Err(Unanswered::Failed(format!("its answer is longer than {} MiB", LONGEST >> 20)));
        }
    }
    Ok(whole.freeze())
}
