//! The project's own express application (`app` in motia.config): it is asked before the steps, over a private socket. What it does not
//! answer goes on to the steps, with the body, and with the headers that its middleware set.

use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, RETRY_AFTER, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::response::{EdgeBody, error};

/// A path that the application registered, in lower case and without a slash at its end.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct AppPath {
    /// The path.
    pub path: String,
    /// Whether what lies under it concerns the application too.
    pub under: bool,
}

impl AppPath {
    fn covers(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/').to_ascii_lowercase();
        match path.strip_prefix(self.path.as_str()) {
            Some("") => true,
            Some(rest) => self.under && rest.starts_with('/'),
            None => false,
        }
    }
}

/// A running application.
pub struct App {
    socket: PathBuf,
    paths: Vec<AppPath>,
    idle: Mutex<Vec<SendRequest<Asking>>>,
    connections: TaskTracker,
    /// Nobody waits for it any more.
    given_up: CancellationToken,
}

/// The client's address, put into a request's extensions.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What came of asking.
pub(crate) enum Asked {
    Answered(Response<EdgeBody>),
    /// It did not answer; what the client is told.
    Down(Response<EdgeBody>),
    /// The steps are next; their response gets these headers.
    Passed(Box<Request<ClientBody>>, HeaderMap),
}

const PASS: HeaderName = HeaderName::from_static("x-motia-pass");
const PEER: HeaderName = HeaderName::from_static("x-motia-peer");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");
/// Headers that are about one connection.
const HOPS: [HeaderName; 6] = [CONNECTION, KEEP_ALIVE, TE, TRANSFER_ENCODING, UPGRADE, EXPECT];
/// Connections that are kept for the next requests.
const IDLE: usize = 64;

impl App {
    /// An application that listens on `socket`.
    pub fn new(socket: PathBuf, paths: Vec<AppPath>) -> Self {
        Self {
            socket,
            paths,
            idle: Mutex::default(),
            connections: TaskTracker::new(),
            given_up: CancellationToken::new(),
        }
    }

    /// It does not answer: whoever waits for it is told so, and so is whoever asks. Responses that are under way go on.
    pub fn give_up(&self) {
        self.given_up.cancel();
    }

    /// Whether the application itself answers a path, or may: what it registered without a path stands before all paths, and answers none.
    pub(crate) fn names(&self, path: &str) -> bool {
        self.paths.iter().any(|registered| !registered.path.is_empty() && registered.covers(path))
    }

    pub(crate) fn concerns(&self, path: &str) -> bool {
        self.paths.iter().any(|registered| registered.covers(path))
    }

    /// Asks. Bodies up to `limit` bytes are kept for the steps.
    pub(crate) async fn ask(&self, request: Request<ClientBody>, limit: u64, patience: Duration) -> Asked {
        let (parts, body) = request.into_parts();
        let kept = Arc::new(Mutex::new(Kept { body: Some(body), seen: Vec::new(), room: Some(limit) }));
        let mut asked = Request::new(Asking(Arc::clone(&kept)));
        *asked.method_mut() = parts.method.clone();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        *asked.uri_mut() = path.parse::<Uri>().unwrap_or_default();
        *asked.headers_mut() = parts.headers.clone();
        for hop in &HOPS {
            // The length of a body without content-length is said anew.
            asked.headers_mut().remove(hop);
        }
        let peer = parts.extensions.get::<Peer>().and_then(|peer| HeaderValue::from_str(&peer.0.to_string()).ok());
        asked.headers_mut().remove(&PEER);
        asked.headers_mut().extend(peer.map(|peer| (PEER, peer)));
        let sending = self.given_up.run_until_cancelled(self.send(asked));
        let answer = match tokio::time::timeout(patience, sending).await {
            Ok(Some(Ok(answer))) => answer,
            Ok(Some(Err(_))) => return Asked::Down(error(502, "The application of the `app` hook is not running")),
            Ok(None) => {
                let mut answer =
                    error(503, "The application of the `app` hook does not answer; another is being started");
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                return Asked::Down(answer);
            }
            Err(_) => return Asked::Down(error(504, "The application of the `app` hook did not answer in time")),
        };
        let (mut head, answer) = answer.into_parts();
        if head.headers.remove(&PASS).is_none() {
            for hop in &HOPS {
                head.headers.remove(hop);
            }
            return Asked::Answered(Response::from_parts(head, EdgeBody::Proxied(answer)));
        }
        let body = kept.lock().take();
        let Some(body) = body else {
            let text = "the body is larger than the application of the `app` hook and a step can both read (bodyLimit in motia.config)";
            return Asked::Answered(error(413, text));
        };
        for own in HOPS.iter().chain([&CONTENT_LENGTH, &CONTENT_TYPE, &DATE, &POWERED_BY]) {
            head.headers.remove(own);
        }
        Asked::Passed(Box::new(Request::from_parts(parts, body)), head.headers)
    }

