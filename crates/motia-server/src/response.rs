//! A handler's answer to the wire.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use motia_core::step::Method;
use motia_engine::{BrokenOff, ResponseBody};
use motia_worker::message::{BodyKind, HeaderValues, ResultMeta};
use tower_http::services::fs::ServeFileSystemResponseBody;

/// A response's body: in one piece, or as it comes from the worker.
pub enum EdgeBody {
    /// In one piece.
    Whole(Bytes),
    /// As it comes.
    Stream(Streaming),
    /// A file, as it is read.
    File(ServeFileSystemResponseBody),
    /// As it comes from streams.
    Told(BoxStream<'static, Bytes>),
    /// As it comes from the project's own application.
    Proxied(hyper::body::Incoming),
}

/// A body that comes from a worker in pieces.
pub enum Streaming {
    /// Waiting for the next piece.
    Waiting(BoxFuture<'static, (ResponseBody, Option<Result<Bytes, BrokenOff>>)>),
    /// At its end.
    Done,
}

impl EdgeBody {
    fn new(body: ResponseBody) -> Self {
        match body.whole() {
            Some(bytes) => Self::Whole(bytes.clone()),
            None => Self::Stream(Streaming::Waiting(next(body))),
        }
    }
}

impl From<Bytes> for EdgeBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

fn next(mut body: ResponseBody) -> BoxFuture<'static, (ResponseBody, Option<Result<Bytes, BrokenOff>>)> {
    Box::pin(async move {
        let piece = body.next().await;
        (body, piece)
    })
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(Streaming::Done) => Poll::Ready(None),
            Self::Told(told) => told.as_mut().poll_next(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
            // The connection ends, and the client sees that something is missing: why is nothing to it.
            Self::File(file) => Pin::new(file).poll_frame(cx).map_err(|_| BrokenOff),
            Self::Proxied(body) => Pin::new(body).poll_frame(cx).map_err(|_| BrokenOff),
            Self::Stream(streaming @ Streaming::Waiting(_)) => {
                let Streaming::Waiting(piece) = streaming else { return Poll::Ready(None) };
                let (body, piece) = std::task::ready!(piece.as_mut().poll(cx));
                *streaming = match piece {
                    Some(Ok(_)) => Streaming::Waiting(next(body)),
                    _ => Streaming::Done,
                };
                Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(streaming) => matches!(streaming, Streaming::Done),
            Self::Told(_) => false,
            Self::File(file) => file.is_end_stream(),
            Self::Proxied(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) | Self::Told(_) => SizeHint::default(),
            Self::File(file) => file.size_hint(),
            Self::Proxied(body) => body.size_hint(),
        }
    }
}

/// What a handler answered cannot be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAResponse {
    #[error("returned the status {0}: a final status is 200 to 599")]
    Status(u16),
    #[error("returned no status")]
    NoStatus,
    #[error("returned the header '{0}', which is not a valid name or has a value with control characters")]
    Header(String),
}

/// The response, if it is one.
pub(crate) fn response(
    asked: Method,
    meta: ResultMeta,
    body: ResponseBody,
) -> Result<Response<EdgeBody>, NotAResponse> {
    let status = meta.status.ok_or(NotAResponse::NoStatus)?;
    // 1xx cannot end a request.
    let status = StatusCode::from_u16(status)
        .ok()
        .filter(|_| (200..600).contains(&status))
        .ok_or(NotAResponse::Status(status))?;
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let mut response = Response::new(if bodiless || (meta.stream && asked == Method::Head) {
        body.discard();
        EdgeBody::Whole(Bytes::new())
    } else {
        EdgeBody::new(body)
    });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, values) in meta.headers {
        let bad = || NotAResponse::Header(name.clone());
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
        // How the body travels is not the handler's to say: a wrong length would break the next response.
        if parsed == CONTENT_LENGTH || parsed == TRANSFER_ENCODING || parsed == CONNECTION {
            continue;
        }
        let values = match values {
            HeaderValues::One(value) => vec![value],
            HeaderValues::Many(values) => values,
        };
        for value in values {
            headers.append(&parsed, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?);
        }
    }
    if !bodiless && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(match meta.body {
                BodyKind::Text if meta.stream => "text/plain; charset=utf-8",
                BodyKind::None | BodyKind::Json => "application/json; charset=utf-8",
                BodyKind::Text => "text/html; charset=utf-8",
                BodyKind::Bytes => "application/octet-stream",
            }),
        );
    }
    if meta.stream && headers.get(CONTENT_TYPE).is_some_and(is_event_stream) {
        // Whatever lies between must neither keep nor collect what is meant to arrive now.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
        headers.entry(ACCEL_BUFFERING).or_insert(HeaderValue::from_static("no"));
    }
    Ok(response)
}

pub(crate) const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(crate) fn is_event_stream(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("text/event-stream")
}

/// An answer of our own: `{"error": text}`.
pub(crate) fn error(status: u16, text: &str) -> Response<EdgeBody> {
    json(status, &serde_json::json!({ "error": text }))
}

/// Not now, but soon.
pub(crate) fn unavailable(reason: &str) -> Response<EdgeBody> {
    let mut response = error(503, reason);
    response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// An answer of our own.
pub(crate) fn json(status: u16, body: &serde_json::Value) -> Response<EdgeBody> {
    let mut response = Response::new(EdgeBody::Whole(body.to_string().into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}
