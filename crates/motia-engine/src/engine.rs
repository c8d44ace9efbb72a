//! The parts put together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use motia_core::StepName;
use motia_core::ids::Runtime;
use motia_core::project::{ProjectConfig, Validation as Mode};
use motia_core::step::{Step, Trigger};
use motia_ports::queue::Subscription;
use motia_ports::{CronLock, EventQueue, Journal, State, Streams, Traces};
use motia_worker::Pool;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::UPLOADS;
use crate::cron::Scheduler;
use crate::dispatcher::Dispatcher;
use crate::registry::Project;
use crate::streams::{HOOKS, Hub, Routed};
use crate::telemetry::Telemetry;
use crate::validation::Validation;

/// Where everything is kept.
pub struct Backends {
    /// `ctx.state`.
    pub state: Arc<dyn State>,
    /// `ctx.streams`.
    pub streams: Arc<dyn Streams>,
    /// Events.
    pub queue: Arc<dyn EventQueue>,
    /// Ticks.
    pub cron: Arc<dyn CronLock>,
    /// Commits and syncs.
    pub journal: Arc<dyn Journal>,
    /// Trace ids.
    pub traces: Arc<dyn Traces>,
}

/// What the engine is made of.
pub struct Config {
    /// Where everything is kept.
    pub backends: Backends,
    /// Where records go.
    pub telemetry: Telemetry,
    /// The project's knobs; replaced on reload.
    pub settings: ProjectConfig,
}

/// Whether requests can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Every runtime has a worker that serves.
    Ready,
    /// No worker of this runtime serves at the moment.
    Unavailable(Runtime),
    /// The store is damaged.
    Damaged,
    /// The engine is stopping.
    Stopping,
}

/// Why the engine cannot do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The subscriptions of a project could not be stored.
    #[error("the project's subscriptions could not be stored: {0}")]
    Subscriptions(motia_ports::Error),
    /// The schedules of a project could not be stored.
    #[error("the project's schedules could not be stored: {0}")]
    Schedules(motia_ports::Error),
    /// Calls were still running at the deadline.
    #[error("calls were still running {} s after the stop; they were cut off, and their events run again at the next start", .0.as_secs_f32())]
    Deadline(Duration),
}

/// What calls need while they run. This is what workers see.
pub struct EngineHost {
    pub(crate) backends: Arc<Backends>,
    pub(crate) telemetry: Telemetry,
    pub(crate) validation: Arc<Validation>,
    project: RwLock<Arc<Project>>,
    settings: RwLock<Arc<ProjectConfig>>,
    /// Turns of long request bodies.
    pub(crate) uploads: Semaphore,
    /// Turns of streams' hooks.
    pub(crate) hooks: Semaphore,
    /// Fifo steps of which it was said that they know no priorities.
    pub(crate) warned_of_priority: Mutex<HashSet<StepName>>,
}

impl EngineHost {
    pub(crate) fn project(&self) -> Arc<Project> {
        Arc::clone(&self.project.read())
    }

    pub(crate) fn settings(&self) -> Arc<ProjectConfig> {
        Arc::clone(&self.settings.read())
    }

    /// What becomes of data that does not match the step's schema.
    pub(crate) fn validation_of(&self, step: &Step) -> Mode {
        step.validation.unwrap_or_else(|| self.settings.read().validation)
    }
}

/// A handle on the engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<EngineHost>,
    pools: Arc<RwLock<HashMap<Runtime, Pool<EngineHost>>>>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) scheduler: Arc<Scheduler>,
    /// Every task of the engine.
    pub(crate) tasks: TaskTracker,
    /// Those of them that tell the project who watches streams: they may still begin calls while the engine stops.
    pub(crate) hooks: TaskTracker,
    /// Ends the intake: no further delivery or tick begins.
    pub(crate) stop: CancellationToken,
    /// Somebody wants the project's files imported anew.
    reload: Arc<Notify>,
    hub: Hub,
    /// The same streams as the backends', by their own name.
    streams: Arc<Routed>,
    /// Ends what goes on until the last call has ended.
    ended: CancellationToken,
}

impl Engine {
    /// An engine without a project. Must be called inside the runtime.
    pub fn new(config: Config) -> Self {
        let Config { backends, telemetry, settings } = config;
        let (tasks, ended) = (TaskTracker::new(), CancellationToken::new());
        let streams = Arc::new(Routed::new(backends.streams, telemetry.clock().now(), tasks.clone()));
        let backends = Backends { streams: streams.clone(), ..backends };
        let (hub, dispatch) = Hub::new(streams.clone(), telemetry.clone(), tasks.clone());
        tasks.spawn(dispatch.run(ended.clone()));
        let project = RwLock::new(Arc::new(Project::default()));
        let shared = Arc::new(EngineHost {
            backends: Arc::new(backends),
            validation: Arc::new(Validation::new(telemetry.clone())),
            telemetry,
            project,
            settings: RwLock::new(Arc::new(settings)),
            uploads: Semaphore::new(UPLOADS),
            hooks: Semaphore::new(HOOKS),
            warned_of_priority: Mutex::default(),
        });
        let pools = Arc::default();
        streams.reach(&shared, &pools, &hub);
        Self {
            shared,
            pools,
            dispatcher: Arc::default(),
            scheduler: Arc::default(),
            tasks,
            hooks: TaskTracker::new(),
            stop: CancellationToken::new(),
            reload: Arc::default(),
            hub,
            streams,
            ended,
        }
    }

