//! `isolation: "process"`: each call gets a fresh process that has the project loaded, and that ends after it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Loaded, PoolInner, Unavailable};
use crate::connection::Credit;
use crate::host::Host;
use crate::worker::{Place, Worker};

/// Processes that wait for their call, at most.
const RESERVE: usize = 2;

/// The processes, and the right to use one.
pub(super) struct Isolation<H: Host> {
    state: Mutex<State<H>>,
}

struct State<H: Host> {
    /// As many calls run at a time.
    slots: Arc<Semaphore>,
    size: usize,
    /// Loaded, and without a call so far.
    ready: Vec<Arc<Worker<H>>>,
    /// With their call.
    busy: Vec<Arc<Worker<H>>>,
    /// How many are being loaded.
    loading: usize,
    /// Changes with the plan: what was loaded before is of no use then.
    generation: u64,
}

impl<H: Host> Default for Isolation<H> {
    fn default() -> Self {
        let state = State {
            slots: Arc::new(Semaphore::new(1)),
            size: 1,
            ready: Vec::new(),
            busy: Vec::new(),
            loading: 0,
            generation: 0,
        };
        Self { state: Mutex::new(state) }
    }
}

impl<H: Host> Isolation<H> {
    /// A new plan: its first process, and how many calls may run. Answers with the processes that have the old one.
    pub(super) fn restart(&self, first: Arc<Worker<H>>, size: NonZeroUsize) -> Vec<Arc<Worker<H>>> {
        let mut state = self.state.lock();
        if state.size != size.get() {
            (state.size, state.slots) = (size.get(), Arc::new(Semaphore::new(size.get())));
        }
        state.generation += 1;
        state.loading = 0;
        std::mem::replace(&mut state.ready, vec![first])
    }

    /// There is no isolation any more. Answers with the processes without a call.
    pub(super) fn empty(&self) -> Vec<Arc<Worker<H>>> {
        let mut state = self.state.lock();
        state.generation += 1;
        state.loading = 0;
        std::mem::take(&mut state.ready)
    }

    /// Whether a further call need not wait for another to end.
    pub(super) fn has_room(&self) -> bool {
        self.state.lock().slots.available_permits() > 0
    }

    /// Whether a process has its call.
    pub(super) fn is_busy(&self, worker: &Arc<Worker<H>>) -> bool {
        self.state.lock().busy.iter().any(|other| Arc::ptr_eq(other, worker))
    }

    pub(super) fn everyone(&self) -> Vec<Arc<Worker<H>>> {
        let state = self.state.lock();
        state.ready.iter().chain(&state.busy).cloned().collect()
    }
}

/// A call alone in its process. At its end the process goes.
struct Alone<H: Host> {
    pool: Arc<PoolInner<H>>,
    worker: Arc<Worker<H>>,
    _slot: OwnedSemaphorePermit,
}

impl<H: Host> Credit for Alone<H> {}

impl<H: Host> Drop for Alone<H> {
    fn drop(&mut self) {
        self.pool.isolation.state.lock().busy.retain(|other| !Arc::ptr_eq(other, &self.worker));
        self.pool.finish(&self.worker);
    }
}

impl<H: Host> PoolInner<H> {
    /// The right to one call in a fresh process.
    pub(super) async fn isolated_place(self: &Arc<Self>) -> Result<Place<H>, Unavailable> {
        let slots = Arc::clone(&self.isolation.state.lock().slots);
        let slot = slots.acquire_owned().await.map_err(|_| Unavailable::Stopping)?;
        let worker = self.fresh_worker().await?;
        self.isolation.state.lock().busy.push(Arc::clone(&worker));
        self.stock_up();
        Ok(worker.place_alone(Alone { pool: Arc::clone(self), worker: Arc::clone(&worker), _slot: slot }))
    }

    async fn fresh_worker(self: &Arc<Self>) -> Result<Arc<Worker<H>>, Unavailable> {
        loop {
            let ready = self.isolation.state.lock().ready.pop();
            match ready {
                Some(worker) if !worker.loading.is_closed() => return Ok(worker),
                Some(_) => {}
                None => {
                    let plan = self.plan().ok_or(Unavailable::Stopping)?;
                    let mut loaded = self.start_loading(plan, self.ended.child_token(), None);
                    let Loaded { worker, .. } = loaded.recv().await.ok_or(Unavailable::Stopping)?;
                    return Ok(self.welcome(worker));
                }
            }
        }
    }

    fn welcome(self: &Arc<Self>, worker: Worker<H>) -> Arc<Worker<H>> {
        worker.connection.streams(&self.streams.lock());
        let worker = Arc::new(worker);
        self.begin(Arc::clone(&worker));
        self.restock_standby();
        worker
    }

    /// Loads processes ahead of their calls.
    fn stock_up(self: &Arc<Self>) {
        let generation = {
            let mut state = self.isolation.state.lock();
            if state.ready.len() + state.loading >= RESERVE.min(state.size) {
                return;
            }
            state.loading += 1;
            state.generation
        };
        let Some(plan) = self.plan() else { return };
        let mut loaded = self.start_loading(plan, self.ended.child_token(), None);
        let pool = Arc::clone(self);
        self.tasks.spawn(async move {
            let Some(Loaded { worker, .. }) = loaded.recv().await else { return };
            let worker = pool.welcome(worker);
            let mut state = pool.isolation.state.lock();
            if state.generation == generation {
                state.loading -= 1;
                state.ready.push(worker);
            } else {
                drop(state);
                worker.kill("it has the project as it was before a reload");
            }
        });
    }
}
