//! Streams to those who watch, over real sockets. The original's own clients are in `stream_clients`.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::socket::Socket;
use crate::support::{Engine, Project, eventually, send_signal};

const BOARD: (&str, &str) = ("steps/board.stream.ts", "export const config = { name: 'board', schema: {} }");

/// `{"op", "group", "id", "data"}`; with `times`, as often, none awaited before the next.
const DO: (&str, &str) = (
    "steps/do.step.ts",
    "export const config = { type: 'api', name: 'Do', path: '/do', method: 'POST' }
     export const handler = async (req, { streams }) => {
       const { op, stream = 'board', group, id, data, times = 1 } = req.body
       if (op === 'send') await streams[stream].send(id ? { groupId: group, id } : { groupId: group }, data)
       if (op === 'delete') await streams[stream].delete(group, id)
       if (op === 'set') {
         const all = []
         for (let n = 0; n < times; n += 1) all.push(streams[stream].set(group, id, times > 1 ? { ...data, n } : data))
         await Promise.all(all)
       }
       return { status: 200, body: {} }
     }",
);

fn act(engine: &Engine, body: &Value) {
    let answer = engine.post("/do", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn set(engine: &Engine, group: &str, id: &str, data: &Value) {
    act(engine, &json!({ "op": "set", "group": group, "id": id, "data": data }));
}

fn without_time(mut event: Value) -> Value {
    event["data"].as_object_mut().expect("an item").remove("_createdAt").expect("a time");
    event
}

/// Whether the engine still serves others: a message of its own reaches a socket of its own.
fn assert_serves(engine: &Engine) {
    let mut other = Socket::open(engine.port);
    other.join("board", "others", None);
    assert_eq!(other.event()["type"], "sync");
    set(engine, "others", "1", &json!({ "n": 1 }));
    let kind = other.event()["type"].take();
    assert!(kind == "create" || kind == "update", "{kind}");
}

#[test]
fn who_watches_is_told_how_things_are_and_what_changes() {
    let project = Project::new(&[BOARD, DO]);
    let engine = project.dev();
    set(&engine, "g", "1", &json!({ "n": 1, "id": "other", "__motia": { "type": "state-stream" } }));
    let mut group = Socket::open(engine.port);
    group.join("board", "g", None);
    let first = group.next();
    assert_eq!((&first["streamName"], &first["groupId"]), (&json!("board"), &json!("g")));
    let item = &first["event"]["data"][0];
    assert_eq!((&item["n"], &item["id"]), (&json!(1), &json!("1")));
    assert!(item["_createdAt"].is_number() && item.get("__motia").is_none(), "{item}");
    let mut item = Socket::try_open(engine.port, "/any/path?x=1", &[]).expect("any path will do");
    item.join("board", "g", Some("2"));
    assert_eq!(item.event(), json!({ "type": "sync", "data": null }));
    set(&engine, "g", "2", &json!({ "n": 2 }));
    set(&engine, "g", "2", &json!({ "n": 3 }));
    set(&engine, "h", "2", &json!({ "n": 4 }));
    act(&engine, &json!({ "op": "send", "group": "g", "data": { "type": "typing", "data": { "by": "ada" } } }));
    act(&engine, &json!({ "op": "delete", "group": "g", "id": "2" }));
    act(&engine, &json!({ "op": "delete", "group": "g", "id": "2" }));
    let created = json!({ "type": "create", "data": { "n": 2, "id": "2" } });
    let updated = json!({ "type": "update", "data": { "n": 3, "id": "2" } });
    let deleted = json!({ "type": "delete", "data": { "n": 3, "id": "2" } });
    for expected in [&created, &updated] {
        assert_eq!(&without_time(group.event()), expected);
        assert_eq!(&without_time(item.event()), expected);
    }
    let sent = json!({ "type": "event", "event": { "type": "typing", "data": { "by": "ada" } } });
    assert_eq!(group.event(), sent);
    assert_eq!(without_time(group.event()), deleted);
    assert_eq!(without_time(item.event()), deleted);
    group.leave("board", "g", None);
    group.join("board", "empty", None);
    assert_eq!(group.event(), json!({ "type": "sync", "data": [] }));
    set(&engine, "g", "3", &json!({ "n": 5 }));
    assert!(group.is_quiet() && item.is_quiet());
}

#[test]
fn what_a_client_does_wrong_ends_its_own_connection_and_no_other() {
    let project = Project::new(&[BOARD, DO]);
    let engine = project.dev();
    let closes = |wrong: &dyn Fn(&mut Socket)| {
        let mut socket = Socket::open(engine.port);
        wrong(&mut socket);
        let closed = socket.closed();
        assert_serves(&engine);
        closed
    };
    let by = |code: u16, reason: &str| Some((code, reason.to_owned()));
    assert_eq!(closes(&|socket| socket.say("{\"type\":")), by(1007, "messages must be JSON"));
    assert_eq!(closes(&|socket| socket.say(vec![1_u8, 2, 3])), by(1003, "messages must be text"));
    let long = format!("\"{}\"", "x".repeat(100 << 10));
    assert_eq!(closes(&|socket| socket.say(long.as_str())), by(1009, "the message is too long"));
    // A frame that says that it has 100 MB, of which some come.
    let head = [0x81, 0xff, 0, 0, 0, 0, 6, 64, 0, 0, 1, 2, 3, 4];
    assert_eq!(closes(&|socket| socket.raw().write_all(&head).expect("sent")), by(1009, "the message is too long"));
    let latin = [0x81, 0x81, 0, 0, 0, 0, 0xff];
    assert_eq!(closes(&|socket| socket.raw().write_all(&latin).expect("sent")), by(1007, "the message is not UTF-8"));
    let unmasked = [0x81, 0x02, b'{', b'}'];
    let protocol = by(1002, "that is not the WebSocket protocol");
    assert_eq!(closes(&|socket| socket.raw().write_all(&unmasked).expect("sent")), protocol);
    let half_and_gone = |socket: &mut Socket| {
        socket.raw().write_all(&[0x81, 0xfe]).expect("sent");
        socket.raw().shutdown(std::net::Shutdown::Write).expect("shut");
    };
    assert_eq!(closes(&half_and_gone), None);
    let flood = |socket: &mut Socket| (0..25_000).for_each(|_| socket.say("{}"));
    assert_eq!(closes(&flood), by(4029, "too many messages"));
}

#[test]
fn what_a_client_asks_in_vain_is_told_so_and_its_connection_goes_on() {
    let project = Project::new(&[BOARD, DO]);
    let engine = project.dev();
    let mut socket = Socket::open(engine.port);
    let error = |code: &str, message: &str| {
        let data = json!({ "code": code, "message": message });
        json!({ "type": "event", "event": { "type": "error", "data": data } })
    };
    socket.join("nope", "g", None);
    assert_eq!(socket.event(), error("STREAM_ACCESS_DENIED", "Stream nope not found"));
    assert_eq!(socket.event(), error("STREAM_ACCESS_DENIED", "Access denied"));
    socket.join("__motia.logs", "default", None);
    assert_eq!(socket.event(), error("STREAM_ACCESS_DENIED", "Stream __motia.logs not found"));
    assert_eq!(socket.event(), error("STREAM_ACCESS_DENIED", "Access denied"));
    socket.say(r#"{"type":"join","data":{"groupId":"g"}}"#);
    assert_eq!(socket.event(), error("INVALID_MESSAGE", "'join' must name streamName in its data, as text"));
    socket.leave("board", "never joined", None);
    socket.say(r#"{"type":"what","data":{}}"#);
    socket.say("[1]");
    for n in 0..10_001 {
        socket.join("board", "many", Some(&n.to_string()));
    }
    for _ in 0..10_000 {
        assert_eq!(socket.event()["type"], "sync");
    }
    let most = "one connection can watch 10000 items and groups at a time, with 4 MiB of names";
    assert_eq!(socket.event(), error("TOO_MANY_SUBSCRIPTIONS", most));
    set(&engine, "many", "9999", &json!({ "n": 1 }));
    assert_eq!(socket.event()["type"], "create");
}

const AUTH: (&str, &str) = (
    "motia.config.mjs",
    "export default {
       timeouts: { access: 1 },
       streamAuth: {
         contextSchema: {},
         authenticate: async ({ headers, url }) => {
           const token = new URL(url, 'http://x').searchParams.get('token') ?? headers['sec-websocket-protocol'] ?? headers['x-token']
           if (token === 'hang') await new Promise(() => {})
           if (token === 'exit') process.exit(3)
           if (token === 'bad') throw new Error('No such token')
           return token ? { user: token.split(',')[0] } : null
         },
       },
     }",
);

const MEMBERS: (&str, &str) = (
    "steps/members.stream.ts",
    "export const config = {
       name: 'members', schema: {},
       canAccess: async ({ groupId, id }, context) => {
         if (id === 'throws') throw new Error('Oh no')
         if (id === 'hangs') await new Promise(() => {})
         if (id === 'exits') process.exit(4)
         return context?.user === groupId
       },
     }",
);

#[test]
fn the_project_says_who_may_watch_what() {
    let project = Project::new(&[BOARD, DO, AUTH, MEMBERS]);
    let engine = project.dev();
    let refused = |path: &str| Socket::try_open(engine.port, path, &[]).err();
    let unauthenticated = Some((401, "Authentication failed".to_owned()));
    assert_eq!(refused("/?token=bad"), unauthenticated);
    engine.wait_for("motia.config.mjs failed, which counts as a no: Error: No such token");
    assert_eq!(refused("/?token=hang"), unauthenticated);
    engine.wait_for("did not answer within 1 s, which counts as a no (timeouts.access)");
    assert_eq!(refused("/?token=exit"), unauthenticated);
    eventually("another worker", || Socket::try_open(engine.port, "/?token=ada", &[]).ok());

    let open = |path: &str, headers: &[(&str, &str)]| Socket::try_open(engine.port, path, headers).expect("opens");
    let by_query = open("/ws?token=ada", &[]);
    let by_header = open("/", &[("x-token", "ada")]);
    let by_protocol = open("/", &[("sec-websocket-protocol", "ada, second")]);
    assert_eq!(by_protocol.protocol.as_deref(), Some("ada"));
    for mut socket in [by_query, by_header, by_protocol] {
        socket.join("members", "ada", None);
        assert_eq!(socket.event()["type"], "sync");
        for (group, id) in [("bob", None), ("ada", Some("throws")), ("ada", Some("hangs"))] {
            socket.join("members", group, id);
            let event = socket.event();
            assert_eq!(event["event"]["data"]["code"], "STREAM_ACCESS_DENIED", "{group} {id:?}: {event}");
        }
    }
    engine.wait_for("steps/members.stream.ts failed, which counts as a no: Error: Oh no");
    let mut nobody = open("/", &[]);
    nobody.join("members", "ada", None);
    assert_eq!(nobody.event()["event"]["data"]["code"], "STREAM_ACCESS_DENIED");
    nobody.join("board", "g", None);
    assert_eq!(nobody.event()["type"], "sync");
    let mut exits = open("/?token=ada", &[]);
    exits.join("members", "ada", Some("exits"));
    assert_eq!(exits.event()["event"]["data"]["code"], "STREAM_ACCESS_DENIED");
    eventually("another worker", || {
        exits.join("members", "ada", Some("fine"));
        (exits.event()["type"] == "sync").then_some(())
    });
}

#[test]
fn python_and_javascript_say_it_too() {
    let python = "def can_watch(subscription, context):\n    return subscription.groupId == (context or {}).get('user')\n\n\
                  config = {'name': 'secrets', 'schema': None, 'canAccess': can_watch}\n";
    let javascript = "exports.config = { name: 'notes', schema: null, canAccess: (s, c) => s.groupId === c.user }";
    let project = Project::new(&[DO, AUTH, ("steps/secrets_stream.py", python), ("steps/notes.stream.js", javascript)]);
    let engine = project.dev();
    for stream in ["secrets", "notes"] {
        let mut socket = Socket::try_open(engine.port, "/?token=ada", &[]).expect("opens");
        socket.join(stream, "ada", None);
        assert_eq!(socket.event()["type"], "sync", "{stream}");
        socket.join(stream, "bob", None);
        assert_eq!(socket.event()["event"]["data"]["message"], "Access denied", "{stream}");
    }
}

#[test]
fn nobody_may_watch_while_it_is_not_known_who_may() {
    let project = Project::new(&[BOARD, DO, ("motia.config.mjs", "throw new Error('no secrets here')")]);
    let engine = project.dev();
    let (status, body) = Socket::try_open(engine.port, "/", &[]).err().expect("closed");
    assert_eq!(status, 503);
    assert!(body.contains("the project's config cannot be used"), "{body}");
    project.write("motia.config.mjs", "export default { streams: { default: 'deny' } }");
    let mut socket = eventually("open again", || Socket::try_open(engine.port, "/", &[]).ok());
    socket.join("board", "g", None);
    assert_eq!(socket.event()["event"]["data"]["message"], "Access denied", "streams.default");
}

#[test]
fn pages_of_other_sites_may_not_watch_in_dev() {
    let project = Project::new(&[BOARD, DO]);
    let from = |engine: &Engine, origin: &str| {
        Socket::try_open(engine.port, "/", &[("origin", origin)]).map(drop).map_err(|(status, _)| status)
    };
    let engine = project.dev();
    assert_eq!(from(&engine, "http://localhost:5173"), Ok(()));
    assert_eq!(from(&engine, "https://evil.example"), Err(403));
    assert_eq!(from(&engine, "null"), Err(403));
    drop(engine);
    let engine = project.start();
    assert_eq!(from(&engine, "https://app.example"), Ok(()));
    drop(engine);
    project.write("motia.config.mjs", "export default { streams: { origins: ['https://app.example'] } }");
    let engine = project.start();
    assert_eq!(from(&engine, "https://app.example"), Ok(()));
    assert_eq!(from(&engine, "https://evil.example"), Err(403));
    let (_, body) = Socket::try_open(engine.port, "/", &[("origin", "http://localhost")]).err().expect("refused");
    assert!(body.contains("streams.origins"), "{body}");
    let old = Socket::try_open(engine.port, "/", &[("sec-websocket-version", "8")]).map(drop);
    assert_eq!(old.err().map(|(status, _)| status), Some(426));
    let admin = Socket::try_open(engine.port, "/__motia/streams", &[]).map(drop);
    assert_eq!(admin.err().map(|(status, _)| status), Some(404));
}

#[test]
fn one_that_takes_nothing_is_cut_off_and_slows_nobody() {
    let project = Project::new(&[BOARD, DO]);
    let engine = project.dev();
    let (mut slow, mut quick) = (Socket::open(engine.port), Socket::open(engine.port));
    for socket in [&mut slow, &mut quick] {
        socket.join("board", "g", Some("big"));
        assert_eq!(socket.event()["data"], Value::Null);
    }
    let text = "x".repeat(100 << 10);
    let began = Instant::now();
    for round in 0..3 {
        act(&engine, &json!({ "op": "set", "group": "g", "id": "big", "times": 100, "data": { "text": text } }));
        for n in 0..100 {
            assert_eq!(quick.event()["data"]["n"], n, "round {round}");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // What was sent before is still in the way; then it ends, with a reason or without.
    let closed = slow.closed();
    assert!(closed.as_ref().is_none_or(|(code, _)| *code == 4008), "{closed:?}");
    assert_serves(&engine);
}

#[test]
fn times_go_on_rising_after_a_crash_and_a_stop_says_that_it_stops() {
    let project = Project::new(&[BOARD, DO]);
    let engine = project.dev();
    let port = engine.port;
    let mut socket = Socket::open(port);
    socket.join("board", "g", Some("1"));
    act(&engine, &json!({ "op": "set", "group": "g", "id": "1", "data": {}, "times": 500 }));
    let times = |socket: &mut Socket, count: usize| -> Vec<f64> {
        (0..count).map(|_| socket.next()["timestamp"].as_f64().expect("a number")).collect()
    };
    let before = times(&mut socket, 501);
    assert!(before.is_sorted_by(|one, next| one < next));
    send_signal(i64::from(engine.pid()), "KILL");
    assert_eq!(socket.closed(), None);
    drop(engine);
    let engine = project.run(&["dev", "--port", &port.to_string()]);
    let mut socket = Socket::open(port);
    socket.join("board", "g", Some("1"));
    let again = socket.next();
    assert_eq!(again["event"]["data"]["n"], 499, "what was acknowledged is there");
    assert!(again["timestamp"].as_f64() > before.last().copied());
    engine.signal("TERM");
    assert_eq!(socket.closed(), Some((1001, "the server is stopping".into())));
    let began = Instant::now();
    assert!(engine.wait().0.success());
    assert!(began.elapsed() < Duration::from_secs(5), "a client that watches does not hold up the stop");
}

/// The next messages, one by one, of a client that gets several in a frame.
fn unbatched(socket: &mut Socket) -> Vec<Value> {
    match socket.next() {
        Value::Array(messages) => messages,
        message => vec![message],
    }
}

fn collect(socket: &mut Socket, count: usize) -> Vec<Value> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.extend(unbatched(socket));
    }
    assert_eq!(messages.len(), count, "{messages:?}");
    messages
}

fn greet(engine: &Engine) -> (Socket, String) {
    let mut socket = Socket::open(engine.port);
    socket.say(r#"{"type":"hello","data":{"protocol":1}}"#);
    let hello = socket.next();
    assert_eq!((&hello["type"], &hello["data"]["protocol"]), (&json!("hello"), &json!(1)));
    (socket, hello["data"]["epoch"].as_str().expect("an epoch").to_owned())
}

fn join_from(socket: &mut Socket, id: Option<&str>, offset: &Value, epoch: &str) {
    let mut data =
        json!({ "streamName": "board", "groupId": "g", "subscriptionId": "mine", "offset": offset, "epoch": epoch });
    if let Some(id) = id {
        data["id"] = json!(id);
    }
    socket.say(json!({ "type": "join", "data": data }).to_string());
}

fn numbers(messages: &[Value]) -> Vec<i64> {
    messages.iter().filter_map(|message| message["event"]["data"]["n"].as_i64()).collect()
}

#[test]
fn who_says_hello_comes_back_to_what_it_missed_over_a_crash_too() {
    let project = Project::new(&[BOARD, DO]);
    let engine = project.dev();
    let (mut socket, epoch) = greet(&engine);
    socket.say(r#"{"type":"ping"}"#);
    assert_eq!(socket.next(), json!({ "type": "pong" }));
    socket.join("board", "g", None);
    let sync = socket.next();
    assert_eq!((&sync["subscriptionId"], &sync["epoch"]), (&json!("board/g/"), &json!(epoch)));
    assert!(sync["offset"].is_u64() && sync["event"].get("gap").is_none(), "{sync}");
    set(&engine, "g", "1", &json!({ "n": 1 }));
    let heard = socket.next();
    assert!(heard["offset"].as_u64() > sync["offset"].as_u64() && heard.get("epoch").is_none(), "{heard}");
    drop(socket);
    for n in 2..=3 {
        set(&engine, "g", &n.to_string(), &json!({ "n": n }));
    }
    set(&engine, "other", "1", &json!({ "n": 9 }));
    act(&engine, &json!({ "op": "delete", "group": "g", "id": "1" }));

    let (mut socket, again) = greet(&engine);
    assert_eq!(again, epoch, "it is the same engine");
    join_from(&mut socket, None, &heard["offset"], &epoch);
    let missed = collect(&mut socket, 4);
    let kinds: Vec<_> = missed.iter().map(|message| message["event"]["type"].as_str().expect("a type")).collect();
    assert_eq!((kinds, numbers(&missed)), (vec!["create", "create", "delete", "resumed"], vec![2, 3, 1]));
    assert!(missed.iter().all(|message| message["subscriptionId"] == "mine"), "{missed:?}");
    let last = &missed[3];
    assert_eq!((&last["offset"], &last["epoch"]), (&missed[2]["offset"], &json!(epoch)));
    let times: Vec<_> = missed.iter().map(|message| message["timestamp"].as_f64().expect("a time")).collect();
    assert!(times.is_sorted_by(|one, next| one < next));

    act(&engine, &json!({ "op": "set", "group": "g", "id": "4", "times": 300, "data": {} }));
    let burst = collect(&mut socket, 300);
    assert_eq!(numbers(&burst), (0..300).collect::<Vec<_>>());
    send_signal(i64::from(engine.pid()), "KILL");
    drop(engine);
    let engine = project.dev();
    set(&engine, "g", "5", &json!({ "n": 5 }));
    let (mut socket, newer) = greet(&engine);
    assert_ne!(newer, epoch);
    join_from(&mut socket, None, &burst[298]["offset"], &epoch);
    assert_eq!(numbers(&collect(&mut socket, 3)), [299, 5]);
    let (mut socket, _) = greet(&engine);
    join_from(&mut socket, Some("5"), &burst[298]["offset"], &epoch);
    assert_eq!(numbers(&collect(&mut socket, 2)), [5], "of one item");
}

#[test]
fn who_comes_back_to_what_is_not_known_any_more_is_told_so() {
    let project = Project::new(&[BOARD, DO]);
    let engine = project.dev();
    set(&engine, "g", "1", &json!({ "n": 1 }));
    let (mut socket, epoch) = greet(&engine);
    for (offset, epoch) in [(json!(1_000_000), &*epoch), (json!(1), "of another store")] {
        join_from(&mut socket, None, &offset, epoch);
        let sync = socket.next();
        assert_eq!((&sync["event"]["type"], &sync["event"]["gap"]), (&json!("sync"), &json!(true)), "{sync}");
        assert_eq!(sync["event"]["data"][0]["n"], 1);
    }
    join_from(&mut socket, None, &json!("nonsense"), &epoch);
    assert!(socket.next()["event"].get("gap").is_none(), "without a position there is no gap");
    // One that has not said hello is not spoken to like that.
    let mut plain = Socket::open(engine.port);
    join_from(&mut plain, None, &json!(0), &epoch);
    let sync = plain.next();
    assert_eq!(
        sync.as_object().expect("an object").keys().map(String::as_str).collect::<Vec<_>>(),
        ["timestamp", "streamName", "groupId", "event"]
    );
}

#[test]
fn those_who_are_present_hear_of_one_another() {
    let project = Project::new(&[BOARD, DO]);
    let engine = project.dev();
    let appear = |name: &str| {
        let (mut socket, _) = greet(&engine);
        let data =
            json!({ "streamName": "board", "groupId": "g", "subscriptionId": name, "presence": { "name": name } });
        socket.say(json!({ "type": "join", "data": data }).to_string());
        let [sync, present] = collect(&mut socket, 2).try_into().expect("two");
        assert_eq!((&sync["event"]["type"], &present["subscriptionId"]), (&json!("sync"), &json!(name)));
        (socket, present["event"]["data"]["present"].clone())
    };
    let (mut ada, present) = appear("ada");
    assert_eq!(present[0]["info"], json!({ "name": "ada" }));
    let mut silent = Socket::open(engine.port);
    silent.join("board", "g", None);
    assert_eq!(silent.event()["type"], "sync");
    let (bob, present) = appear("bob");
    let names: Vec<_> = present.as_array().expect("a list").iter().map(|one| &one["info"]["name"]).collect();
    assert_eq!(names, ["ada", "bob"]);
    let joined = ada.event();
    assert_eq!((&joined["type"], &joined["data"]["joined"]["info"]["name"]), (&json!("presence"), &json!("bob")));
    drop(bob);
    let left = ada.event();
    assert_eq!(left["data"]["left"]["presenceId"], joined["data"]["joined"]["presenceId"]);
    assert!(silent.is_quiet(), "who did not ask for it hears nothing of it");
}
