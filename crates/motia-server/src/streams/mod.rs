//! Streams to browsers: every WebSocket that is opened outside of `/__motia/`, whatever its path (design.md section 6).
//!
//! | module | holds |
//! |---|---|
//! | `message` | what clients say |
//! | `socket` | one client, from its first message to its last |
//! | `tell` | what goes out to it |
//! | `read` | streams over plain HTTP, and as Server-Sent Events |

pub mod message;
pub(crate) mod read;
mod socket;
mod tell;

use std::sync::Arc;

use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Version};
use motia_core::project::StreamAccess;
use motia_engine::Engine;
use motia_engine::streams::{TurnedAway, Visitor};
use parking_lot::Mutex;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::cors::{is_loopback, is_loopback_host};
use crate::edge::Mode;
use crate::request::headers_to_json;
use crate::response::{EdgeBody, error, unavailable};
pub(crate) use socket::Socket;

/// How many bytes a client may be behind before it is given up.
const BEHIND: usize = 16 << 20;

/// Where a connection finds what it is to become once its answer is out.
#[derive(Clone, Default)]
pub(crate) struct Upgrade(Arc<Mutex<Option<Socket>>>);

impl Upgrade {
    pub(crate) fn take(&self) -> Option<Socket> {
        self.0.lock().take()
    }
}

/// Whether a request asks for a WebSocket.
pub(crate) fn is_asked_for<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    headers.contains_key(UPGRADE)
        && request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && names(headers, UPGRADE, "websocket")
        && names(headers, CONNECTION, "upgrade")
}

/// Answers a request for a WebSocket.
pub(crate) async fn open<B>(engine: &Engine, mode: Mode, request: &Request<B>) -> Response<EdgeBody> {
    let headers = request.headers();
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut answer = error(426, "WebSockets are spoken in version 13 alone");
        answer.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return answer;
    }
    // Present only on connections that can become one.
    let upgrade = request.extensions().get::<Upgrade>();
    let (Some(key), Some(upgrade)) = (headers.get(SEC_WEBSOCKET_KEY), upgrade) else {
        return error(400, "the header Sec-WebSocket-Key is missing");
    };
    let visitor = match admitted(engine, mode, request).await {
        Ok(visitor) => visitor,
        Err(refusal) => return *refusal,
    };
    let mut answer = Response::new(EdgeBody::Whole(bytes::Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answers = answer.headers_mut();
    answers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    // Base64 of a hash.
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok();
    answers.extend(accept.map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    answers.extend(first_protocol(headers).map(|protocol| (SEC_WEBSOCKET_PROTOCOL, protocol)));
    *upgrade.0.lock() = Some(Socket::new(engine.clone(), visitor));
    answer
}

/// The answer to somebody who is not let in. In a box: it is large, and rare.
type Refusal = Box<Response<EdgeBody>>;

/// Who asks; or why nobody of that kind is let in.
async fn admitted<B>(engine: &Engine, mode: Mode, request: &Request<B>) -> Result<Visitor, Refusal> {
    let headers = request.headers();
    if let Some(origin) = foreign_page(headers, &engine.settings().streams, mode) {
        let text = format!("pages of {origin} may not watch streams; motia.config says which may: streams.origins");
        return Err(Box::new(error(403, &text)));
    }
    if mode == Mode::Dev && !is_safe_name(request) {
        // A page of any site can have its name point here.
        return Err(Box::new(error(403, "streams are read under a name of this machine only, or by its number")));
    }
    let url = request.uri().path_and_query().map_or("/", |url| url.as_str());
    engine.admit(&headers_to_json(headers), url).await.map_err(|turned_away| match turned_away {
        TurnedAway::Unauthenticated => {
            let mut answer = Response::new(EdgeBody::Whole("Authentication failed".into()));
            *answer.status_mut() = StatusCode::UNAUTHORIZED;
            Box::new(answer)
        }
        TurnedAway::Unavailable(reason) => Box::new(unavailable(&reason)),
    })
}

/// The origin of the page that asks, if it may not.
fn foreign_page<'a>(headers: &'a HeaderMap, access: &StreamAccess, mode: Mode) -> Option<std::borrow::Cow<'a, str>> {
    // Programs send none.
    let origin = headers.get(ORIGIN)?;
    let allowed = match (&access.origins, mode) {
        (Some(origins), _) => crate::cors::is_one_of(origin, origins),
        (None, Mode::Start) => true,
        (None, Mode::Dev) => is_loopback(origin) || is_own_page(origin, headers),
    };
    (!allowed).then(|| String::from_utf8_lossy(origin.as_bytes()))
}

/// Whether a page comes from this very server, reached by a number. By a name it might be any server's: names can be made to point here.
fn is_own_page(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let page = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
    page == Some(host) && is_number(host)
}

/// Whether the server was asked for under a name that only this machine has, or by its number.
fn is_safe_name<B>(request: &Request<B>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or_default();
    is_loopback_host(host) || is_number(host)
}

fn is_number(host: &str) -> bool {
    host.parse::<std::net::SocketAddr>().is_ok() || host.parse::<std::net::IpAddr>().is_ok()
}

/// Whether a header that is a list names something.
fn names(headers: &HeaderMap, header: http::HeaderName, word: &str) -> bool {
    let mut values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|named| named.trim().eq_ignore_ascii_case(word)))
}

/// The first subprotocol that is offered: clients that send a token so would hang up without it.
fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    HeaderValue::from_str(offered.split(',').next()?.trim()).ok().filter(|protocol| !protocol.is_empty())
}
