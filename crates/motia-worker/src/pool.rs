//! The workers of one runtime: which serve, which one stands by, which finish what they hold.
//!
//! Reload, crash and replacement are one thing: a standby loads a plan and takes over.
//!
//! | module | holds |
//! |---|---|
//! | `crew` | the workers that serve, and those that finish: who joins, who leaves |
//! | `tend` | one worker's life: pings, overdue calls, memory, its end |
//! | `launch` | starting processes, and the standby |
//! | `quarantine` | the worker apart, for calls that may kill theirs |
//! | `isolation` | a fresh process per call |

mod crew;
mod isolation;
mod launch;
mod quarantine;
mod tend;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use motia_core::StreamName;
use motia_core::ids::Runtime;
use motia_core::record::Level;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::Host;
use crate::loading::{LoadReport, Loading, Plan};
use crate::process::{Program, Spawner};
use crate::worker::{Class, HTTP_CREDITS, Place, Worker};
use crew::Crew;
use isolation::Isolation;
use launch::Standby;

/// Requests that may wait for a credit, and how long.
const HTTP_WAITING: usize = 8192;
const HTTP_PATIENCE: Duration = Duration::from_secs(5);
/// How often a new plan tries to start a process.
const LAUNCHES: u32 = 3;

/// Says what is wrong with a runtime of a version, if anything.
pub type VersionCheck = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How long the import of one file may take, given the project's config as JSON once it is known.
pub type ImportTimeout = Arc<dyn Fn(Option<&[u8]>) -> Duration + Send + Sync>;

/// What a pool needs to know.
#[derive(Clone)]
pub struct PoolConfig {
    /// Which runtime.
    pub runtime: Runtime,
    /// How a worker is started.
    pub program: Program,
    /// What is wrong with a runtime of this version, if anything.
    pub check: VersionCheck,
    /// How long the import of one file may take: by default, and as the project's config says once it is imported.
    pub import_timeout: ImportTimeout,
    /// Where the pool says what users should know.
    pub report: Arc<dyn Fn(Level, String) + Send + Sync>,
    /// Where the worker that serves listens for a debugger. Then one worker serves, and nobody asks whether it answers: it may stand at
    /// a breakpoint.
    pub inspect: Option<u16>,
}

/// The project's own wishes. They may change at every reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// How many workers serve; with `isolated`, how many calls run at a time.
    pub workers: NonZeroUsize,
    /// Whether each call gets a process of its own.
    pub isolated: bool,
    /// A worker whose resident memory is above this is replaced, in bytes.
    pub memory: Option<u64>,
    /// Whether a spare process is kept ready.
    pub standby: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { workers: NonZeroUsize::MIN, isolated: false, memory: None, standby: true }
    }
}

/// No worker can take the request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Too many wait already.
    #[error("all workers are busy, and {HTTP_WAITING} requests wait for one already")]
    Crowded,
    /// It waited long enough.
    #[error("all workers are busy: the request waited {} s for one", HTTP_PATIENCE.as_secs())]
    Busy,
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
    /// A call that waits for another cannot have one where each has a process of its own.
    #[error("a stream's own storage does not run with isolation: \"process\"")]
    Isolated,
}

/// A worker that has imported what it could.
pub struct Loaded<H: Host> {
    pub(crate) worker: Worker<H>,
    /// What it has.
    pub report: LoadReport,
}

/// A handle on the workers of one runtime.
pub struct Pool<H: Host> {
    inner: Arc<PoolInner<H>>,
}

impl<H: Host> Clone for Pool<H> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

pub(crate) struct PoolInner<H: Host> {
    pub(crate) config: PoolConfig,
    host: Arc<H>,
    spawner: Spawner,
    settings: Mutex<PoolSettings>,
    /// How the next worker is started.
    program: Mutex<Program>,
    pub(crate) tasks: TaskTracker,
    /// Changed under the lock of `crew` alone.
    serving: watch::Sender<Serving<H>>,
    crew: Mutex<Crew<H>>,
    isolation: Isolation<H>,
    standby: Mutex<Standby<H>>,
    /// Ends the loading that is under way when a newer one begins, and all of them at the end.
    loading: Mutex<CancellationToken>,
    ended: CancellationToken,
    streams: Mutex<Vec<StreamName>>,
    waiting: AtomicUsize,
    /// It has been said that requests wait for a place.
    crowded: AtomicBool,
    /// One call at a time, in a worker of its own that is reused while it lives.
    quarantine: Arc<Semaphore>,
    quarantined: Mutex<Option<Arc<Worker<H>>>>,
}

