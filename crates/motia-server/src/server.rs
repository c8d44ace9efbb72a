//! Listeners and connections.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use motia_core::record::Level;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::Peer;
use crate::edge::{Edge, Mode};

/// How long a client may take to send a request's head, and how long an idle connection is kept.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// Most headers of a request.
const HEADERS: usize = 512;
/// How much of what a client still sends is read after an answer that ends the connection, and for how long.
const LINGER_BYTES: usize = 8 << 20;
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How many ports `dev` tries after the one that is taken.
const NEXT_PORTS: u16 = 10;

/// Where the project is served.
#[derive(Clone, Debug)]
pub struct Config {
    /// The addresses' hosts: names or numbers.
    pub hosts: Vec<String>,
    /// The port. 0 lets the system choose.
    pub port: u16,
    /// Whether another port is tried if this one is taken.
    pub mode: Mode,
    /// The engine's own socket.
    pub admin_socket: PathBuf,
}

/// Why the project cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Someone has the port.
    #[error("port {port} is in use{}. Stop the program that has it, or choose another: motia {} --port <number>", .host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default(), match .mode { Mode::Dev => "dev", Mode::Start => "start" })]
    PortInUse {
        /// The port.
        port: u16,
        /// The host.
        host: Option<String>,
        /// How the project runs.
        mode: Mode,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {host}:{port}: {source}")]
    Listen {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The engine's socket cannot be made.
    #[error("cannot make the engine's socket {path}: {source}")]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Bound listeners: nothing is accepted before [`Server::run`].
pub struct Server {
    edge: Edge,
    listeners: Vec<TcpListener>,
    admin: UnixListener,
    admin_path: PathBuf,
    /// The port, chosen or found.
    pub port: u16,
}

impl Server {
    /// Binds. In `dev`, a taken port makes way for the next free one.
    pub async fn bind(config: &Config, edge: Edge) -> Result<Self, Error> {
        let mut port = config.port;
        let listeners = loop {
            match bind_all(config, port).await {
                Err(Error::PortInUse { .. })
                    if config.mode == Mode::Dev && port < config.port.saturating_add(NEXT_PORTS) =>
                {
                    port += 1;
                }
                other => break other?,
            }
        };
        let port =
            listeners.first().and_then(|listener| listener.local_addr().ok()).map_or(port, |address| address.port());
        let admin_path = config.admin_socket.clone();
        let socket_error = |source| Error::Socket { path: admin_path.clone(), source };
        match std::fs::remove_file(&admin_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(socket_error(error)),
            _ => {}
        }
        let admin = UnixListener::bind(&admin_path).map_err(socket_error)?;
        Ok(Self { edge, listeners, admin, admin_path, port })
    }

    /// Serves until `shutdown`; then takes no further connection, and returns once the requests that run are answered.
    pub async fn run(self, shutdown: CancellationToken) {
        let connections = TaskTracker::new();
        let listening = TaskTracker::new();
        for listener in self.listeners {
            let (edge, connections, shutdown) = (self.edge.clone(), connections.clone(), shutdown.clone());
            listening.spawn(accept(listener, edge, connections, shutdown));
        }
        listening.spawn(accept_admin(self.admin, self.edge.clone(), connections.clone(), shutdown.clone()));
        listening.close();
        listening.wait().await;
        remove(&self.admin_path);
        connections.close();
        connections.wait().await;
    }
}

fn remove(socket: &Path) {
    // A socket that is left behind is replaced at the next start.
    let _ = std::fs::remove_file(socket);
}

async fn bind_all(config: &Config, port: u16) -> Result<Vec<TcpListener>, Error> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for host in &config.hosts {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortInUse { port, host: Some(host.clone()), mode: config.mode },
            _ => Error::Listen { host: host.clone(), port, source },
        };
        // All listeners have the same port, also where the system chose it.
        let port = listeners.first().and_then(|first| first.local_addr().ok()).map_or(port, |address| address.port());
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host((host.as_str(), port)).await.map_err(failed)?.collect();
        for address in addresses {
            match TcpListener::bind(address).await {
                Ok(listener) => listeners.push(listener),
                // A machine without IPv6 still serves IPv4.
                Err(error)
                    if address.is_ipv6() && !listeners.is_empty() && error.kind() != io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
    Ok(listeners)
}

async fn accept(listener: TcpListener, edge: Edge, connections: TaskTracker, shutdown: CancellationToken) {
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, edge.clone(), shutdown.clone()));
            }
            Err(error) => {
                // Out of descriptors, most likely: those that are open will end and make room.
                edge.engine().telemetry().log(Level::Error, format!("a connection could not be accepted: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, edge: Edge, shutdown: CancellationToken) {
    // Answers go out at once; a system without the option only makes them slower.
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok().map(|peer| Peer(peer.ip().to_canonical()));
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let edge = edge.clone();
        async move { Ok::<_, std::convert::Infallible>(edge.handle(request).await) }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = shutdown.cancelled() => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    // What goes wrong with one connection is between it and its client. hyper has answered what could be answered; the client
    // only sees that answer if what it is still sending is read: an unread byte would reset the connection.
    if outcome.is_err() {
        linger(connection.into_parts().io.into_inner()).await;
    }
}

/// Reads and throws away what comes, until the client has read the answer and hangs up, or for a short time.
async fn linger(mut stream: TcpStream) {
    let reading = async {
        let (mut scratch, mut left) = (vec![0; 16 << 10], LINGER_BYTES);
        while let Ok(read) = stream.read(&mut scratch).await
            && read > 0
            && left > 0
        {
            left = left.saturating_sub(read);
        }
    };
    // Whoever goes on sending after that is cut off.
    let _ = tokio::time::timeout(LINGER_TIME, reading).await;
}

/// The engine's own socket: for the same user only.
async fn accept_admin(listener: UnixListener, edge: Edge, connections: TaskTracker, shutdown: CancellationToken) {
    let own = rustix::process::geteuid().as_raw();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
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
