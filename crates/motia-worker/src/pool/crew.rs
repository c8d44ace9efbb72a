//! The workers that serve, and those that finish: who joins, who leaves, and who takes their places.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use motia_core::record::Level;
use tokio_util::sync::CancellationToken;

use super::{Loaded, PoolInner, PoolSettings, Serving, WorkerHealth, WorkerState};
use crate::connection::End;
use crate::host::Host;
use crate::loading::Plan;
use crate::worker::Worker;

/// Old workers that may finish what they hold, at a time, for each that serves.
const OLD_WORKERS: usize = 3;
/// What an old worker's promises and timers get after its last call.
const LEFTOVERS: Duration = Duration::from_secs(30);
/// A worker that lived shorter than this died young. Replacing the next one waits, longer each time: a project that kills its workers
/// must not keep the machine busy.
const YOUNG: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// While nobody serves, and while the worker to be replaced still does.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_DEPARTURE: Duration = Duration::from_secs(30);

/// The workers besides those that serve, and how their places are filled.
pub(super) struct Crew<H: Host> {
    /// What further workers and replacements load.
    plan: Option<Plan>,
    /// Workers that do not answer, and whose places nobody has taken yet.
    silent: Vec<Arc<Worker<H>>>,
    /// Workers that finish what they hold, the oldest first.
    finishing: Vec<Arc<Worker<H>>>,
    /// Ends the search for workers under the current plan.
    mustering: Option<CancellationToken>,
    /// How many workers in a row were of no use for long.
    young: u32,
}

impl<H: Host> Default for Crew<H> {
    fn default() -> Self {
        Self { plan: None, silent: Vec::new(), finishing: Vec::new(), mustering: None, young: 0 }
    }
}

impl<H: Host> Crew<H> {
    /// How long a successor waits: not at all, unless several in a row lived short.
    fn pause(&mut self, lived: Duration, longest: Duration) -> Duration {
        if lived >= YOUNG {
            self.young = 0;
        }
        let doublings = self.young;
        if lived < YOUNG {
            self.young += 1;
        }
        match doublings.checked_sub(1) {
            // The first one costs nobody a pause.
            None => Duration::ZERO,
            Some(doublings) => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(longest),
        }
    }
}

/// Whether it was there.
fn remove<H: Host>(workers: &mut Vec<Arc<Worker<H>>>, worker: &Arc<Worker<H>>) -> bool {
    let before = workers.len();
    workers.retain(|other| !Arc::ptr_eq(other, worker));
    workers.len() < before
}

impl<H: Host> PoolInner<H> {
    /// A worker with a new plan takes over from all that serve.
    pub(super) fn take_over(self: &Arc<Self>, loaded: Loaded<H>, plan: Plan, settings: PoolSettings) {
        let worker = Arc::new(loaded.worker);
        worker.connection.streams(&self.streams.lock());
        let mut before = Vec::new();
        {
            let mut crew = self.crew.lock();
            let stopped = matches!(&*self.serving.borrow(), Serving::Stopped);
            if stopped {
                drop(crew);
                return worker.kill("the engine is stopping");
            }
            *self.settings.lock() = settings;
            self.crowded.store(false, Ordering::Relaxed);
            crew.plan = Some(plan);
            if let Some(mustering) = crew.mustering.take() {
                mustering.cancel();
            }
            before.append(&mut crew.silent);
            let next = if self.is_isolated() {
                before.extend(self.isolation.restart(Arc::clone(&worker), settings.workers));
                Serving::Isolated
            } else {
                before.extend(self.isolation.empty());
                Serving::Workers(Arc::new([Arc::clone(&worker)]))
            };
            if let Serving::Workers(workers) = self.serving.send_replace(next) {
                before.extend(workers.iter().cloned());
            }
        }
        for old in before {
            self.finish(&old);
        }
        self.begin(worker);
        self.muster(Duration::ZERO);
        self.restock_standby();
    }

    /// Whether each call has a process of its own.
    pub(super) fn is_isolated(&self) -> bool {
        self.settings.lock().isolated && self.config.inspect.is_none()
    }