/// Who serves.
enum Serving<H: Host> {
    /// These; nobody yet, or nobody at the moment, if there are none.
    Workers(Arc<[Arc<Worker<H>>]>),
    /// A fresh process per call.
    Isolated,
    /// Nobody any more.
    Stopped,
}

impl<H: Host> Clone for Serving<H> {
    fn clone(&self) -> Self {
        match self {
            Self::Workers(workers) => Self::Workers(Arc::clone(workers)),
            Self::Isolated => Self::Isolated,
            Self::Stopped => Self::Stopped,
        }
    }
}

/// How a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerHealth {
    /// Its process.
    pub pid: i32,
    /// The calls that it holds.
    pub calls: usize,
    /// Its resident memory in bytes, as it said last; 0 before it did.
    pub memory: u64,
    /// What it does.
    pub state: WorkerState,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// It takes calls.
    Serving,
    /// It does not answer: a handler blocks its thread.
    Silent,
    /// It finishes what it holds.
    Finishing,
}

impl<H: Host> Pool<H> {
    /// A pool without workers. The standby starts at once.
    pub fn new(config: PoolConfig, host: Arc<H>, spawner: Spawner, tasks: TaskTracker) -> Self {
        let inner = Arc::new(PoolInner {
            program: Mutex::new(config.program.clone()),
            config,
            host,
            spawner,
            settings: Mutex::default(),
            tasks,
            serving: watch::Sender::new(Serving::Workers(Arc::new([]))),
            crew: Mutex::default(),
            isolation: Isolation::default(),
            standby: Mutex::new(None),
            loading: Mutex::default(),
            ended: CancellationToken::new(),
            streams: Mutex::default(),
            waiting: AtomicUsize::new(0),
            crowded: AtomicBool::new(false),
            quarantine: Arc::new(Semaphore::new(1)),
            quarantined: Mutex::new(None),
        });
        inner.start_standby();
        Self { inner }
    }

    /// Loads a plan in a fresh worker. The receiver gets a worker each time that one is ready: usually one; with a slow file first one
    /// without it, then one with it. A plan that is still loading is given up.
    pub fn load(&self, plan: Plan) -> mpsc::UnboundedReceiver<Loaded<H>> {
        let inner = &self.inner;
        let current = inner.ended.child_token();
        std::mem::replace(&mut *inner.loading.lock(), current.clone()).cancel();
        inner.start_loading(plan, current, Some(LAUNCHES))
    }

    /// Lets a loaded worker serve; those before it finish what they hold. `plan`: what further workers and replacements load.
    pub fn serve(&self, loaded: Loaded<H>, plan: &Plan, settings: PoolSettings) {
        let inner = &self.inner;
        // What is quarantined was loaded from the plan before.
        inner.end_quarantine();
        inner.keep_standby(settings.standby);
        let plan = plan.that_imported(&loaded.report);
        inner.take_over(loaded, plan, settings);
    }

    /// Workers to come are started like this. The standby, which was started otherwise, is replaced.
    pub fn set_program(&self, program: Program) {
        let changed = std::mem::replace(&mut *self.inner.program.lock(), program.clone()) != program;
        if changed {
            self.inner.renew_standby();
        }
    }

    /// Tells all workers, and those to come, the names of all streams.
    pub fn set_streams(&self, names: Vec<StreamName>) {
        let workers = self.inner.everyone();
        self.inner.streams.lock().clone_from(&names);
        for worker in workers {
            worker.connection.streams(&names);
        }
    }

    /// The right to one call, on the worker that has the fewest.
    pub async fn place(&self, class: Class) -> Result<Place<H>, Unavailable> {
        if let Some(place) = self.inner.free_place(class) {
            return Ok(place);
        }
        match class {
            Class::Event => self.inner.wait_for_place(class).await,
            Class::Storage => self.inner.storage_place().await,
            Class::Http => {
                self.inner.say_crowded();
                let waiting = Waiting::new(&self.inner.waiting).ok_or(Unavailable::Crowded)?;
                let place = tokio::time::timeout(HTTP_PATIENCE, self.inner.wait_for_place(class)).await;
                drop(waiting);
                place.unwrap_or(Err(Unavailable::Busy))
            }
        }
    }

    /// Whether calls can be taken now.
    pub fn serves(&self) -> bool {
        match &*self.inner.serving.borrow() {
            Serving::Workers(workers) => !workers.is_empty(),
            Serving::Isolated => true,
            Serving::Stopped => false,
        }
    }

    /// All workers that have user code, and how they do.
    pub fn health(&self) -> Vec<WorkerHealth> {
        self.inner.health()
    }

    /// Lets what runs finish. No further place is given.
    pub async fn drain(&self) {
        let workers = self.inner.everyone();
        self.inner.close();
        for worker in workers {
            worker.connection.settled().await;
        }
    }

