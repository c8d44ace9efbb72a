//! Clients that are slow, many, broken or hostile.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::http::read_answer;
use crate::support::{Engine, Project};

/// Says how many bytes of a body came, and counts its runs.
const TAKE: &str = "
    export const config = { type: 'api', name: 'Take', path: '/take', method: 'POST' }
    export const handler = async (req, { logger }) => {
      const body = typeof req.body === 'string' ? req.body : JSON.stringify(req.body)
      logger.info(`took ${body.length}`)
      return { status: 200, body: { length: body.length, host: req.headers.host, last: body.slice(-1) } }
    }";

const HELLO: &str = "
    export const config = { type: 'api', name: 'Hello', path: '/hello', method: 'GET' }
    export const handler = async (req) => ({ status: 200, headers: { 'keep-alive': 'x' }, body: { host: req.headers.host } })";

fn project() -> Project {
    Project::new(&[
        ("steps/take.step.ts", TAKE),
        ("steps/hello.step.ts", HELLO),
        ("motia.config.ts", "export default { bodyLimit: '64mb' }"),
    ])
}

const HELLO_REQUEST: &str = "GET /hello HTTP/1.1\r\nhost: second\r\n\r\n";

fn take(headers: &str, body: &str) -> String {
    format!("POST /take HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n{headers}\r\n{body}")
}

/// The statuses of all answers to what is sent, until the connection ends or falls silent.
fn statuses(engine: &Engine, sent: &str) -> Vec<u16> {
    let mut stream = engine.client().connect();
    // The answer may come before everything is sent.
    let _ = stream.write_all(sent.as_bytes());
    stream.set_read_timeout(Some(Duration::from_millis(400))).expect("a timeout");
    let mut answered = Vec::new();
    let mut scratch = [0; 4096];
    while let Ok(read) = stream.read(&mut scratch)
        && read > 0
    {
        answered.extend_from_slice(&scratch[..read]);
    }
    let text = String::from_utf8_lossy(&answered);
    text.split("HTTP/1.").skip(1).map(|answer| answer[2..5].parse().expect("a status")).collect()
}