    fn wanted(&self) -> usize {
        // A debugger attaches to one process.
        if self.config.inspect.is_some() { 1 } else { self.settings.lock().workers.get() }
    }

    /// A worker's life with user code begins.
    pub(super) fn begin(self: &Arc<Self>, worker: Arc<Worker<H>>) {
        if let Some(port) = self.config.inspect {
            worker.connection.inspect(Some(port));
        }
        self.tasks.spawn(Arc::clone(self).tend(worker));
    }

    /// What further workers and replacements load.
    pub(super) fn plan(&self) -> Option<Plan> {
        self.crew.lock().plan.clone()
    }

    /// Changes who serves. Must be called under the lock of the crew. Answers with what `change` says, and `None` if workers do not
    /// serve (any more).
    fn change_serving<T>(&self, change: impl FnOnce(&mut Vec<Arc<Worker<H>>>) -> T) -> Option<T> {
        let mut answer = None;
        self.serving.send_if_modified(|serving| {
            let Serving::Workers(workers) = serving else { return false };
            let mut list = workers.to_vec();
            answer = Some(change(&mut list));
            let same = list.len() == workers.len() && list.iter().zip(&**workers).all(|(a, b)| Arc::ptr_eq(a, b));
            if !same {
                *workers = list.into();
            }
            !same
        });
        answer
    }

    /// A worker gets no new calls. Answers whether it served, or would again if it answered.
    fn withdraw(&self, worker: &Arc<Worker<H>>) -> bool {
        let mut crew = self.crew.lock();
        let served = self.change_serving(|workers| remove(workers, worker)).unwrap_or(false);
        let was_silent = remove(&mut crew.silent, worker);
        drop(crew);
        self.quarantined.lock().take_if(|other| Arc::ptr_eq(other, worker));
        served || was_silent
    }

    /// Looks for workers until as many serve as should, if nobody does so already.
    fn muster(self: &Arc<Self>, pause: Duration) {
        let token = self.ended.child_token();
        {
            let mut crew = self.crew.lock();
            if crew.mustering.is_some() || !self.lacks_workers() {
                return;
            }
            crew.mustering = Some(token.clone());
        }
        let (pool, cancel) = (Arc::clone(self), token.clone());
        self.tasks.spawn(cancel.run_until_cancelled_owned(async move {
            tokio::time::sleep(pause).await;
            while let Some(plan) = pool.next_plan(&token) {
                let mut loaded = pool.start_loading(plan, token.child_token(), None);
                while let Some(next) = loaded.recv().await {
                    pool.join(next);
                }
            }
        }));
    }

    /// What the next worker loads; `None` once enough serve, and then the search is over.
    fn next_plan(&self, token: &CancellationToken) -> Option<Plan> {
        let mut crew = self.crew.lock();
        if token.is_cancelled() {
            return None;
        }
        if !self.lacks_workers() {
            crew.mustering = None;
            return None;
        }
        crew.plan.clone()
    }

    fn lacks_workers(&self) -> bool {
        match &*self.serving.borrow() {
            Serving::Workers(workers) => {
                workers.len() < self.wanted() || workers.iter().any(|worker| worker.is_departing())
            }
            Serving::Isolated | Serving::Stopped => false,
        }
    }

    /// A worker that was looked for is there.
    fn join(self: &Arc<Self>, loaded: Loaded<H>) {
        let Loaded { worker, report } = loaded;
        for (source, failure) in &report.failed {
            self.report(Level::Error, format!("{source} could not be imported again: {failure}"));
        }
        // Another with the slow file follows, and takes its place.
        if report.failed.iter().any(|(_, failure)| failure.is_under_way()) {
            worker.depart();
        }
        worker.connection.streams(&self.streams.lock());
        let worker = Arc::new(worker);
        let wanted = self.wanted();
        let mut relieved = Vec::new();
        let joined = {
            let mut crew = self.crew.lock();
            let joined = self.change_serving(|workers| {
                match workers.iter().position(|other| other.is_departing()) {
                    Some(at) => relieved.push(std::mem::replace(&mut workers[at], Arc::clone(&worker))),
                    None if workers.len() < wanted => workers.push(Arc::clone(&worker)),
                    None => return false,
                }
                true
            });
            let joined = joined.unwrap_or(false);
            if joined {
                relieved.append(&mut crew.silent);
            }
            joined
        };
        if !joined {
            return worker.kill("enough others serve");
        }
        for old in relieved {
            self.finish(&old);
        }
        self.begin(worker);
        self.restock_standby();
    }