    /// Gives up the loading that is under way, if one is.
    pub fn stop_loading(&self) {
        self.inner.loading.lock().cancel();
    }

    /// Ends every process.
    pub fn kill(&self, why: &str) {
        self.inner.ended.cancel();
        self.inner.quarantine.close();
        let workers = self.inner.everyone();
        self.inner.close();
        for worker in workers {
            worker.kill(why);
        }
        self.inner.keep_standby(false);
    }
}

/// A request in the bounded queue for credits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Option<Self> {
        let waiting = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < HTTP_WAITING).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<H: Host> PoolInner<H> {
    /// A place that is free now.
    fn free_place(&self, class: Class) -> Option<Place<H>> {
        let serving = self.serving.borrow();
        let Serving::Workers(workers) = &*serving else { return None };
        match &**workers {
            [only] => only.try_place(class),
            several => least_loaded(several, class)?.try_place(class),
        }
    }

    /// Says, once until the next reload, that a request has to wait, and for what.
    fn say_crowded(&self) {
        let limit = match &*self.serving.borrow() {
            // Whoever is on the way takes it.
            Serving::Workers(workers) if workers.is_empty() => return,
            Serving::Workers(workers) => format!(
                "{} serve, and each holds {HTTP_CREDITS} requests that are not answered. More workers hold more",
                workers.len()
            ),
            Serving::Isolated if self.isolation.has_room() => return,
            Serving::Isolated => format!(
                "with isolation: \"process\", {} calls run at a time (workers). Raise that",
                self.settings.lock().workers
            ),
            Serving::Stopped => return,
        };
        if !self.crowded.swap(true, Ordering::Relaxed) {
            self.report(
                Level::Warn,
                format!(
                    "a request waits for a place on a {} worker: {limit}. One that has waited {} s gets 503; this is said once",
                    self.config.runtime,
                    HTTP_PATIENCE.as_secs()
                ),
            );
        }
    }

    async fn wait_for_place(self: &Arc<Self>, class: Class) -> Result<Place<H>, Unavailable> {
        let mut serving = self.serving.subscribe();
        loop {
            let current = serving.borrow_and_update().clone();
            let workers = match current {
                Serving::Workers(workers) => workers,
                Serving::Isolated => return self.isolated_place().await,
                Serving::Stopped => return Err(Unavailable::Stopping),
            };
            if workers.is_empty() {
                serving.changed().await.map_err(|_| Unavailable::Stopping)?;
                continue;
            }
            let places = workers.iter().map(|worker| {
                Box::pin(async move { (Arc::clone(worker.credits(class)).acquire_owned().await, worker) })
            });
            tokio::select! {
                ((permit, worker), ..) = futures_util::future::select_all(places) => {
                    // The worker may have been replaced meanwhile: then the place is on the new one.
                    if let Ok(permit) = permit
                        && !serving.has_changed().unwrap_or(true)
                    {
                        return Ok(worker.place(class, permit));
                    }
                }
                changed = serving.changed() => changed.map_err(|_| Unavailable::Stopping)?,
            }
        }
    }

    /// A place for what a call waits for. That call may be one of those which finish: so may the worker.
    async fn storage_place(self: &Arc<Self>) -> Result<Place<H>, Unavailable> {
        if self.is_isolated() {
            return Err(Unavailable::Isolated);
        }
        match self.wait_for_place(Class::Storage).await {
            Err(Unavailable::Stopping) => {
                // Those that served to the end come last, and were not told to stop.
                let finishing = self.finishing();
                let place = finishing.iter().rev().find_map(|worker| worker.try_place(Class::Storage));
                place.ok_or(Unavailable::Stopping)
            }
            place => place,
        }
    }

    /// The receiver gets each worker that is ready.
    fn start_loading(
        self: &Arc<Self>,
        plan: Plan,
        cancel: CancellationToken,
        launches: Option<u32>,
    ) -> mpsc::UnboundedReceiver<Loaded<H>> {
        let (done, loaded) = mpsc::unbounded_channel();
        let (pool, root, files) = (Arc::clone(self), plan.root, plan.files);
        Loading { pool, root, files, failed: Vec::new(), done, cancel, launches }.spawn();
        loaded
    }

    /// Says something of this runtime's workers.
    pub(crate) fn report(&self, level: Level, text: String) {
        (self.config.report)(level, text);
    }
}

/// The worker with the fewest calls among those that have a place left.
fn least_loaded<H: Host>(workers: &[Arc<Worker<H>>], class: Class) -> Option<&Arc<Worker<H>>> {
    let free = workers.iter().filter(|worker| worker.credits(class).available_permits() > 0);
    free.min_by_key(|worker| worker.load())
}
