//! Streams over plain HTTP, and as Server-Sent Events.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Engine, Project};

const STREAMS: [(&str, &str); 3] = [
    ("steps/board.stream.ts", "export const config = { name: 'board', schema: {} }"),
    (
        "steps/mine.stream.ts",
        "export const config = { name: 'mine', schema: {}, canAccess: ({ groupId }, context) => groupId === context?.user }",
    ),
    (
        "steps/set.step.ts",
        "export const config = { type: 'api', name: 'Set', path: '/set/:stream/:group/:id', method: 'POST' }
         export const handler = async ({ pathParams: { stream, group, id }, body }, { streams }) => {
           return { status: 200, body: await streams[stream].set(group, id, body) }
         }",
    ),
];

const AUTH: (&str, &str) = (
    "motia.config.mjs",
    "export default { streamAuth: { contextSchema: {}, authenticate: ({ headers }) => {
       const token = headers.authorization?.split(' ')[1]
       if (token === 'bad') throw new Error('No such token')
       return token ? { user: token } : null
     } } }",
);

fn set(engine: &Engine, path: &str, n: i64) {
    assert_eq!(engine.post(&format!("/set/{path}"), &json!({ "n": n }).to_string()).status, 200);
}

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().expect("a list").iter().map(|item| item["n"].as_i64().expect("a number")).collect()
}

#[test]
fn a_stream_is_read_by_group_and_item_and_listed_where_that_is_allowed() {
    let project = Project::new(&STREAMS);
    let engine = project.dev();
    for (path, n) in [("board/g/1", 1), ("board/g/2", 2), ("board/h%2Fh/3", 3)] {
        set(&engine, path, n);
    }
    let item = engine.get("/api/streams/board/g/1");
    assert_eq!((item.status, item.json()["id"].as_str()), (200, Some("1")));
    assert_eq!(numbers(&engine.get("/api/streams/board/g").json()), [1, 2]);
    assert_eq!(numbers(&engine.get("/api/streams/board/h%2Fh").json()), [3]);
    assert_eq!(engine.get("/api/streams/board/nothing").json(), json!([]));
    assert_eq!(engine.get("/api/streams/board/g/9").status, 404);
    assert_eq!(engine.get("/api/streams/nope").status, 404);
    // As tutorials do it: everything, and an item of which the group is not said.
    assert_eq!(numbers(&engine.get("/api/streams/board").json()), [1, 2, 3]);
    assert_eq!(engine.get("/api/streams/board/3").json()["n"], 3);
    let from = |header: (&str, &str)| engine.client().request("GET", "/api/streams/board/g", &[header], b"").status;
    assert_eq!(from(("origin", "http://localhost:5173")), 200);
    assert_eq!(from(("origin", "https://evil.example")), 403);
    // A name that was made to point here. The second of two names is the one that counts, or the request is refused.
    let mut stream = engine.client().connect();
    stream
        .write_all(b"GET /api/streams/board/g HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n")
        .expect("sent");
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).expect("a line");
    assert!(status.contains("403"), "{status}");
    drop(engine);

    let engine = project.start();
    let refused = engine.get("/api/streams/board");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("streams.list"), "{}", refused.text());
    assert_eq!(engine.get("/api/streams/board/3").json(), json!([]));
    let answer = engine.client().request("GET", "/api/streams/board/g", &[("origin", "https://a.example")], b"");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    drop(engine);
    project.write("motia.config.mjs", "export default { streams: { list: true } }");
    project.write(
        "steps/own.step.ts",
        "export const config = { type: 'api', name: 'Own', path: '/api/streams/board/g', method: 'GET' }
         export const handler = async () => ({ status: 200, body: { own: true } })",
    );
    let engine = project.start();
    assert_eq!(numbers(&engine.get("/api/streams/board").json()), [1, 2, 3]);
    assert_eq!(engine.get("/api/streams/board/g").json(), json!({ "own": true }));
}

#[test]
fn reads_go_by_the_same_rules_as_joins() {
    let project = Project::new(&[STREAMS[0], STREAMS[1], STREAMS[2], AUTH]);
    let engine = project.dev();
    set(&engine, "mine/ada/1", 1);
    let as_user = |path: &str, token: &str| {
        engine.client().request("GET", path, &[("authorization", &format!("Bearer {token}"))], b"")
    };
    assert_eq!(numbers(&as_user("/api/streams/mine/ada", "ada").json()), [1]);
    assert_eq!(as_user("/api/streams/mine/ada/1", "ada").json()["n"], 1);
    let bad = as_user("/api/streams/mine/ada", "bad");
    assert_eq!((bad.status, bad.text()), (401, "Authentication failed".to_owned()));
    for (path, token) in [("mine/ada", "bob"), ("mine/ada/1", "bob"), ("mine", "ada"), ("mine/1", "ada")] {
        assert_eq!(as_user(&format!("/api/streams/{path}"), token).status, 403, "{path}");
    }
    project.write("motia.config.mjs", "export default { streams: { default: 'deny' } }");
    engine.wait_for("[RELOADED]");
    assert_eq!(engine.get("/api/streams/board/g").status, 403);
    assert_eq!(engine.get("/api/streams/board").status, 403);
}

/// Somebody who reads events.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(engine: &Engine, path: &str, last: Option<&str>) -> Self {
        let mut stream = engine.client().connect();
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        let mut events = Self(BufReader::new(stream));
        let head: Vec<_> = std::iter::from_fn(|| Some(events.line()).filter(|line| !line.is_empty())).collect();
        assert!(head[0].contains("200"), "{head:?}");
        assert!(head.iter().any(|line| line == "content-type: text/event-stream; charset=utf-8"), "{head:?}");
        events
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// The next event, with its id.
    fn next(&mut self) -> (String, Value) {
        let mut id = String::new();
        loop {
            let line = self.line();
            if let Some(text) = line.strip_prefix("id: ") {
                text.clone_into(&mut id);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return (id, serde_json::from_str(data).expect("JSON"));
            }
        }
    }
}

#[test]
fn changes_come_as_events_and_a_reader_that_comes_back_misses_none() {
    let project = Project::new(&STREAMS);
    let engine = project.dev();
    set(&engine, "board/g/1", 1);
    let mut events = Events::open(&engine, "/api/streams/board/g", None);
    let (first, sync) = events.next();
    assert_eq!(sync["event"]["type"], "sync");
    set(&engine, "board/g/1", 2);
    let (second, update) = events.next();
    assert_eq!((&update["event"]["type"], &update["event"]["data"]["n"]), (&json!("update"), &json!(2)));
    assert_ne!(first, second);
    drop(events);
    set(&engine, "board/g/2", 3);
    let mut events = Events::open(&engine, "/api/streams/board/g", Some(&second));
    assert_eq!(events.next().1["event"]["data"]["n"], 3);
    assert_eq!(events.next().1["event"]["type"], "resumed");
    let mut item = Events::open(&engine, "/api/streams/board/g/2", None);
    assert_eq!(item.next().1["event"]["data"]["n"], 3);
    set(&engine, "board/g/1", 4);
    set(&engine, "board/g/2", 5);
    assert_eq!(item.next().1["event"]["data"]["n"], 5);
    let mut unknown = Events::open(&engine, "/api/streams/board/g", Some("nothing:7"));
    assert_eq!(unknown.next().1["event"]["gap"], true);
    engine.signal("TERM");
    let began = std::time::Instant::now();
    assert!(engine.wait().0.success());
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "readers do not hold up the stop");
}
