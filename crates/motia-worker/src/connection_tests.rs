//! The engine's side against a worker that is played by the test.

use std::time::Duration;

use bytes::Buf;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use motia_core::record::Level;
use motia_core::trace::{TraceIds, TraceParent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::frame::{CHUNK, Frame, MAX_INLINE_BODY, MORE, WINDOW, decode, encode};
use crate::host::Origin;
use crate::message::WorkerLog;
use crate::operation::{Operation, OperationError, StateOperation};

/// Remembers what workers asked for, in order.
#[derive(Default)]
struct Remembering {
    asked: Mutex<Vec<String>>,
    logged: Mutex<Vec<(Level, String, bool)>>,
}

impl Host for Remembering {
    type Call = &'static str;

    fn operation(
        &self,
        origin: Origin<&'static str>,
        operation: Operation,
        body: Bytes,
    ) -> BoxFuture<'static, Result<Bytes, OperationError>> {
        let who = match origin {
            Origin::Call(call) => (*call).to_owned(),
            Origin::Late { source, .. } => format!("late {source}"),
        };
        self.asked.lock().push(format!("{who} {operation:?} {}", body.len()));
        match operation {
            Operation::State(StateOperation::Get(..)) => async { Ok(Bytes::from_static(b"5")) }.boxed(),
            Operation::State(StateOperation::Group(..)) => async { Ok(vec![b'x'; 3 << 20].into()) }.boxed(),
            _ => async {
                tokio::task::yield_now().await;
                Err(OperationError { code: "no", message: "not here".into() })
            }
            .boxed(),
        }
    }

    fn log(&self, origin: Option<Origin<&'static str>>, line: WorkerLog) {
        self.logged.lock().push((line.level, line.message, origin.is_some()));
    }

    fn output(&self, _: Runtime, _: bool, _: String) {}
}

struct Played {
    stream: UnixStream,
    buffer: BytesMut,
}

impl Played {
    async fn receive(&mut self) -> Frame {
        let reading = async {
            loop {
                if let Some(frame) = decode(&mut self.buffer).expect("frames") {
                    return frame;
                }
                assert_ne!(self.stream.read_buf(&mut self.buffer).await.expect("read"), 0, "the engine hung up");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("a frame")
    }

    async fn send(&mut self, kind: Kind, flags: u8, id: u32, meta: &str, body: &[u8]) {
        let mut out = BytesMut::new();
        encode(&mut out, kind, flags, id, meta.as_bytes(), body);
        self.stream.write_all(&out).await.expect("written");
    }
}

fn pair() -> (Connection<Remembering>, mpsc::UnboundedReceiver<LoadEvent>, Arc<Remembering>, Played) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let host = Arc::new(Remembering::default());
    let (connection, loading) = Connection::start(ours, Runtime::Node, Arc::clone(&host), TaskTracker::new());
    (connection, loading, host, Played { stream: theirs, buffer: BytesMut::new() })
}

fn call(connection: &Connection<Remembering>, body: Bytes) -> CallHandle<Remembering> {
    connection.call(event(body), Box::new(()))
}

fn call_open(connection: &Connection<Remembering>) -> (CallHandle<Remembering>, BodySender<Remembering>) {
    connection.call_open(event(Bytes::new()), Box::new(()))
}

fn event(body: Bytes) -> CallRequest<&'static str> {
    let ids = TraceIds::new([0; 16]);
    let trace = ids.nth(0);
    CallRequest {
        source: "steps/a.step.ts".into(),
        identity: Identity { trace, parent: TraceParent::start(trace, &ids) },
        kind: CallKind::Event { topic: "t".into(), attempt: 1 },
        body,
        context: Arc::new("a call"),
        limits: CallLimits::new(Duration::from_secs(1), None),
    }
}

