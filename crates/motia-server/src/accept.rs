//! From listeners to connections: no more at a time than the process has descriptors for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use motia_core::record::Level;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{self, HEAD_TIME};
use crate::edge::Edge;

/// How long nothing is accepted after that failed: those connections that are open will end and make room.
const PAUSE: Duration = Duration::from_millis(100);

/// What every listener shares.
#[derive(Clone)]
pub(crate) struct Door {
    edge: Edge,
    /// A place per connection.
    places: Arc<Semaphore>,
    most: usize,
    /// It was said that there is no place left.
    said: Arc<AtomicBool>,
    shutdown: CancellationToken,
    /// The connections that came before the shutdown.
    connections: TaskTracker,
}

impl Door {
    pub(crate) fn new(edge: Edge, most: usize, shutdown: CancellationToken) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(most));
        Self { edge, places, most, said: Arc::default(), shutdown, connections: TaskTracker::new() }
    }

    /// Waits until the connections that came before the shutdown have ended.
    pub(crate) async fn drained(&self) {
        self.connections.close();
        self.connections.wait().await;
    }

    /// A place for one more connection, once there is one.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        self.say_once(format!(
            "{} connections are open, and no more are accepted until some end: the limit follows from how many files a process may \
             open (ulimit -n)",
            self.most
        ));
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    fn say_once(&self, text: String) {
        if !self.said.swap(true, Ordering::Relaxed) {
            self.edge.engine().telemetry().log(Level::Warn, text);
        }
    }
}

/// Accepts connections until `closed`.
pub(crate) async fn accept(listener: TcpListener, door: Door, closed: CancellationToken) {
    // Those that come after the shutdown are only told so: nobody waits for them.
    let late = TaskTracker::new();
    let next = async || Some((door.place().await?, listener.accept().await));
    while let Some(Some((place, accepted))) = closed.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, _)) => {
                let (edge, shutdown) = (door.edge.clone(), door.shutdown.clone());
                let tasks = if shutdown.is_cancelled() { &late } else { &door.connections };
                tasks.spawn(connection::serve(stream, edge, shutdown, tasks.clone(), place));
            }
            Err(error) => {
                door.say_once(format!("a connection could not be accepted: {error}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Accepts connections on the engine's own socket until the shutdown: of the same user only.
pub(crate) async fn accept_admin(listener: UnixListener, door: Door) {
    let Door { edge, shutdown, connections, .. } = door;
    let own = rustix::process::geteuid().as_raw();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0) {
            continue;
        }
        let service = hyper_util::service::TowerToHyperService::new(edge.admin());
        let shutdown = shutdown.clone();
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => {}
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
    }
}
