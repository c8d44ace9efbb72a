//! One connection: HTTP/1.1, or HTTP/2 without TLS by prior knowledge.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::Peer;
use crate::edge::Edge;
use crate::response::EdgeBody;
use crate::streams::Upgrade;

/// How long a client may take to send a request's head, and how long an idle connection is kept.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(30);
/// Most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// Most headers of a request.
const HEADERS: usize = 512;
/// How long a client may take nothing of what is there for it.
const STALL: Duration = Duration::from_secs(60);
/// How much of what a client still sends is read after the last answer, and for how long.
const LINGER_BYTES: usize = 8 << 20;
const LINGER_TIME: Duration = Duration::from_secs(2);
/// HTTP/2: requests at a time on one connection.
const STREAMS: u32 = 256;
/// HTTP/2: requests that a client opened and reset before they were taken. More is an attack ("rapid reset") and ends the connection.
const RESETS: usize = 32;
/// HTTP/2: how often a silent client is asked whether it is there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);
/// How every HTTP/2 connection begins, and no request of HTTP/1 does.
const PREFACE: &[u8; 3] = b"PRI";

/// Serves a connection until its client is done or has broken the rules, or until the shutdown and its last answer.
/// `place`: its place among all connections, given back at its end. `tasks`: where what it starts is waited for.
pub(crate) async fn serve(
    stream: TcpStream,
    edge: Edge,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    place: OwnedSemaphorePermit,
) {
    // Answers go out at once; a system without the option only makes them slower.
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok().map(|peer| Peer(peer.ip().to_canonical()));
    let upgrade = Upgrade::default();
    let asked = upgrade.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(asked.clone());
        }
        let edge = edge.clone();
        async move { Ok::<_, Infallible>(edge.handle(request).await) }
    });
    let late = shutdown.is_cancelled();
    let began = async { tokio::time::timeout(HEAD_TIME, speaks_http2(&stream)).await };
    let began = if late { Some(began.await) } else { shutdown.run_until_cancelled(began).await };
    match began {
        Some(Ok(Ok(true))) => {
            // Apart, so that the others need not have the room that it takes.
            Box::pin(serve_http2(Patient::new(stream), service, shutdown, tasks)).await;
        }
        Some(Ok(Ok(false))) => {
            let (stream, read) = serve_http1(Patient::new(stream), service, &shutdown, late).await;
            match upgrade.take() {
                // Apart, so that it does not keep the room that requests took; and a copy, as the buffer is that of requests.
                Some(socket) => drop(tasks.spawn(socket.run(stream, read.to_vec(), shutdown, place))),
                None => linger(stream).await,
            }
        }
        // It hung up or said nothing.
        _ => {}
    }
}

/// Looks at the first bytes without taking them.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; PREFACE.len()];
    loop {
        let read = stream.peek(&mut start).await?;
        if read == 0 || start[..read] != PREFACE[..read] {
            return Ok(false);
        }
        if read == PREFACE.len() {
            return Ok(true);
        }
        // `P` may become `POST`. What was looked at stays readable, so there is nothing to wait for but time.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

trait Answers:
    Service<Request<Incoming>, Response = Response<EdgeBody>, Error = Infallible, Future: Send + 'static> + Send + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Incoming>, Response = Response<EdgeBody>, Error = Infallible, Future: Send + 'static>
        + Send
        + 'static
{
}

/// Answers with the connection, and what was read of it but is no request: if it has become something else, that goes on.
async fn serve_http1(
    stream: Patient,
    service: impl Answers,
    shutdown: &CancellationToken,
    late: bool,
) -> (TcpStream, Bytes) {
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .keep_alive(!late)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // What goes wrong with one connection is between it and its client. hyper has answered what could be answered.
        _ = &mut connection => {}
        () = shutdown.cancelled(), if !late => {
            Pin::new(&mut connection).graceful_shutdown();
            let _ = (&mut connection).await;
        }
    }
    let parts = connection.into_parts();
    (parts.io.into_inner().stream, parts.read_buf)
}

async fn serve_http2(stream: Patient, service: impl Answers, shutdown: CancellationToken, streams: TaskTracker) {
    let connection = http2::Builder::new(Tracked(streams))
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Runs the requests of HTTP/2 connections as tasks that are waited for.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// Says that no more comes; then reads and throws away what the client still sends, until it has read the answer and hangs up, or for a
/// short time. An unread byte would reset the connection, and the client would lose the answer.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let reading = async {
        let (mut scratch, mut left) = (vec![0; 4 << 10], LINGER_BYTES);
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

/// A stream whose client must take what is sent within some time.
struct Patient {
    stream: TcpStream,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream) -> Self {
        Self { stream, stalled: None }
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing")))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
