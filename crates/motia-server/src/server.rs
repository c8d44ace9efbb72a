//! Listeners and connections.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::{Door, accept, accept_admin};
use crate::edge::{Edge, Mode};

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
    /// How many connections are served at a time.
    pub connections: usize,
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
    #[error("cannot listen on {host}:{port}")]
    Listen {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The engine's socket cannot be made.
    #[error("cannot make the engine's socket {path}")]
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
    connections: usize,
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
        Ok(Self { edge, listeners, admin, admin_path, connections: config.connections, port })
    }

    /// Serves until `shutdown`, and returns once the requests that run then are answered. Until that, requests that come are told that
    /// the engine is stopping.
    pub async fn run(self, shutdown: CancellationToken) {
        let door = Door::new(self.edge.clone(), self.connections, shutdown.clone());
        let closed = CancellationToken::new();
        let listening = TaskTracker::new();
        for listener in self.listeners {
            listening.spawn(accept(listener, door.clone(), closed.clone()));
        }
        listening.spawn(accept_admin(self.admin, door.clone()));
        listening.close();
        shutdown.cancelled().await;
        self.edge.stop();
        door.drained().await;
        closed.cancel();
        listening.wait().await;
        remove(&self.admin_path);
    }
}

fn remove(socket: &Path) {
    // A socket that is left behind is replaced at the next start.
    let _ = std::fs::remove_file(socket);
}

/// Connections that wait to be taken in. The system may allow fewer. After a restart all who watch streams come back at once, and one that
/// finds no place tries again only after a second.
const BACKLOG: u32 = 8192;

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Of connections that have just ended, the port is free again at once. Elsewhere the option means more than that.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn bind_all(config: &Config, port: u16) -> Result<Vec<TcpListener>, Error> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for host in &config.hosts {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortInUse { port, host: Some(host.clone()), mode: config.mode },
            _ => Error::Listen { host: host.clone(), port, source },
        };
        // All listeners have the same port, also where the system chose it.
        let chosen = |listeners: &[TcpListener]| {
            listeners.first().and_then(|first| first.local_addr().ok()).map_or(port, |address| address.port())
        };
        let port = chosen(&listeners);
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host((host.as_str(), port)).await.map_err(failed)?.collect();
        for mut address in addresses {
            address.set_port(chosen(&listeners));
            match bind(address) {
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