#[test]
fn a_request_that_could_mean_two_things_runs_no_second_handler() {
    let project = project();
    let engine = project.dev();
    let chunked = "3\r\nabc\r\n0\r\n\r\n";
    // Each is followed by a second request: whoever takes the body for something else would run it, or a part of it.
    for (what, headers, body, expected) in [
        ("a body, and a second request", "content-length: 3\r\n", "abc", &[200, 200][..]),
        ("chunks, and a second request", "transfer-encoding: chunked\r\n", chunked, &[200, 200]),
        ("chunks with an extension", "transfer-encoding: chunked\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n", &[200, 200]),
        ("chunks with trailers", "transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n", &[200, 200]),
        // Chunks count more than a length, and the connection ends (RFC 9112, 6.1).
        ("chunks and a length", "transfer-encoding: chunked\r\ncontent-length: 3\r\n", chunked, &[200]),
        ("a length and chunks", "content-length: 3\r\ntransfer-encoding: chunked\r\n", chunked, &[200]),
        ("two lengths", "content-length: 3\r\ncontent-length: 0\r\n", "abc", &[400]),
        ("a list of lengths", "content-length: 3, 3\r\n", "abc", &[400]),
        ("a signed length", "content-length: +3\r\n", "abc", &[400]),
        ("a negative length", "content-length: -3\r\n", "abc", &[400]),
        ("a length with a space", "content-length: 3 0\r\n", "abc", &[400]),
        ("a hexadecimal length", "content-length: 0x3\r\n", "abc", &[400]),
        ("a length that overflows", "content-length: 18446744073709551619\r\n", "abc", &[400]),
        ("a folded header", "x-a: 1\r\n 2\r\ncontent-length: 3\r\n", "abc", &[400]),
        ("a folded coding", "transfer-encoding:\r\n chunked\r\ncontent-length: 3\r\n", "abc", &[400]),
        ("identity", "transfer-encoding: identity\r\ncontent-length: 3\r\n", "abc", &[400]),
        ("no such coding", "transfer-encoding: xchunked\r\n", chunked, &[400]),
        ("chunked is not the last", "transfer-encoding: chunked, identity\r\n", chunked, &[400]),
        ("chunked is not all", "transfer-encoding: gzip, chunked\r\n", chunked, &[501]),
        ("chunked twice", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", chunked, &[501]),
        ("a control character before chunked", "transfer-encoding: \u{b}chunked\r\n", chunked, &[400]),
        ("a chunk that overflows", "transfer-encoding: chunked\r\n", "10000000000000003\r\nabc\r\n0\r\n\r\n", &[400]),
        ("a signed chunk", "transfer-encoding: chunked\r\n", "+3\r\nabc\r\n0\r\n\r\n", &[400]),
        ("a chunk with 0x", "transfer-encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n", &[400]),
        ("chunks with bare line feeds", "transfer-encoding: chunked\r\n", "3\nabc\n0\n\n", &[400]),
        ("a line feed in an extension", "transfer-encoding: chunked\r\n", "3;a\nabc\r\n0\r\n\r\n", &[400]),
        ("a chunk that is longer than it says", "transfer-encoding: chunked\r\n", "3\r\nabcd\r\n0\r\n\r\n", &[400]),
        ("NUL in a value", "x-a: a\0b\r\ncontent-length: 3\r\n", "abc", &[400]),
        ("NUL in a name", "x\0a: a\r\ncontent-length: 3\r\n", "abc", &[400]),
        ("a space before the colon", "content-length : 3\r\n", "abc", &[400]),
        ("two hosts", "host: y\r\ncontent-length: 3\r\n", "abc", &[400]),
    ] {
        let sent = take(headers, body) + HELLO_REQUEST;
        assert_eq!(statuses(&engine, &sent), expected, "{what}");
    }
}

#[test]
fn a_head_that_is_none_is_answered_or_the_connection_ends() {
    let project = project();
    let engine = project.dev();
    let long = |length| "a".repeat(length);
    for (what, sent, expected) in [
        ("bare line feeds", "GET /hello HTTP/1.1\nhost: x\n\n".to_owned(), &[200][..]),
        ("bare carriage returns", "GET /hello HTTP/1.1\rhost: x\r\r".into(), &[400]),
        ("no host", "GET /hello HTTP/1.1\r\n\r\n".into(), &[400]),
        ("HTTP/1.0 needs none", "GET /hello HTTP/1.0\r\n\r\n".into(), &[200]),
        ("HTTP/1.0 has no chunks", "POST /take HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".into(), &[400]),
        ("HTTP/0.9", "GET /hello\r\n\r\n".into(), &[400]),
        ("HTTP/1.2", "GET /hello HTTP/1.2\r\nhost: x\r\n\r\n".into(), &[400]),
        ("a method that is none", "G{T /hello HTTP/1.1\r\nhost: x\r\n\r\n".into(), &[400]),
        ("a method that nobody has", "BREW /hello HTTP/1.1\r\nhost: x\r\n\r\n".into(), &[404]),
        ("CONNECT", "CONNECT other:443 HTTP/1.1\r\nhost: other:443\r\n\r\n".into(), &[404]),
        ("a control character in the target", "GET /a\u{1}b HTTP/1.1\r\nhost: x\r\n\r\n".into(), &[400]),
        ("a space in the target", "GET /a b HTTP/1.1\r\nhost: x\r\n\r\n".into(), &[400]),
        ("a long target", format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", long(70_000)), &[414]),
        ("a longer head", format!("GET /hello HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", long(400_000)), &[431]),
        ("many headers", format!("GET /hello HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: 1\r\n".repeat(600)), &[431]),
        ("the beginning of TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".into(), &[400]),
        (
            "an upgrade that is not taken",
            "GET /hello HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n".into(),
            &[200],
        ),
        ("a body that waits for a sign", take("content-length: 3\r\nexpect: 100-continue\r\n", "abc"), &[100, 200]),
        (
            "a body that is refused needs no sign",
            take("content-length: 99999999\r\nexpect: 100-continue\r\n", ""),
            &[413],
        ),
        ("a body that stops", take("content-length: 9\r\n", "abc"), &[]),
        ("pipelined requests", HELLO_REQUEST.repeat(20), &[200; 20]),
    ] {
        assert_eq!(statuses(&engine, &sent), expected, "{what}");
    }
    assert_eq!(engine.get("/hello").status, 200);
}

#[test]
fn the_host_of_the_target_counts_more() {
    let project = project();
    let engine = project.dev();
    let mut stream = engine.client().connect();
    stream.write_all(b"GET http://other:80/hello HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let answer = read_answer(&mut BufReader::new(stream), false).expect("an answer");
    assert_eq!(answer.text(), r#"{"host":"other:80"}"#);
}

#[test]
fn a_long_body_arrives_whole_and_the_engine_does_not_hold_it() {
    let project = project();
    let engine = project.dev();
    let body = vec![b'a'; 60 << 20];
    let small = engine.client().request("POST", "/take", &[("content-type", "text/plain")], b"ab");
    assert_eq!(small.json()["length"], 2);
    let before = peak_kib(engine.pid());
    let answer = engine.client().request("POST", "/take", &[("content-type", "text/plain")], &body);
    assert_eq!(answer.json()["length"], body.len());
    let grown = peak_kib(engine.pid()) - before;
    // How much the allocator keeps of what has passed through varies.
    assert!(grown < 40 << 10, "{grown} KiB more");
    // Of unknown length, in chunks that are cut anywhere.
    let mut chunked = Vec::new();
    for piece in body[..3 << 20].chunks(99_999) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let headers = [("content-type", "text/plain"), ("transfer-encoding", "chunked")];
    assert_eq!(engine.client().request("POST", "/take", &headers, &chunked).json()["length"], 3 << 20);
}

/// The most memory that a process ever had; 0 where the system does not say.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
fn a_body_that_turns_out_too_long_is_refused_while_its_client_sends() {
    let project =
        Project::new(&[("steps/take.step.ts", TAKE), ("motia.config.ts", "export default { bodyLimit: '1mb' }")]);
    let engine = project.dev();
    let mut chunked = Vec::new();
    for _ in 0..40 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.resize(chunked.len() + 65_536, b'a');
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let headers = [("content-type", "text/plain"), ("transfer-encoding", "chunked")];
    let answer = engine.client().request("POST", "/take", &headers, &chunked);
    assert_eq!(answer.status, 413);
    assert_eq!(answer.text(), r#"{"error":"the body is larger than 1048576 bytes (bodyLimit in motia.config)"}"#);
    let line = engine.wait_for("a request was refused: the body is larger");
    assert!(line.contains(answer.header("x-trace-id").expect("a trace")), "{line}");
    assert!(!engine.output().contains("took"), "no handler ran");
    // Its place is free again, and the connection of its worker is sound.
    assert_eq!(engine.client().request("POST", "/take", &headers, b"1\r\na\r\n0\r\n\r\n").json()["length"], 1);
}

#[test]
fn a_client_that_leaves_inside_a_long_body_runs_no_handler() {
    let project = project();
    let engine = project.dev();
    let mut stream = engine.client().connect();
    stream.write_all(take("content-length: 2000000\r\n", "").as_bytes()).expect("sent");
    stream.write_all(&vec![b'a'; 700_000]).expect("sent");
    thread::sleep(Duration::from_millis(100));
    stream.shutdown(Shutdown::Both).expect("closed");
    drop(stream);
    assert_eq!(engine.client().request("POST", "/take", &[("content-type", "text/plain")], b"ab").json()["length"], 2);
    thread::sleep(Duration::from_millis(200));
    let took: Vec<_> = engine.output().lines().filter(|line| line.contains("took")).map(str::to_owned).collect();
    assert_eq!(took.len(), 1, "{took:?}");
}

#[test]
fn a_body_that_drips_is_given_up() {
    let project = project();
    let engine = project.dev();
    let mut stream = engine.client().connect();
    stream.write_all(take("content-length: 1000\r\n", "").as_bytes()).expect("sent");
    let mut drip = stream.try_clone().expect("cloned");
    let dripping = thread::spawn(move || {
        // Ends by itself: the connection is closed, or nobody does so.
        for _ in 0..300 {
            if drip.write_all(b"a").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
    let answer = read_answer(&mut BufReader::new(stream), false).expect("an answer");
    assert_eq!(answer.status, 408);
    assert!(answer.text().starts_with(r#"{"error":"the body came too slowly: "#), "{}", answer.text());
    dripping.join().expect("ended");
}

#[test]
fn a_request_that_runs_long_is_said() {
    let project = Project::new(&[(
        "steps/long.step.ts",
        "export const config = { type: 'api', name: 'Long', path: '/long', method: 'GET' }
         export const handler = async () => { await new Promise((r) => setTimeout(r, 31_000)); return { status: 204 } }",
    )]);
    let engine = project.dev();
    assert_eq!(engine.get("/long").status, 204);
    let line = engine.wait_for("GET /long has been running for 30 s");
    assert!(line.contains("[WARN] Long"), "{line}");
}

#[test]
fn a_body_that_is_on_its_way_at_the_stop_is_let_finish() {
    let project = project();
    let engine = project.dev();
    let mut stream = engine.client().connect();
    stream.write_all(take("content-length: 6\r\n", "abc").as_bytes()).expect("sent");
    thread::sleep(Duration::from_millis(200));
    engine.signal("TERM");
    engine.wait_for("no further work is taken");
    thread::sleep(Duration::from_millis(200));
    stream.write_all(b"def").expect("sent");
    let answer = read_answer(&mut BufReader::new(stream), false).expect("an answer");
    assert_eq!((answer.status, &answer.json()["length"]), (200, &6.into()));
    let (status, output) = engine.wait();
    assert!(status.success(), "{output}");
}

#[test]
fn readiness_is_true() {
    let project = Project::new(&[(
        "steps/hello.step.ts",
        "import { existsSync } from 'node:fs'
         while (existsSync('hold')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
         export const config = { type: 'api', name: 'Hello', path: '/hello', method: 'GET' }
         export const handler = async () => ({ status: 200, body: {} })",
    )]);
    let engine = project.start();
    assert_eq!(engine.get("/readyz").text(), r#"{"status":"ok"}"#);
    // The next worker does not come up while this is there.
    let children = Command::new("pgrep").args(["-P", &engine.pid().to_string()]).output().expect("pgrep runs");
    project.write("hold", "");
    for pid in String::from_utf8_lossy(&children.stdout).lines() {
        crate::support::send_signal(pid.parse().expect("a pid"), "KILL");
    }
    let answer =
        crate::support::eventually("it is not ready", || Some(engine.get("/readyz")).filter(|a| a.status == 503));
    assert_eq!(answer.text(), r#"{"status":"unavailable","error":"no node worker serves"}"#);
    assert_eq!(engine.get("/healthz").text(), r#"{"status":"ok"}"#);
    project.remove("hold");
    crate::support::eventually("it is ready again", || (engine.get("/readyz").status == 200).then_some(()));
}

#[test]
fn many_connections_are_all_answered_and_no_more_than_allowed_are_open() {
    let project = project();
    let engine = project.start();
    let mut connections: Vec<TcpStream> = (0..900).map(|_| engine.client().connect()).collect();
    for connection in &mut connections {
        connection.write_all(HELLO_REQUEST.as_bytes()).expect("sent");
    }
    for connection in connections {
        assert_eq!(read_answer(&mut BufReader::new(connection), false).expect("an answer").status, 200);
    }
}

#[test]
fn connections_beyond_the_limit_wait_for_their_turn() {
    let project = project();
    let binary = env!("CARGO_BIN_EXE_motia");
    let mut engine = Command::new("sh")
        .args(["-c", &format!("ulimit -n 128; exec {binary} start --port 0 --host 127.0.0.1")])
        .current_dir(project.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = std::io::BufRead::lines(BufReader::new(engine.stdout.take().expect("piped")));
    let mut wait_for = |text: &str| {
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no line with {text}"))
    };
    wait_for("this process may open only 128 files, so at most 64 connections are served at a time");
    let ready = wait_for("http://");
    let port = ready.split("http://").nth(1).and_then(|url| url.split(':').nth(1)).expect("a port");
    let port: u16 = port.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a port");
    let client = crate::support::Client::new(port);
    let idle: Vec<TcpStream> = (0..64).map(|_| client.connect()).collect();
    let waiting = thread::spawn(move || client.request("GET", "/hello", &[], b"").status);
    wait_for("64 connections are open, and no more are accepted until some end");
    thread::sleep(Duration::from_millis(100));
    assert!(!waiting.is_finished());
    drop(idle);
    assert_eq!(waiting.join().expect("an answer"), 200);
    engine.kill().expect("killed");
    engine.wait().expect("ended");
}

#[test]
fn a_worker_may_open_as_many_files_as_the_engine_was_started_with() {
    // As the engine does it: `motia __worker <parent> <files> <program>`.
    let parent = std::process::id().to_string();
    let shell = Command::new(env!("CARGO_BIN_EXE_motia"))
        .args(["__worker", &parent, "77", "sh", "-c", "ulimit -Sn"])
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&shell.stdout).trim(), "77", "{}", String::from_utf8_lossy(&shell.stderr));
}

// ------------------------------------------------------------------------------------------------------------------ HTTP/2

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The headers of `GET <path>` for the host `h2`, by the static table.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).expect("short")];
    block.extend_from_slice(path.as_bytes());
    block.extend_from_slice(b"\x01\x02h2");
    block
}

fn read_frame(stream: &mut TcpStream) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

#[test]
fn http_2_is_served_by_prior_knowledge() {
    let project = project();
    let engine = project.dev();
    let mut stream = engine.client().connect();
    // In pieces: the first byte could still be a POST.
    for piece in [&PREFACE[..1], &PREFACE[1..]] {
        stream.write_all(piece).expect("sent");
        thread::sleep(Duration::from_millis(30));
    }
    let mut sent = frame(SETTINGS, 0, 0, &[]);
    sent.extend(frame(HEADERS, 0x5, 1, &get("/hello")));
    sent.extend(frame(HEADERS, 0x5, 3, &get("/nothing")));
    stream.write_all(&sent).expect("sent");
    let (mut heads, mut bodies, mut open) = (Vec::new(), Vec::new(), 2);
    while open > 0 {
        let (kind, flags, id, payload) = read_frame(&mut stream).expect("a frame");
        match kind {
            HEADERS => heads.push((id, payload)),
            DATA => bodies.push((id, String::from_utf8(payload).expect("text"))),
            _ => continue,
        }
        open -= usize::from(flags & 1);
    }
    heads.sort();
    bodies.sort();
    bodies.retain(|(_, text)| !text.is_empty());
    // `:status: 200` and `:status: 404` of the static table.
    assert_eq!(heads.iter().map(|(id, block)| (*id, block[0])).collect::<Vec<_>>(), [(1, 0x88), (3, 0x8d)]);
    assert_eq!(bodies, [(1, r#"{"host":"h2"}"#.to_owned()), (3, r#"{"error":"Not found"}"#.to_owned())]);
}

#[test]
fn resetting_http_2_streams_without_end_ends_the_connection() {
    let project = project();
    let engine = project.dev();
    let mut stream = engine.client().connect();
    let mut sent = PREFACE.to_vec();
    sent.extend(frame(SETTINGS, 0, 0, &[]));
    for n in 0..2000 {
        sent.extend(frame(HEADERS, 0x5, n * 2 + 1, &get("/hello")));
        sent.extend(frame(RST_STREAM, 0, n * 2 + 1, &[0, 0, 0, 8]));
    }
    let _ = stream.write_all(&sent);
    let mut last = None;
    while let Some((kind, _, _, payload)) = read_frame(&mut stream) {
        if kind == GOAWAY {
            last = Some(payload[7]);
        }
    }
    const ENHANCE_YOUR_CALM: u8 = 0xb;
    assert_eq!(last, Some(ENHANCE_YOUR_CALM));
    assert_eq!(engine.get("/hello").status, 200);
}
