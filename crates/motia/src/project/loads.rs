//! The plans that workers are loading, one per language at most.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

use motia_core::ids::Runtime;
use motia_engine::EngineHost;
use motia_worker::{Loaded, Plan};
use tokio::sync::mpsc;

/// What is under way.
#[derive(Default)]
pub(super) struct Loads {
    under_way: BTreeMap<Runtime, Load>,
}

/// A worker that has imported its language's files.
pub(crate) struct Ready {
    pub(crate) loaded: Loaded<EngineHost>,
    /// What it was asked to import.
    pub(super) plan: Plan,
}

struct Load {
    plan: Plan,
    loaded: mpsc::UnboundedReceiver<Loaded<EngineHost>>,
    /// No worker is there yet. A second one comes where a file was slow.
    awaited: bool,
}

impl Loads {
    /// A language's workers load a plan. The one before is given up.
    pub(super) fn begin(&mut self, runtime: Runtime, plan: Plan, loaded: mpsc::UnboundedReceiver<Loaded<EngineHost>>) {
        self.under_way.insert(runtime, Load { plan, loaded, awaited: true });
    }

    /// Answers whether it had a worker.
    pub(super) fn end(&mut self, runtime: Runtime) -> bool {
        self.under_way.remove(&runtime).is_some_and(|load| !load.awaited)
    }

    /// Whether a language loads.
    pub(super) fn has(&self, runtime: Runtime) -> bool {
        self.under_way.contains_key(&runtime)
    }

    /// Whether something loads.
    pub(super) fn any(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Whether a language that loads has no worker yet.
    pub(super) fn awaited(&self) -> bool {
        self.under_way.values().any(|load| load.awaited)
    }

    /// The worker that came is not the one to wait for.
    pub(super) fn await_another(&mut self, runtime: Runtime) {
        if let Some(load) = self.under_way.get_mut(&runtime) {
            load.awaited = true;
        }
    }

    /// The next worker that is ready, or `None` for a language of which no other is to come. Pending while nothing loads. Nothing is
    /// lost if the wait is given up.
    pub(super) async fn next(&mut self) -> (Runtime, Option<Ready>) {
        poll_fn(|context| {
            for (runtime, load) in &mut self.under_way {
                if let Poll::Ready(loaded) = load.loaded.poll_recv(context) {
                    load.awaited &= loaded.is_none();
                    let ready = loaded.map(|loaded| Ready { loaded, plan: load.plan.clone() });
                    return Poll::Ready((*runtime, ready));
                }
            }
            Poll::Pending
        })
        .await
    }
}
