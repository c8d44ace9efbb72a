//! Who may watch: what `streamAuth.authenticate` of the project's config and `canAccess` of a stream say (behaviour-0.17.md F3). Both run
//! in workers. Where they cannot be asked, nobody may.

use bytes::Bytes;
use motia_core::record::Level;
use motia_core::{Language, SourcePath};
use motia_worker::{CallKind, Class};
use serde_json::json;

use super::Subscription;
use super::ask::{Question, Unanswered, ask};
use crate::engine::Engine;

/// Who may open a connection to watch streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Everybody.
    #[default]
    Open,
    /// Whoever the project's config lets in.
    Guarded(SourcePath, Language),
    /// Nobody: the config, which would have to be asked, cannot be used.
    Closed,
}

/// Who has opened a connection: what `authenticate` returned, as JSON.
#[derive(Clone, Debug)]
pub struct Visitor(Bytes);

/// Why somebody may not open a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnedAway {
    /// `authenticate` threw. The cause is in the log.
    #[error("Authentication failed")]
    Unauthenticated,
    /// `authenticate` cannot be asked.
    #[error("{0}")]
    Unavailable(String),
}

/// Why somebody may not watch something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no such stream.
    #[error("there is no such stream")]
    UnknownStream,
    /// Its `canAccess` said no or failed, or it has none and `streams.default` is 'deny'.
    #[error("Access denied")]
    NotAllowed,
    /// It cannot be asked now.
    #[error("{0}")]
    Unavailable(String),
}

/// What comes of a question.
enum Answer {
    Is(Bytes),
    /// It threw, or hung. It was logged.
    Failed,
    Unavailable(String),
}

impl Engine {
    /// Asks the project who it is that opens a connection. `headers`: a JSON object of strings. `url`: path and query, as received.
    pub async fn admit(&self, headers: &str, url: &str) -> Result<Visitor, TurnedAway> {
        match &self.project().gate {
            Gate::Open => Ok(Visitor(Bytes::from_static(b"null"))),
            Gate::Closed => Err(TurnedAway::Unavailable(
                "the project's config cannot be used, so it is not known who may watch streams; its log says why"
                    .into(),
            )),
            Gate::Guarded(source, language) => {
                let url = serde_json::to_string(url).unwrap_or_default();
                let body = Bytes::from(format!("{{\"headers\":{headers},\"url\":{url}}}"));
                match self.ask(source, *language, CallKind::Authenticate, body).await {
                    Answer::Is(context) => Ok(Visitor(context)),
                    Answer::Failed => Err(TurnedAway::Unauthenticated),
                    Answer::Unavailable(reason) => Err(TurnedAway::Unavailable(reason)),
                }
            }
        }
    }

    /// Whether somebody may watch something.
    pub async fn may_watch(&self, visitor: &Visitor, subscription: &Subscription) -> Result<(), Denied> {
        let project = self.project();
        if project.gate == Gate::Closed {
            return Err(Denied::Unavailable("the project's config cannot be used".into()));
        }
        let stream = project.stream(&subscription.stream).cloned().ok_or(Denied::UnknownStream)?;
        if !stream.guarded {
            return if self.settings().streams.deny { Err(Denied::NotAllowed) } else { Ok(()) };
        }
        let body = question(subscription, visitor);
        match self.ask(&stream.source, stream.language, CallKind::Access, body).await {
            Answer::Is(answer) if *answer == *b"true" => Ok(()),
            Answer::Is(_) | Answer::Failed => Err(Denied::NotAllowed),
            Answer::Unavailable(reason) => Err(Denied::Unavailable(reason)),
        }
    }

    async fn ask(&self, source: &SourcePath, language: Language, kind: CallKind, body: Bytes) -> Answer {
        let limit = self.shared.settings().timeouts.access;
        let question = Question { source, language, kind, class: Class::Http, body, limit };
        let (call, answer) = ask(&self.shared, self.pool(language.runtime()), question).await;
        let (level, said) = match answer {
            Ok(answer) => return Answer::Is(answer),
            Err(Unanswered::Unavailable(why)) => return Answer::Unavailable(why),
            Err(Unanswered::Lost(why)) => (Level::Error, format!("{why}, which counts as a no (timeouts.access)")),
            Err(Unanswered::Failed(why)) => (Level::Warn, format!("failed, which counts as a no: {why}")),
        };
        if let Some(call) = call {
            self.shared.telemetry.log_of(level, Some(call.trace), Some(call.step.name.clone()), said);
        }
        Answer::Failed
    }
}

/// What a stream's functions are told: what is watched, and by whom.
pub(super) fn question(subscription: &Subscription, visitor: &Visitor) -> Bytes {
    let mut about = json!({ "groupId": subscription.group });
    if let Some(id) = &subscription.id {
        about["id"] = json!(id);
    }
    [b"{\"subscription\":", about.to_string().as_bytes(), b",\"context\":", &visitor.0, b"}"].concat().into()
}