    /// A worker does not answer: it gets no new calls, and another takes over unless it answers first.
    pub(super) fn fall_silent(self: &Arc<Self>, worker: &Arc<Worker<H>>, silence: Duration) {
        let served = {
            let mut crew = self.crew.lock();
            let served = self.change_serving(|workers| remove(workers, worker)) == Some(true);
            if served {
                crew.silent.push(Arc::clone(worker));
            }
            served
        };
        let what_next = if served {
            "Another takes over"
        } else if self.holds_alone(worker) {
            "It is ended at the timeout of its call, at the latest"
        } else {
            return;
        };
        let runtime = self.config.runtime;
        self.report(
            Level::Error,
            format!(
                "the {runtime} worker (pid {}) has not answered for {} s, so something blocks its thread: an endless loop, a long computation? {what_next}; {}",
                worker.process.pid,
                silence.as_secs(),
                worker.connection.in_flight()
            ),
        );
        if served {
            self.muster(Duration::ZERO);
        }
    }

    /// Whether a worker has a call that runs alone.
    fn holds_alone(&self, worker: &Arc<Worker<H>>) -> bool {
        let quarantined = self.quarantined.lock().as_ref().is_some_and(|other| Arc::ptr_eq(other, worker));
        quarantined || self.isolation.is_busy(worker)
    }

    /// A worker that was silent answers again: it carries on, unless another has taken its place.
    pub(super) fn recover(&self, worker: &Arc<Worker<H>>) {
        let wanted = self.wanted();
        let mut crew = self.crew.lock();
        let Some(at) = crew.silent.iter().position(|other| Arc::ptr_eq(other, worker)) else { return };
        let back = self.change_serving(|workers| {
            let room = workers.len() < wanted;
            if room {
                workers.push(Arc::clone(worker));
            }
            room
        });
        if back == Some(true) {
            crew.silent.remove(at);
            drop(crew);
            let (runtime, pid) = (self.config.runtime, worker.process.pid);
            self.report(Level::Info, format!("the {runtime} worker (pid {pid}) answers again and carries on"));
        }
    }

    /// A worker is replaced, and finishes what it holds. `lived`: for how long it had user code.
    pub(super) fn retire(self: &Arc<Self>, worker: &Arc<Worker<H>>, reason: &str, lived: Duration) {
        let runtime = self.config.runtime;
        let serves = self.is_serving(worker);
        if serves {
            self.report(Level::Warn, format!("the {runtime} worker is replaced: {reason}"));
        }
        let pause = if serves { self.crew.lock().pause(lived, LONGEST_DEPARTURE) } else { Duration::ZERO };
        if pause.is_zero() {
            self.withdraw(worker);
            self.finish(worker);
        } else {
            // A step that does this at every call must not take everything down: its worker goes on until the next one is there.
            worker.depart();
        }
        self.muster(pause);
    }

    /// A worker serves until another has taken its place. `lived`: for how long it had user code; if that is short time and again, the
    /// others come later.
    pub(super) fn relieve(self: &Arc<Self>, worker: &Arc<Worker<H>>, reason: &str, lived: Duration) {
        let runtime = self.config.runtime;
        self.report(Level::Info, format!("the {runtime} worker is being replaced: {reason}"));
        let pause = self.crew.lock().pause(lived, LONGEST_DEPARTURE);
        worker.depart();
        self.muster(pause);
    }

    pub(super) fn is_serving(&self, worker: &Arc<Worker<H>>) -> bool {
        match &*self.serving.borrow() {
            Serving::Workers(workers) => workers.iter().any(|other| Arc::ptr_eq(other, worker)),
            Serving::Isolated | Serving::Stopped => false,
        }
    }

