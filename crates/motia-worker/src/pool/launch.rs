//! Starting processes, and the one that stands by: interpreter and SDK loaded, no user code.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use motia_core::record::Level;
use tokio::task::JoinHandle;

use super::PoolInner;
use crate::connection::{Connection, LoadEvent};
use crate::host::Host;
use crate::worker::Worker;

/// How long a process may take to start and load its runtime.
const HELLO: Duration = Duration::from_secs(30);

/// The process that stands by, or is about to.
pub(super) type Standby<H> = Option<JoinHandle<io::Result<Worker<H>>>>;

impl<H: Host> PoolInner<H> {
    /// Starts a process and waits until its runtime is loaded.
    async fn launch(self: Arc<Self>) -> io::Result<Worker<H>> {
        let (host, runtime) = (Arc::clone(&self.host), self.config.runtime);
        let program = self.program.lock().clone();
        let name = program.program.display().to_string();
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
        Err(io::Error::other(format!("a {runtime} worker ({name}) did not start: {problem}")))
    }

    pub(super) fn start_standby(self: &Arc<Self>) {
        let launching = self.tasks.spawn(Arc::clone(self).launch());
        *self.standby.lock() = Some(launching);
    }

    /// Whether a spare process is kept ready from now on.
    pub(super) fn keep_standby(&self, keep: bool) {
        self.settings.lock().standby = keep;
        if !keep && let Some(standby) = self.standby.lock().take() {
            standby.abort();
        }
    }

    /// The one that stands by is of no use any more.
    pub(super) fn renew_standby(self: &Arc<Self>) {
        if let Some(standby) = self.standby.lock().take() {
            standby.abort();
        }
        self.restock_standby();
    }

    /// After the standby was taken.
    pub(super) fn restock_standby(self: &Arc<Self>) {
        if self.settings.lock().standby && !self.ended.is_cancelled() && self.standby.lock().is_none() {
            self.start_standby();
        }
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
        self.report(Level::Error, error.to_string());
    }
}