    async fn send(
        &self,
        request: Request<Asking>,
    ) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
        let idle = {
            let mut idle = self.idle.lock();
            idle.retain(|connection| !connection.is_closed());
            idle.iter().position(SendRequest::is_ready).map(|at| idle.swap_remove(at))
        };
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let (sender, connection) = handshake(TokioIo::new(UnixStream::connect(&self.socket).await?)).await?;
                // Whoever sent the request on it learns how it went.
                self.connections.spawn(async { drop(connection.await) });
                sender
            }
        };
        let answer = connection.send_request(request).await?;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(connection);
        }
        Ok(answer)
    }
}

/// Puts what middleware of the application set under what the handler set.
pub(crate) fn merge(headers: HeaderMap, answer: &mut HeaderMap) {
    let own: Vec<_> =
        headers.keys().filter(|name| **name == SET_COOKIE || !answer.contains_key(*name)).cloned().collect();
    for name in own {
        for value in headers.get_all(&name) {
            answer.append(&name, value.clone());
        }
    }
}

/// A request's body, from its beginning: some of it may have been read before.
pub(crate) struct ClientBody {
    seen: std::vec::IntoIter<Bytes>,
    rest: Incoming,
}

impl From<Incoming> for ClientBody {
    fn from(rest: Incoming) -> Self {
        Self { seen: Vec::new().into_iter(), rest }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.seen.next() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.seen.as_slice().is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let seen = self.seen.as_slice().iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(seen + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(seen + upper);
        }
        hint
    }
}

/// A body that the application reads, kept for the steps.
struct Kept {
    body: Option<ClientBody>,
    seen: Vec<Bytes>,
    /// How much more is kept; `None` once it was too much.
    room: Option<u64>,
}

impl Kept {
    /// The body as it came. What still asks for it finds that it has ended.
    fn take(&mut self) -> Option<ClientBody> {
        let body = self.body.take()?;
        self.room?;
        let mut seen = std::mem::take(&mut self.seen);
        seen.extend(body.seen);
        Some(ClientBody { seen: seen.into_iter(), rest: body.rest })
    }
}

/// The same body on its way to the application.
struct Asking(Arc<Mutex<Kept>>);

impl Body for Asking {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut kept = self.0.lock();
        let Some(body) = &mut kept.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            kept.room = kept.room.and_then(|room| room.checked_sub(data.len() as u64));
            match kept.room {
                Some(_) => kept.seen.push(data.clone()),
                None => kept.seen.clear(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_concern_the_application_as_express_compares_them() {
        let path = |path: &str, under| AppPath { path: path.into(), under };
        let app = App::new("/x".into(), vec![path("/health", false), path("/api/auth", true)]);
        for concerned in ["/health", "/Health/", "/api/auth", "/api/auth/", "/API/auth/sign-in/email"] {
            assert!(app.concerns(concerned), "{concerned}");
        }
        for other in ["/", "/healthz", "/health/x", "/api", "/api/authors"] {
            assert!(!app.concerns(other), "{other}");
        }
        let all = App::new("/x".into(), vec![path("", true)]);
        assert!(all.concerns("/") && all.concerns("/any/thing"));
        assert!(!App::new("/x".into(), Vec::new()).concerns("/"));
        let root = App::new("/x".into(), vec![path("", false)]);
        assert!(root.concerns("/") && !root.concerns("/other"));
        assert!(app.names("/Health") && !app.names("/healthz") && !all.names("/healthz"));
    }

    #[test]
    fn headers_of_the_handler_win_and_cookies_add_up() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
        };
        let mut answer: HeaderMap = headers(&[("vary", "Accept"), ("set-cookie", "a=1")]);
        merge(headers(&[("vary", "Origin"), ("set-cookie", "b=2"), ("x-frame-options", "DENY")]), &mut answer);
        assert_eq!(answer.get_all("set-cookie").iter().count(), 2);
        assert_eq!(
            (&answer["vary"], &answer["x-frame-options"]),
            (&"Accept".parse().expect("a value"), &"DENY".parse().expect("a value"))
        );
    }
}
