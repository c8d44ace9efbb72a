//! `onJoin` and `onLeave` of streams: the project's code hears of clients that come and go.

use bytes::Bytes;
use motia_core::record::{Cause, Level};
use motia_core::step::Step;
use motia_core::stream::Stream;
use motia_worker::{CallError, CallKind, CallLimits, Class};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::guard::question;
use super::{Subscription, Visitor};
use crate::call::Call;
use crate::engine::Engine;

/// How many hooks run at a time: those that hang must not take all places of events.
pub(crate) const AT_A_TIME: usize = 64;

/// What one client begins and ends to watch, told to the project one after the other.
pub struct Visits {
    engine: Engine,
    visitor: Visitor,
    waiting: Arc<Mutex<Waiting>>,
}

/// What the project has not been told so far.
#[derive(Default)]
struct Waiting {
    /// In the order in which they came about.
    visits: BTreeMap<u64, Visit>,
    /// Those that come, by what they watch.
    coming: HashMap<Subscription, u64>,
    next: u64,
    /// Somebody tells it.
    is_told: bool,
}

impl Waiting {
    /// Who leaves before it was told that he came has not been there. So no more can wait than a client can watch, and has watched.
    fn add(&mut self, visit: Visit) {
        if visit.comes {
            self.coming.insert(visit.subscription.clone(), self.next);
        } else if let Some(came) = self.coming.remove(&visit.subscription) {
            self.visits.remove(&came);
            return;
        }
        self.visits.insert(self.next, visit);
        self.next += 1;
    }

    /// The first of them.
    fn take(&mut self) -> Option<Visit> {
        let (at, visit) = self.visits.pop_first()?;
        if self.coming.get(&visit.subscription) == Some(&at) {
            self.coming.remove(&visit.subscription);
        }
        Some(visit)
    }
}

struct Visit {
    stream: Arc<Stream>,
    subscription: Subscription,
    comes: bool,
}

impl Visits {
    /// Those of a client.
    pub fn new(engine: Engine, visitor: Visitor) -> Self {
        Self { engine, visitor, waiting: Arc::default() }
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
        let mut waiting = self.waiting.lock();
        waiting.add(Visit { stream: Arc::clone(stream), subscription: subscription.clone(), comes });
        if !std::mem::replace(&mut waiting.is_told, true) {
            let (engine, visitor, waiting) = (self.engine.clone(), self.visitor.clone(), Arc::clone(&self.waiting));
            self.engine.hooks.spawn(async move {
                let next = || {
                    let mut waiting = waiting.lock();
                    let visit = waiting.take();
                    waiting.is_told = visit.is_some();
                    visit
                };
                while let Some(visit) = next() {
                    engine.run_hook(&visitor, visit).await;
                }
            });
        }
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
        let _turn = self.shared.hooks.acquire().await;
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

#[cfg(test)]
mod tests {
    use motia_core::Language;

    use super::*;

    #[test]
    fn who_leaves_before_it_was_told_has_not_been_there() {
        let config = serde_json::json!({ "name": "s", "onJoin": true, "onLeave": true });
        let stream = Stream::parse("steps/s.stream.ts".into(), Language::TypeScript, &config).expect("a stream");
        let stream = Arc::new(stream.value);
        let visit = |group: &str, comes| Visit {
            stream: Arc::clone(&stream),
            subscription: Subscription::whole(&stream.name, group.into()),
            comes,
        };
        let mut waiting = Waiting::default();
        for _ in 0..1000 {
            waiting.add(visit("a", true));
            waiting.add(visit("a", false));
        }
        assert!(waiting.visits.is_empty() && waiting.coming.is_empty());
        // It was told that this one came.
        waiting.add(visit("b", false));
        waiting.add(visit("b", true));
        waiting.add(visit("c", true));
        waiting.add(visit("b", false));
        let left: Vec<_> =
            std::iter::from_fn(|| waiting.take()).map(|visit| (visit.subscription.group, visit.comes)).collect();
        assert_eq!(left, [("b".into(), false), ("c".into(), true)]);
        assert!(waiting.coming.is_empty());
    }
}