#[tokio::test]
async fn a_call_goes_out_and_its_result_comes_back() {
    let (connection, _loading, _, mut worker) = pair();
    let mut handle = call(&connection, Bytes::from_static(b"{}"));
    let frame = worker.receive().await;
    assert_eq!((frame.kind, frame.flags, &frame.body[..]), (Kind::Call, 0, &b"{}"[..]));
    assert_eq!(connection.running(), 1);
    worker.send(Kind::Result, 0, frame.id, r#"{"status":201,"type":"json"}"#, b"[1]").await;
    let outcome = handle.outcome().await.expect("an answer");
    assert_eq!((outcome.meta.status, outcome.body.whole().map(|body| &body[..])), (Some(201), Some(&b"[1]"[..])));
    connection.settled().await;
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_keeps_its_place_until_it_settles() {
    let (connection, _loading, _, mut worker) = pair();
    drop(call(&connection, Bytes::new()));
    let called = worker.receive().await;
    let cancelled = worker.receive().await;
    assert_eq!(
        (cancelled.kind, cancelled.id, &cancelled.meta[..]),
        (Kind::Cancel, called.id, &br#"{"reason":"disconnect"}"#[..])
    );
    assert_eq!(connection.running(), 1);
    worker.send(Kind::Result, 0, called.id, "", b"").await;
    connection.settled().await;
}

#[tokio::test]
async fn a_long_body_waits_for_its_window() {
    let (connection, _loading, _, mut worker) = pair();
    let body: Bytes = (0..WINDOW + 3 * CHUNK + 5).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
    let _handle = call(&connection, body.clone());
    let first = worker.receive().await;
    assert_eq!((first.flags, first.body.len()), (MORE, CHUNK));
    let mut received = BytesMut::from(&first.body[..]);
    while received.len() < WINDOW {
        received.extend_from_slice(&worker.receive().await.body);
    }
    assert_eq!(received.len(), WINDOW, "no further without a window");
    let quiet = tokio::time::timeout(Duration::from_millis(50), worker.receive()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    worker.send(Kind::Window, 0, first.id, &format!("{{\"bytes\":{}}}", 4 * CHUNK), b"").await;
    loop {
        let frame = worker.receive().await;
        received.extend_from_slice(&frame.body);
        if frame.flags & MORE == 0 {
            break;
        }
    }
    assert_eq!(received, body);
}

#[tokio::test]
async fn a_long_result_is_passed_on_as_its_reader_takes_it() {
    let (connection, _loading, _, mut worker) = pair();
    let mut handle = call(&connection, Bytes::new());
    let id = worker.receive().await.id;
    worker.send(Kind::Result, MORE, id, r#"{"status":200,"type":"bytes"}"#, &[1; CHUNK]).await;
    for n in 2..=20 {
        let flags = if n == 20 { ANSWER } else { ANSWER | MORE };
        worker.send(Kind::Data, flags, id, "", &[n; 100]).await;
    }
    let mut outcome = handle.outcome().await.expect("an answer");
    assert!(outcome.body.whole().is_none());
    let mut length = 0;
    while let Some(chunk) = outcome.body.next().await {
        length += chunk.expect("whole").remaining();
    }
    assert_eq!(length, CHUNK + 19 * 100);
    connection.settled().await;
    let granted = worker.receive().await;
    assert_eq!((granted.kind, granted.flags, granted.id), (Kind::Window, ANSWER, id));
}

/// Notes that the head of the response was out.
struct Noting(Arc<std::sync::atomic::AtomicBool>);

impl Credit for Noting {
    fn head_is_out(&mut self) -> Option<OwnedSemaphorePermit> {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        None
    }
}

#[tokio::test]
async fn a_call_learns_that_the_head_of_its_response_is_out() {
    let (connection, _loading, _, mut worker) = pair();
    let out = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut handle = connection.call(event(Bytes::new()), Box::new(Noting(Arc::clone(&out))));
    let id = worker.receive().await.id;
    assert!(!out.load(std::sync::atomic::Ordering::Relaxed));
    worker.send(Kind::Result, MORE, id, r#"{"status":200,"type":"text","stream":true}"#, b"a").await;
    let _outcome = handle.outcome().await.expect("a response");
    assert!(out.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(connection.running(), 1, "the call goes on until the end of its body");
}

#[tokio::test]
async fn an_abandoned_result_lets_the_worker_go_on() {
    let (connection, _loading, _, mut worker) = pair();
    let mut handle = call(&connection, Bytes::new());
    let id = worker.receive().await.id;
    worker.send(Kind::Result, MORE, id, r#"{"status":200,"type":"bytes"}"#, &[1; CHUNK]).await;
    drop(handle.outcome().await.expect("an answer"));
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(worker.receive().await.kind);
    }
    assert!(kinds.contains(&Kind::Cancel), "{kinds:?}");
    for _ in 0..40 {
        worker.send(Kind::Data, ANSWER | MORE, id, "", &[1; CHUNK]).await;
    }
    worker.send(Kind::Data, ANSWER, id, "", b"").await;
    connection.settled().await;
}

#[tokio::test]
async fn a_body_that_is_coming_waits_for_its_window_and_can_be_given_up() {
    let (connection, _loading, _, mut worker) = pair();
    let (mut handle, body) = call_open(&connection);
    let first = worker.receive().await;
    assert_eq!((first.kind, first.flags, first.body.len()), (Kind::Call, MORE, 0));
    body.send(vec![1; WINDOW].into()).await.expect("there is room");
    let mut received = 0;
    while received < WINDOW {
        let frame = worker.receive().await;
        assert_eq!((frame.kind, frame.flags), (Kind::Data, MORE));
        received += frame.body.len();
    }
    {
        let mut more = std::pin::pin!(body.send(vec![2; 5].into()));
        assert!(more.as_mut().now_or_never().is_none(), "no further without a window");
        worker.send(Kind::Window, 0, first.id, r#"{"bytes":5}"#, b"").await;
        more.await.expect("there is room again");
    }
    assert_eq!(worker.receive().await.body.len(), 5);
    body.finish();
    let last = worker.receive().await;
    assert_eq!((last.kind, last.flags, last.body.len()), (Kind::Data, 0, 0));
    worker.send(Kind::Result, 0, first.id, r#"{"status":200}"#, b"").await;
    handle.outcome().await.expect("an answer");

    let (handle, body) = call_open(&connection);
    let id = worker.receive().await.id;
    drop((body, handle));
    assert_eq!((worker.receive().await.kind, worker.receive().await.kind), (Kind::Abort, Kind::Cancel));
    worker.send(Kind::Result, 0, id, r#"{"error":{"message":"broken off","code":"aborted"}}"#, b"").await;
    connection.settled().await;
}

#[tokio::test]
async fn nobody_waits_to_send_to_a_worker_that_ended() {
    let (connection, _loading, _, mut worker) = pair();
    let (mut handle, body) = call_open(&connection);
    worker.receive().await;
    let sending = async { body.send(vec![1; WINDOW + 1].into()).await };
    let (sent, ()) = tokio::join!(sending, async {
        tokio::task::yield_now().await;
        connection.end(End::Engine("enough".into()));
    });
    assert_eq!(sent, Err(NotWanted));
    assert!(handle.outcome().await.is_err());
}

#[tokio::test]
async fn a_result_that_is_broken_off_says_why() {
    let (connection, _loading, _, mut worker) = pair();
    let mut streamed = async || {
        let mut handle = call(&connection, Bytes::new());
        let id = worker.receive().await.id;
        worker.send(Kind::Result, MORE, id, r#"{"status":200,"type":"text","stream":true}"#, b"").await;
        worker.send(Kind::Data, ANSWER | MORE, id, "", b"a").await;
        let mut outcome = handle.outcome().await.expect("an answer");
        assert!(outcome.meta.stream);
        assert_eq!(outcome.body.next().await, Some(Ok(Bytes::from_static(b"a"))));
        (id, outcome.body)
    };
    let (failed, mut first) = streamed().await;
    let (unsaid, mut second) = streamed().await;
    let (_, mut third) = streamed().await;
    worker.send(Kind::Abort, ANSWER, failed, r#"{"error":{"message":"boom"}}"#, b"").await;
    assert_eq!(first.next().await, Some(Err(CutOff::Failed(Box::new(HandlerError::new("boom"))))));
    worker.send(Kind::Abort, ANSWER, unsaid, "", b"").await;
    assert_eq!(second.next().await, Some(Err(CutOff::Unsaid)));
    drop(worker);
    assert!(matches!(third.next().await, Some(Err(CutOff::Ended(_)))), "an end that does not look like one");
}

#[tokio::test]
async fn operations_keep_the_order_of_their_first_frames() {
    let (connection, _loading, host, mut worker) = pair();
    let _handle = call(&connection, Bytes::new());
    let id = worker.receive().await.id;
    let set = |key: &str| format!(r#"{{"op":"state.set","call":{id},"group":"g","key":"{key}"}}"#);
    worker.send(Kind::Op, MORE, 1, &set("long"), &[b'1'; MAX_INLINE_BODY]).await;
    worker.send(Kind::Op, 0, 2, &set("short"), b"1").await;
    worker.send(Kind::Op, MORE, 3, &set("given up"), &[b'1'; 10]).await;
    worker.send(Kind::Op, 0, 4, &set("last"), b"1").await;
    worker.send(Kind::Data, 0, 1, "", b"22").await;
    worker.send(Kind::Abort, 0, 3, "", b"").await;
    let mut replies = Vec::new();
    while replies.len() < 3 {
        let frame = worker.receive().await;
        if frame.kind == Kind::Reply {
            assert_eq!(&frame.meta[..], br#"{"error":{"code":"no","message":"not here"}}"#);
            replies.push(frame.id);
        }
    }
    let keys: Vec<_> =
        host.asked.lock().iter().map(|asked| asked.split('"').nth(3).unwrap_or_default().to_owned()).collect();
    assert_eq!(keys, ["long", "short", "last"]);
    assert!(host.asked.lock()[0].ends_with(&(MAX_INLINE_BODY + 2).to_string()));
}

#[tokio::test]
async fn late_operations_and_logs_name_their_step() {
    let (_connection, _loading, host, mut worker) = pair();
    let late = r#""call":9,"trace":"ABCDE-1234567","step":"steps/a.step.ts""#;
    worker.send(Kind::Op, 0, 1, &format!(r#"{{"op":"state.get","group":"g","key":"k",{late}}}"#), b"").await;
    assert_eq!(&worker.receive().await.body[..], b"5");
    assert_eq!(host.asked.lock()[0], r#"late steps/a.step.ts State(Get("g", "k")) 0"#);
    worker.send(Kind::Op, 0, 2, r#"{"op":"state.get","group":"g","key":"k","call":9}"#, b"").await;
    let refused = worker.receive().await;
    assert!(std::str::from_utf8(&refused.meta).expect("text").contains("unknown-call"));
    worker.send(Kind::Log, 0, 0, r#"{"level":"warn","message":"m"}"#, b"{}").await;
    worker.send(Kind::Op, 0, 3, &format!(r#"{{"op":"state.getGroup","group":"g",{late}}}"#), b"").await;
    assert_eq!(worker.receive().await.flags, MORE, "a long answer is cut too");
    assert_eq!(*host.logged.lock(), [(Level::Warn, "m".into(), false)]);
}

#[tokio::test]
async fn the_end_of_a_worker_answers_every_call_and_a_breach_ends_it() {
    let (connection, mut loading, _, worker) = pair();
    let mut handle = call(&connection, Bytes::new());
    drop(worker);
    let error = handle.outcome().await.expect_err("no answer");
    assert!(matches!(error, CallError::WorkerEnded { .. }), "{error}");
    assert!(loading.recv().await.is_none());
    let mut late = call(&connection, Bytes::new());
    assert!(late.outcome().await.is_err(), "a call on an ended connection is answered too");

    let (connection, _loading, _, mut worker) = pair();
    let mut handle = call(&connection, Bytes::new());
    worker.stream.write_all(&[1, 0, 0, 0, 9]).await.expect("written");
    let error = handle.outcome().await.expect_err("no answer").to_string();
    assert!(error.contains("it broke the protocol: a frame of 1 bytes"), "{error}");
    assert!(matches!(connection.ended().await, End::Worker(_)));
}
