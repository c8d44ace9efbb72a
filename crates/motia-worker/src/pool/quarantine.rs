//! A worker apart, for deliveries that a worker held when it died.

use std::sync::Arc;
use std::time::Duration;

use super::{Loaded, Pool, PoolInner, Serving, Unavailable};
use crate::host::Host;
use crate::worker::{Place, Worker};

impl<H: Host> Pool<H> {
    /// The right to one call, alone in a worker of its own: for deliveries that a worker held when it died (design.md P2).
    /// If it dies again, it is known which call is to blame.
    pub async fn quarantine(&self) -> Result<Place<H>, Unavailable> {
        let inner = &self.inner;
        if inner.is_isolated() {
            return inner.isolated_place().await;
        }
        let permit = Arc::clone(&inner.quarantine).acquire_owned().await.map_err(|_| Unavailable::Stopping)?;
        let current = inner.quarantined.lock().clone();
        let worker = match current {
            Some(worker) if !worker.loading.is_closed() => worker,
            _ => inner.start_quarantine().await?,
        };
        Ok(worker.place_alone(permit))
    }
}

impl<H: Host> PoolInner<H> {
    async fn start_quarantine(self: &Arc<Self>) -> Result<Arc<Worker<H>>, Unavailable> {
        loop {
            let mut serving = self.serving.subscribe();
            // Not before there is a plan, and not once all is over.
            let somebody = |serving: &Serving<H>| !matches!(serving, Serving::Workers(workers) if workers.is_empty());
            serving.wait_for(somebody).await.map_err(|_| Unavailable::Stopping)?;
            let plan = self.plan().ok_or(Unavailable::Stopping)?;
            let mut loaded = self.start_loading(plan, self.ended.child_token(), None);
            if let Some(Loaded { worker, .. }) = loaded.recv().await {
                worker.connection.streams(&self.streams.lock());
                let worker = Arc::new(worker);
                *self.quarantined.lock() = Some(Arc::clone(&worker));
                self.tasks.spawn(Arc::clone(self).tend(Arc::clone(&worker)));
                return Ok(worker);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The quarantine's worker finishes its call, if it has one. The next suspect gets a fresh one.
    pub(super) fn end_quarantine(self: &Arc<Self>) {
        let worker = self.quarantined.lock().take();
        if let Some(worker) = worker {
            self.finish(&worker);
        }
    }
}
