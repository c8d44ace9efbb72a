//! `onJoin` and `onLeave` of streams: the project's code hears of clients that come and go.

use bytes::Bytes;
use motia_core::record::{Cause, Level};
use motia_core::step::Step;
use motia_core::stream::Stream;
use motia_worker::{CallError, CallKind, CallLimits, Class};
use std::sync::Arc;
use tokio::sync::mpsc;

use super::guard::question;
use super::{Subscription, Visitor};
use crate::call::Call;
use crate::engine::Engine;

/// What one client begins and ends to watch, told to the project one after the other.
pub struct Visits {
    engine: Engine,
    visitor: Visitor,
    /// None until there is something to tell.
    told: Option<mpsc::UnboundedSender<Visit>>,
}

struct Visit {
    stream: Arc<Stream>,
    subscription: Subscription,
    comes: bool,
}

impl Visits {
    /// Those of a client.
    pub fn new(engine: Engine, visitor: Visitor) -> Self {
        Self { engine, visitor, told: None }
    }

    /// Who it is.
    pub fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    /// It begins to watch something.
    pub fn begin(&mut self, subscription: &Subscription) {
        self.tell(subscription, true);
    }

    /// It watches something no more.
    pub fn end(&mut self, subscription: &Subscription) {
        self.tell(subscription, false);
    }

    fn tell(&mut self, subscription: &Subscription, comes: bool) {
        let project = self.engine.project();
        let Some(stream) = project.stream(&subscription.stream) else { return };
        if !(if comes { stream.joins } else { stream.leaves }) {
            return;
        }
        let told = self.told.get_or_insert_with(|| {
            let (told, mut visits) = mpsc::unbounded_channel();
            let (engine, visitor) = (self.engine.clone(), self.visitor.clone());
            self.engine.tasks().spawn(async move {
                while let Some(visit) = visits.recv().await {
                    engine.run_hook(&visitor, visit).await;
                }
            });
            told
        });
        // Whoever takes it out lives as long as this.
        let _ = told.send(Visit { stream: Arc::clone(stream), subscription: subscription.clone(), comes });
    }
}

impl Engine {
    async fn run_hook(&self, visitor: &Visitor, visit: Visit) {
        let Visit { stream, subscription, comes } = visit;
        let Subscription { group, id, .. } = &subscription;
        let (kind, cause) = if comes {
            (CallKind::Join, Cause::Join { stream: stream.name.clone(), group: group.clone(), id: id.clone() })
        } else {
            (CallKind::Leave, Cause::Leave { stream: stream.name.clone(), group: group.clone(), id: id.clone() })
        };
        let Some(pool) = self.pool(stream.language.runtime()) else { return };
        // The engine may be stopping: then nobody hears of it any more.
        let Ok(place) = pool.place(Class::Event).await else { return };
        let shared = &self.shared;
        let trace = shared.backends.traces.next();
        let hook = Arc::new(Step::unlisted(stream.source.clone(), stream.language));
        let call = Call::begin(&shared.telemetry, &hook, trace, shared.backends.traces.parent(trace), cause);
        let limit = shared.settings().timeouts.event;
        let body: Bytes = question(&subscription, visitor);
        let mut handle = place.call(call.request(kind, body, CallLimits::new(limit, None)));
        let error = match tokio::time::timeout(limit, handle.outcome()).await {
            Ok(Ok(outcome)) => {
                outcome.meta.error.filter(|error| !error.is_unknown_step()).map(|error| error.to_string())
            }
            Ok(Err(CallError::CutOff { .. })) => None,
            Ok(Err(error @ CallError::WorkerEnded { .. })) => Some(error.to_string()),
            Err(_) => {
                handle.cancel("timeout");
                Some(format!("no end within {} s (timeouts.event)", limit.as_secs_f32()))
            }
        };
        if let Some(error) = &error {
            let what = if comes { "onJoin" } else { "onLeave" };
            shared.telemetry.log_of(
                Level::Error,
                Some(trace),
                Some(call.step.name.clone()),
                format!("{what} failed: {error}"),
            );
        }
        call.end(None, error);
    }
}