    /// A worker has ended.
    pub(super) async fn mourn(self: &Arc<Self>, worker: &Arc<Worker<H>>, end: End, lived: Duration) {
        // Closed its connection, or broke the protocol: either way it is of no use.
        worker.process.kill();
        let served = self.withdraw(worker);
        let End::Worker(reason) = end else { return };
        if !served {
            return;
        }
        let (status, runtime) = (worker.process.ended().await, self.config.runtime);
        // Its process's own status says more than that it ended.
        let how = if reason == End::PROCESS_ENDED { status } else { format!("{reason}; {status}") };
        self.report(Level::Error, format!("the {runtime} worker ended ({how}); another takes over"));
        let pause = self.crew.lock().pause(lived, LONGEST_PAUSE);
        self.muster(pause);
    }

    /// Lets an old worker finish what it holds, then its left-over promises and timers, then ends it.
    pub(super) fn finish(self: &Arc<Self>, worker: &Arc<Worker<H>>) {
        let wanted = self.wanted();
        let crowded = {
            let mut crew = self.crew.lock();
            if crew.finishing.iter().any(|other| Arc::ptr_eq(other, worker)) {
                return;
            }
            crew.finishing.push(Arc::clone(worker));
            (crew.finishing.len() > OLD_WORKERS * wanted).then(|| crew.finishing.remove(0))
        };
        if let Some(oldest) = crowded {
            oldest.kill("too many old workers were still busy after reloads");
        }
        if self.config.inspect.is_some() {
            worker.connection.inspect(None);
        }
        worker.connection.stop();
        let (pool, worker) = (Arc::clone(self), Arc::clone(worker));
        self.tasks.spawn(async move {
            let stuck = worker.connection.settled_or_expired().await;
            if !stuck {
                let _ = tokio::time::timeout(LEFTOVERS, worker.process.ended()).await;
            }
            worker.kill("it was replaced");
            pool.crew.lock().finishing.retain(|other| !Arc::ptr_eq(other, &worker));
        });
    }

    /// Nobody serves any more.
    pub(super) fn close(&self) {
        let mut crew = self.crew.lock();
        if let Serving::Workers(workers) = self.serving.send_replace(Serving::Stopped) {
            // Whoever looks for them finds them there.
            crew.finishing.extend(workers.iter().cloned());
        }
        if let Some(mustering) = crew.mustering.take() {
            mustering.cancel();
        }
    }

    /// Workers that finish what they hold, those that served last at the end.
    pub(super) fn finishing(&self) -> Vec<Arc<Worker<H>>> {
        self.crew.lock().finishing.clone()
    }

    /// All workers that have user code.
    pub(super) fn everyone(&self) -> Vec<Arc<Worker<H>>> {
        let mut all = Vec::new();
        {
            let crew = self.crew.lock();
            if let Serving::Workers(workers) = &*self.serving.borrow() {
                all.extend(workers.iter().cloned());
            }
            all.extend(crew.silent.iter().chain(&crew.finishing).cloned());
        }
        all.extend(self.quarantined.lock().clone());
        all.extend(self.isolation.everyone());
        all
    }

    pub(super) fn health(&self) -> Vec<WorkerHealth> {
        let crew = self.crew.lock();
        let health = |state| {
            move |worker: &Arc<Worker<H>>| WorkerHealth {
                pid: worker.process.pid,
                calls: worker.connection.running(),
                memory: worker.connection.memory(),
                state,
            }
        };
        let mut all = Vec::new();
        if let Serving::Workers(workers) = &*self.serving.borrow() {
            all.extend(workers.iter().map(health(WorkerState::Serving)));
        }
        all.extend(self.isolation.everyone().iter().map(health(WorkerState::Serving)));
        all.extend(crew.silent.iter().map(health(WorkerState::Silent)));
        all.extend(crew.finishing.iter().map(health(WorkerState::Finishing)));
        all
    }
}
