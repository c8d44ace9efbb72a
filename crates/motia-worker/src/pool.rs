//! The workers of one runtime: which one serves, which one stands by, which ones finish what they hold.
//!
//! Reload, crash and replacement are one thing: a standby loads a plan and takes over.

mod quarantine;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use motia_core::StreamName;
use motia_core::ids::Runtime;
use motia_core::record::Level;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{Connection, End, LoadEvent};
use crate::host::Host;
use crate::loading::{LoadReport, Loading, Plan};
use crate::process::{Program, Spawner};
use crate::worker::{Class, Place, Worker};

/// Requests that may wait for a credit, and how long.
const HTTP_WAITING: usize = 8192;
const HTTP_PATIENCE: Duration = Duration::from_secs(5);
/// Old workers that may finish what they hold, at a time.
const OLD_WORKERS: usize = 3;
/// What an old worker's promises and timers get after its last call.
const LEFTOVERS: Duration = Duration::from_secs(30);
/// How often a new plan tries to start a process.
const LAUNCHES: u32 = 3;
/// A worker that lived shorter than this died young. Replacing the next one waits, longer each time: a project that kills its workers
/// must not keep the machine busy.
const YOUNG: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a process may take to start and load its runtime.
const HELLO: Duration = Duration::from_secs(30);

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
}

/// No worker can take the request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// All are busy.
    #[error("all workers are busy: {HTTP_WAITING} requests wait, or this one waited {} s", HTTP_PATIENCE.as_secs())]
    Busy,
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
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
    /// How the next worker is started.
    program: Mutex<Program>,
    pub(crate) tasks: TaskTracker,
    serving: watch::Sender<Serving<H>>,
    standby: Mutex<Standby<H>>,
    keeps_standby: AtomicBool,
    old: Mutex<Vec<Arc<Worker<H>>>>,
    /// What a replacement loads after a crash.
    plan: Mutex<Option<Plan>>,
    /// Ends the loading that is under way when a newer one begins, and all of them at the end.
    loading: Mutex<CancellationToken>,
    ended: CancellationToken,
    streams: Mutex<Vec<StreamName>>,
    waiting: AtomicUsize,
    /// How many workers in a row died young.
    died_young: AtomicU32,
    /// One call at a time, in a worker of its own that is reused while it lives.
    quarantine: Arc<Semaphore>,
    quarantined: Mutex<Option<Arc<Worker<H>>>>,
}

/// Who serves.
enum Serving<H: Host> {
    /// Nobody yet, or nobody at the moment.
    Nobody,
    /// This one.
    Worker(Arc<Worker<H>>),
    /// Nobody any more.
    Stopped,
}

impl<H: Host> Clone for Serving<H> {
    fn clone(&self) -> Self {
        match self {
            Self::Nobody => Self::Nobody,
            Self::Worker(worker) => Self::Worker(Arc::clone(worker)),
            Self::Stopped => Self::Stopped,
        }
    }
}

type Standby<H> = Option<JoinHandle<io::Result<Worker<H>>>>;