    /// Those who watch streams.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Asks whoever runs the project to import its files anew.
    pub fn ask_for_reload(&self) {
        self.reload.notify_one();
    }

    /// Waits until somebody asks for that.
    pub async fn reload_asked(&self) {
        self.reload.notified().await;
    }

    /// What workers talk to.
    pub fn host(&self) -> Arc<EngineHost> {
        Arc::clone(&self.shared)
    }

    /// Where records go.
    pub fn telemetry(&self) -> &Telemetry {
        &self.shared.telemetry
    }

    /// The tasks of everything that runs under the engine: they are waited for at its end.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The events that wait, and dead letters.
    pub fn queue(&self) -> &Arc<dyn EventQueue> {
        &self.shared.backends.queue
    }

    /// The project as it runs now.
    pub fn project(&self) -> Arc<Project> {
        self.shared.project()
    }

    /// The knobs as they are now.
    pub fn settings(&self) -> Arc<ProjectConfig> {
        self.shared.settings()
    }

    /// Changes the knobs.
    pub fn set_settings(&self, settings: ProjectConfig) {
        self.shared.telemetry.set_traces(settings.tracing);
        *self.shared.settings.write() = Arc::new(settings);
    }

    /// Adds the workers of a runtime.
    pub fn add_pool(&self, runtime: Runtime, pool: Pool<EngineHost>) {
        self.pools.write().insert(runtime, pool);
    }

    /// The workers of a runtime.
    pub fn pool(&self, runtime: Runtime) -> Option<Pool<EngineHost>> {
        self.pools.read().get(&runtime).cloned()
    }

    /// Forgets the workers of a runtime, and ends them.
    pub fn remove_pool(&self, runtime: Runtime) {
        if let Some(pool) = self.pools.write().remove(&runtime) {
            pool.kill("nothing of its language can run");
        }
    }

    /// The runtimes that have workers.
    pub fn runtimes(&self) -> BTreeSet<Runtime> {
        self.pools.read().keys().copied().collect()
    }

    /// Makes a project the one that runs: its subscriptions are stored, then requests, deliveries and ticks go to its steps.
    /// What runs goes on. The pools must have the project's files already.
    pub async fn apply(&self, project: Project) -> Result<(), Error> {
        let subscriptions = project
            .steps()
            .filter_map(|step| match &step.trigger {
                Trigger::Event(event) => Some(Subscription {
                    step: step.name.clone(),
                    source: step.source.clone(),
                    topics: event.subscribes.clone(),
                    queue: event.queue.clone(),
                }),
                _ => None,
            })
            .collect();
        let declared = self.shared.backends.queue.declare(subscriptions, project.broken.clone());
        declared.await.map_err(Error::Subscriptions)?;
        let moved = self.streams.update(project.streams());
        let streams: Vec<_> = project.streams().map(|stream| stream.name.clone()).collect();
        self.shared.validation.update(&project, self.settings().validation);
        *self.shared.project.write() = Arc::new(project);
        moved.into_iter().for_each(|stream| self.hub.give_up(stream, None));
        for pool in self.pools.read().values() {
            pool.set_streams(streams.clone());
        }
        self.update_lanes();
        self.update_schedules().await
    }

    /// Whether requests can be answered.
    pub fn readiness(&self) -> Readiness {
        if self.stop.is_cancelled() {
            return Readiness::Stopping;
        }
        if self.shared.backends.journal.damaged() {
            return Readiness::Damaged;
        }
        let pools = self.pools.read();
        let without = pools.iter().find(|(_, pool)| !pool.serves());
        without.map_or(Readiness::Ready, |(runtime, _)| Readiness::Unavailable(*runtime))
    }

    /// No further delivery or tick begins.
    pub fn stop_intake(&self) {
        self.stop.cancel();
    }

    /// Stops in order: no further delivery or tick begins; what runs may finish until the deadline; then every worker ends, and for `last` at
    /// the most outcomes that are known are stored. The edge must have stopped taking requests before.
    pub async fn stop(&self, deadline: Duration, last: Duration) -> Result<(), Error> {
        self.stop_intake();
        let pools: Vec<_> = self.pools.read().values().cloned().collect();
        let drain = async {
            // Nobody watches any more: the project hears of it while workers still take calls.
            self.hooks.close();
            self.hooks.wait().await;
            futures_util::future::join_all(pools.iter().map(Pool::drain)).await;
        };
        let drained = tokio::time::timeout(deadline, drain).await;
        for pool in &pools {
            pool.kill("the engine is stopping");
        }
        self.ended.cancel();
        self.tasks.close();
        // What is left only writes down outcomes that are known.
        let _ = tokio::time::timeout(last, self.tasks.wait()).await;
        drained.map(|_| ()).map_err(|_| Error::Deadline(deadline))
    }
}
