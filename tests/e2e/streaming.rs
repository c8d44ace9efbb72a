//! Responses that come bit by bit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::{Client, Engine, Project, eventually, send_signal};

/// `GET /stream/<what>`, and `POST /go` by which the first goes on.
const STREAM: &str = "
    export const config = { type: 'api', name: 'Stream', path: '/stream/:what', method: 'GET', emits: [] }
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    const gone = async (state) => { while (!(await state.get('stream', 'go'))) await wait(5) }
    async function* events({ state, signal, logger }) {
      try {
        yield 'data: 1\\n\\n'
        await gone(state)
        await state.set('stream', 'written', true)
        yield 'data: 2\\n\\n'
      } finally {
        logger.info(`over, aborted: ${signal.aborted}`)
      }
    }
    async function* flood({ state }) {
      for (let n = 1; ; n++) {
        await state.set('stream', 'pulled', n)
        yield Buffer.alloc(65536)
      }
    }
    async function* hangs() { yield 'a'; await new Promise(() => {}) }
    async function* fails() { yield 'a'; await new Promise((done) => setTimeout(done, 200)); throw new TypeError('boom') }
    const kinds = { events, flood, hangs, fails }
    const headers = { events: { 'content-type': 'text/event-stream' } }
    export const handler = async (req, ctx) => {
      const what = req.pathParams.what
      return { status: 200, headers: headers[what], body: kinds[what](ctx) }
    }";

const GO: &str = "
    export const config = { type: 'api', name: 'Go', path: '/go', method: 'POST' }
    export const handler = async (req, { state }) => { await state.set('stream', 'go', true); return { status: 204 } }";

const SEEN: &str = "
    export const config = { type: 'api', name: 'Seen', path: '/seen/:key', method: 'GET' }
    export const handler = async (req, { state }) =>
      ({ status: 200, body: { value: (await state.get('stream', req.pathParams.key)) ?? null } })";

fn project() -> Project {
    Project::new(&[
        ("steps/stream.step.ts", STREAM),
        ("steps/go.step.ts", GO),
        ("steps/seen.step.ts", SEEN),
        ("motia.config.ts", "export default { timeouts: { idle: 0.5 }, shutdownTimeout: 0.2 }"),
    ])
}

/// A response that is read as it comes.
struct Reading {
    stream: BufReader<TcpStream>,
    head: String,
}

impl Reading {
    fn get(client: Client, path: &str) -> Self {
        let mut stream = client.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
        let mut reading = Self { stream: BufReader::new(stream), head: String::new() };
        while !reading.head.ends_with("\r\n\r\n") {
            let read = reading.stream.read_line(&mut reading.head).expect("a line");
            assert_ne!(read, 0, "the connection ended after {}", reading.head);
        }
        reading
    }

    /// The next chunk; `None` if the connection ends where one should be. The last one is empty.
    fn chunk(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let length = usize::from_str_radix(line.trim(), 16).expect("a length");
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).ok()?;
        chunk.truncate(length);
        Some(String::from_utf8(chunk).expect("text"))
    }
}

fn seen(engine: &Engine, key: &str) -> serde_json::Value {
    engine.get(&format!("/seen/{key}")).json()["value"].clone()
}

#[test]
fn chunks_leave_at_once_and_the_call_lives_until_the_end() {
    let project = project();
    let engine = project.dev();
    let mut reading = Reading::get(engine.client(), "/stream/events");
    for header in [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "cache-control: no-cache",
        "x-accel-buffering: no",
        "x-trace-id: ",
    ] {
        assert!(reading.head.contains(header), "{header}: {}", reading.head);
    }
    // The handler waits for the second request: the first chunk did not.
    assert_eq!(reading.chunk().as_deref(), Some("data: 1\n\n"));
    assert_eq!(engine.post("/go", "").status, 204);
    assert_eq!(reading.chunk().as_deref(), Some("data: 2\n\n"));
    assert_eq!(reading.chunk().as_deref(), Some(""));
    engine.wait_for("Stream over, aborted: false");
    assert_eq!(seen(&engine, "written"), true);
}

#[test]
fn a_client_that_goes_away_ends_the_stream() {
    let project = project();
    let engine = project.dev();
    let mut reading = Reading::get(engine.client(), "/stream/events");
    assert!(reading.chunk().is_some());
    drop(reading);
    assert_eq!(engine.post("/go", "").status, 204);
    engine.wait_for("Stream over, aborted: true");
}

#[test]
fn head_of_a_stream_has_no_body_and_ends_it() {
    let project = project();
    let engine = project.dev();
    assert_eq!(engine.post("/go", "").status, 204);
    let answer = engine.client().request("HEAD", "/stream/events", &[], b"");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (None, None));
    engine.wait_for("Stream over, aborted: true");
}

#[test]
fn a_client_that_does_not_read_stops_the_stream() {
    let project = project();
    let engine = project.dev();
    let reading = Reading::get(engine.client(), "/stream/flood");
    assert!(reading.head.contains("content-type: application/octet-stream"), "{}", reading.head);
    let mut last = seen(&engine, "pulled");
    eventually("it stops", || {
        thread::sleep(Duration::from_millis(200));
        let now = seen(&engine, "pulled");
        let stopped = now == last && !now.is_null();
        last = now;
        stopped.then_some(())
    });
    // The window, and what the system keeps for a connection.
    assert!(last.as_u64().expect("a number") < 400, "{last} chunks of 64 KiB");
}

#[test]
fn a_stream_that_fails_cuts_the_connection() {
    let project = project();
    let engine = project.dev();
    let mut reading = Reading::get(engine.client(), "/stream/fails");
    assert!(reading.head.contains("content-type: text/plain; charset=utf-8"), "{}", reading.head);
    assert_eq!(reading.chunk().as_deref(), Some("a"));
    assert_eq!(reading.chunk(), None, "no end that looks like one");
    let trace = reading.head.split("x-trace-id: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a trace");
    let line = engine.wait_for("failed while its response was sent; the client's connection was cut: TypeError: boom");
    assert!(line.contains(&format!("{trace} [ERROR] Stream")), "{line}");
}

#[test]
fn a_stream_that_falls_silent_is_cancelled() {
    let project = project();
    let engine = project.dev();
    let mut reading = Reading::get(engine.client(), "/stream/hangs");
    assert_eq!(reading.chunk().as_deref(), Some("a"));
    assert_eq!(reading.chunk(), None);
    engine.wait_for("Stream sent nothing of its response for 0.5 s and was cancelled (timeouts.idle)");
}

#[test]
fn the_end_of_a_worker_cuts_its_streams() {
    let project = project();
    let engine = project.dev();
    let mut reading = Reading::get(engine.client(), "/stream/events");
    assert!(reading.chunk().is_some());
    send_signal(engine.worker_pid().into(), "KILL");
    assert_eq!(reading.chunk(), None, "no end that looks like one");
    engine.wait_for(
        "Stream could not send the rest of its response; the client's connection was cut: the node worker ended",
    );
}

#[test]
fn a_stream_has_until_the_deadline_of_a_stop() {
    let project = project();
    let engine = project.dev();
    let mut reading = Reading::get(engine.client(), "/stream/events");
    assert!(reading.chunk().is_some());
    engine.signal("TERM");
    assert_eq!(reading.chunk(), None);
    let (status, output) = engine.wait();
    assert!(status.success(), "{output}");
    assert!(output.contains("calls were still running 0.2 s after the stop"), "{output}");
}