impl<H: Host> Pool<H> {
    /// A pool without workers. The standby starts at once.
    pub fn new(config: PoolConfig, host: Arc<H>, spawner: Spawner, tasks: TaskTracker) -> Self {
        let inner = Arc::new(PoolInner {
            program: Mutex::new(config.program.clone()),
            config,
            host,
            spawner,
            tasks,
            serving: watch::Sender::new(Serving::Nobody),
            standby: Mutex::new(None),
            keeps_standby: AtomicBool::new(true),
            old: Mutex::default(),
            plan: Mutex::new(None),
            loading: Mutex::default(),
            ended: CancellationToken::new(),
            streams: Mutex::default(),
            waiting: AtomicUsize::new(0),
            died_young: AtomicU32::new(0),
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

    /// Lets a loaded worker serve; the one before it finishes what it holds. `plan`: what a replacement loads after a crash.
    pub fn serve(&self, loaded: Loaded<H>, plan: &Plan) {
        // What is quarantined was loaded from the plan before.
        self.inner.end_quarantine("it was replaced");
        *self.inner.plan.lock() = Some(plan.that_imported(&loaded.report));
        self.inner.serve(loaded);
    }

    /// Workers to come have this environment. The standby, which has the old one, is replaced.
    pub fn set_environment(&self, environment: Vec<(OsString, OsString)>) {
        self.inner.program.lock().environment = environment;
        if let Some(standby) = self.inner.standby.lock().take() {
            standby.abort();
        }
        if self.inner.keeps_standby.load(Ordering::Relaxed) {
            self.inner.start_standby();
        }
    }

    /// Whether a spare worker is kept ready from now on.
    pub fn keep_standby(&self, keep: bool) {
        self.inner.keeps_standby.store(keep, Ordering::Relaxed);
        if !keep && let Some(standby) = self.inner.standby.lock().take() {
            standby.abort();
        }
    }

    /// Tells all workers, and those to come, the names of all streams.
    pub fn set_streams(&self, names: Vec<StreamName>) {
        if let Serving::Worker(worker) = &*self.inner.serving.borrow() {
            worker.connection.streams(&names);
        }
        *self.inner.streams.lock() = names;
    }

    /// The right to one call, on the worker that serves.
    pub async fn place(&self, class: Class) -> Result<Place<H>, Unavailable> {
        if let Serving::Worker(worker) = &*self.inner.serving.borrow()
            && let Ok(permit) = Arc::clone(worker.credits(class)).try_acquire_owned()
        {
            return Ok(worker.place(permit));
        }
        match class {
            Class::Event => self.inner.wait_for_place(class).await,
            Class::Http => {
                let waiting = Waiting::new(&self.inner.waiting).ok_or(Unavailable::Busy)?;
                let place = tokio::time::timeout(HTTP_PATIENCE, self.inner.wait_for_place(class)).await;
                drop(waiting);
                place.unwrap_or(Err(Unavailable::Busy))
            }
        }
    }

    /// The pid of the worker that serves.
    pub fn pid(&self) -> Option<i32> {
        match &*self.inner.serving.borrow() {
            Serving::Worker(worker) => Some(worker.process.pid),
            _ => None,
        }
    }

    /// Lets what runs finish. No further place is given.
    pub async fn drain(&self) {
        let serving = self.inner.serving.send_replace(Serving::Stopped);
        let mut workers = self.inner.old.lock().clone();
        if let Serving::Worker(worker) = serving {
            self.inner.old.lock().push(Arc::clone(&worker));
            workers.push(worker);
        }
        workers.extend(self.inner.quarantined.lock().clone());
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
        self.inner.end_quarantine(why);
        let serving = self.inner.serving.send_replace(Serving::Stopped);
        if let Serving::Worker(worker) = serving {
            worker.kill(why);
        }
        for worker in self.inner.old.lock().drain(..) {
            worker.kill(why);
        }
        if let Some(standby) = self.inner.standby.lock().take() {
            standby.abort();
        }
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
    async fn wait_for_place(&self, class: Class) -> Result<Place<H>, Unavailable> {
        let mut serving = self.serving.subscribe();
        loop {
            let current = serving.borrow_and_update().clone();
            let worker = match current {
                Serving::Worker(worker) => worker,
                Serving::Stopped => return Err(Unavailable::Stopping),
                Serving::Nobody => {
                    serving.changed().await.map_err(|_| Unavailable::Stopping)?;
                    continue;
                }
            };
            let credits = Arc::clone(worker.credits(class));
            tokio::select! {
                permit = credits.acquire_owned() => {
                    // The worker may have been replaced meanwhile: then the place is on the new one.
                    if let Ok(permit) = permit
                        && !serving.has_changed().unwrap_or(true)
                    {
                        return Ok(worker.place(permit));
                    }
                }
                changed = serving.changed() => changed.map_err(|_| Unavailable::Stopping)?,
            }
        }
    }

    /// Starts a process and waits until its runtime is loaded.
    async fn launch(self: Arc<Self>) -> io::Result<Worker<H>> {
        let (host, runtime) = (Arc::clone(&self.host), self.config.runtime);
        let program = self.program.lock().clone();
        let output = move |stderr, line| host.output(runtime, stderr, line);
        let (process, stream) = self.spawner.spawn(program, &self.tasks, output).await?;
        let (connection, loading) = Connection::start(stream, runtime, Arc::clone(&self.host), self.tasks.clone());
        let mut worker = Worker::new(connection, process, loading);
        let problem = match tokio::time::timeout(HELLO, worker.loading.recv()).await {
            Ok(Some(LoadEvent::Hello(hello))) if hello.protocol == 1 => match (self.config.check)(&hello.runtime) {
                None => return Ok(worker),
                Some(problem) => problem,
            },
            Ok(Some(LoadEvent::Hello(hello))) => format!("it speaks protocol {} instead of 1", hello.protocol),
            Ok(Some(other)) => format!("it began with {other:?} instead of a greeting"),
            Ok(None) => format!("it ended at once ({})", worker.process.ended().await),
            Err(_) => format!("it did not greet within {} s", HELLO.as_secs()),
        };
        worker.kill("it did not start");
        let program = self.config.program.program.display();
        Err(io::Error::other(format!("a {runtime} worker ({program}) did not start: {problem}")))
    }

    fn start_standby(self: &Arc<Self>) {
        let launching = self.tasks.spawn(Arc::clone(self).launch());
        *self.standby.lock() = Some(launching);
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

    /// The standby, or a process started now.
    pub(crate) async fn take_standby(self: &Arc<Self>) -> io::Result<Worker<H>> {
        let standby = self.standby.lock().take();
        if let Some(standby) = standby
            && let Ok(Ok(worker)) = standby.await
            && worker.connection.running() == 0
            && !worker.loading.is_closed()
        {
            return Ok(worker);
        }
        Arc::clone(self).launch().await
    }

    pub(crate) fn report_launch_failure(&self, error: &io::Error) {
        (self.config.report)(Level::Error, error.to_string());
    }

    fn serve(self: &Arc<Self>, loaded: Loaded<H>) {
        let worker = Arc::new(loaded.worker);
        worker.connection.streams(&self.streams.lock());
        let mut before = Serving::Nobody;
        let accepted = self.serving.send_if_modified(|serving| {
            if matches!(serving, Serving::Stopped) {
                return false;
            }
            before = std::mem::replace(serving, Serving::Worker(Arc::clone(&worker)));
            true
        });
        if !accepted {
            worker.kill("the engine is stopping");
            return;
        }
        self.tasks.spawn(Arc::clone(self).watch(worker));
        if let Serving::Worker(old) = before {
            self.retire(old);
        }
        if self.keeps_standby.load(Ordering::Relaxed) && self.standby.lock().is_none() {
            self.start_standby();
        }
    }

    /// Replaces the serving worker when it ends by itself.
    async fn watch(self: Arc<Self>, worker: Arc<Worker<H>>) {
        let mut lived = std::pin::pin!(tokio::time::sleep(YOUNG));
        let end = tokio::select! {
            end = worker.connection.ended() => end,
            () = &mut lived => {
                self.died_young.store(0, Ordering::Relaxed);
                worker.connection.ended().await
            }
        };
        let young = !lived.is_elapsed();
        // Closed its connection, or broke the protocol: either way it is of no use.
        worker.process.kill();
        let was_serving = self.serving.send_if_modified(|serving| {
            let serves = matches!(serving, Serving::Worker(current) if Arc::ptr_eq(current, &worker));
            if serves {
                *serving = Serving::Nobody;
            }
            serves
        });
        if !was_serving {
            return;
        }
        let status = worker.process.ended().await;
        let runtime = self.config.runtime;
        (self.config.report)(Level::Error, {
            let how = match &end {
                End::Worker(reason) if reason.contains("protocol") => format!("{reason}; {status}"),
                _ => status,
            };
            format!("the {runtime} worker ended ({how}); another takes over")
        });
        if young {
            let before = self.died_young.fetch_add(1, Ordering::Relaxed);
            // The first one costs nobody a pause.
            let pause =
                before.checked_sub(1).map(|doublings| FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)));
            tokio::time::sleep(pause.unwrap_or_default().min(LONGEST_PAUSE)).await;
        }
        let Some(plan) = self.plan.lock().clone() else { return };
        let mut loaded = self.start_loading(plan, self.ended.child_token(), None);
        while let Some(next) = loaded.recv().await {
            // A reload may have brought a worker meanwhile: it knows better what to serve.
            if matches!(&*self.serving.borrow(), Serving::Nobody) {
                self.serve(next);
            } else {
                next.worker.kill("another worker serves already");
            }
        }
    }

    /// Lets an old worker finish what it holds, then its left-over promises and timers, then ends it.
    fn retire(self: &Arc<Self>, worker: Arc<Worker<H>>) {
        worker.connection.stop();
        let crowded = {
            let mut old = self.old.lock();
            old.push(Arc::clone(&worker));
            if old.len() > OLD_WORKERS { Some(old.remove(0)) } else { None }
        };
        if let Some(oldest) = crowded {
            oldest.kill("too many old workers were still busy after reloads");
        }
        let pool = Arc::clone(self);
        self.tasks.spawn(async move {
            worker.connection.settled().await;
            let _ = tokio::time::timeout(LEFTOVERS, worker.process.ended()).await;
            worker.kill("it was replaced");
            pool.old.lock().retain(|other| !Arc::ptr_eq(other, &worker));
        });
    }
}

/// The SDK's folder and how a Node worker is started from it.
pub fn node_program(
    node: PathBuf,
    sdk: &std::path::Path,
    folder: PathBuf,
    environment: Vec<(OsString, OsString)>,
) -> Program {
    let script = sdk.join("worker.mjs").into_os_string();
    Program { program: node, arguments: vec!["--enable-source-maps".into(), script], folder, environment }
}
