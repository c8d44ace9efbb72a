//! Somebody watches while connections are cut, the engine is killed, stopped and started again, and the power goes: nothing is missing
//! after it has come back, and what was taken back is said.

use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::shim::{Lost, Shim};
use crate::support::socket::Socket;
use crate::support::{Client, Engine, Project, Random, eventually};

const FILES: [(&str, &str); 2] = [
    ("steps/board.stream.ts", "export const config = { name: 'board', schema: {} }"),
    (
        "steps/set.step.ts",
        "export const config = { type: 'api', name: 'Set', path: '/set/:id/:n', method: 'POST' }
         export const handler = async ({ pathParams: { id, n } }, { streams }) => {
           await streams.board.set('g', id, { n: Number(n) })
           return { status: 200, body: {} }
         }",
    ),
];

/// Somebody who watches the group and comes back to it whenever the connection ends.
struct Watcher {
    port: u16,
    socket: Option<Socket>,
    position: Option<(Value, Value)>,
    /// The numbers of all changes, in the order in which they were told.
    heard: Vec<i64>,
    syncs: Vec<Value>,
}

impl Watcher {
    /// One that has been told how things are.
    fn begin(port: u16) -> Self {
        let mut watcher = Self { port, socket: None, position: None, heard: Vec::new(), syncs: Vec::new() };
        assert!(watcher.connect());
        while watcher.syncs.is_empty() {
            assert!(watcher.hear());
        }
        watcher
    }

    /// Comes back, if there is anybody.
    fn connect(&mut self) -> bool {
        if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            return false;
        }
        let Some(mut socket) = Socket::if_open(self.port) else { return false };
        socket.say(r#"{"type":"hello","data":{"protocol":1}}"#);
        let mut data = json!({ "streamName": "board", "groupId": "g", "subscriptionId": "s" });
        if let Some((offset, epoch)) = &self.position {
            data["offset"] = offset.clone();
            data["epoch"] = epoch.clone();
        }
        socket.say(json!({ "type": "join", "data": data }).to_string());
        self.socket = Some(socket);
        true
    }

    /// Hears what comes; answers with whether the connection is still there.
    fn hear(&mut self) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        let Some(frame) = socket.try_next() else {
            self.socket = None;
            return false;
        };
        let messages = if let Value::Array(messages) = frame { messages } else { vec![frame] };
        for message in messages {
            let epoch = match (&message["epoch"], &self.position) {
                (Value::Null, Some((_, epoch))) => epoch.clone(),
                (epoch, _) => epoch.clone(),
            };
            if message["offset"].is_u64() {
                self.position = Some((message["offset"].clone(), epoch));
            }
            match message["event"]["type"].as_str() {
                Some("sync") => self.syncs.push(message["event"].clone()),
                Some("create" | "update") => self.heard.extend(message["event"]["data"]["n"].as_i64()),
                _ => {}
            }
        }
        true
    }
}

#[test]
fn a_thousand_updates_reach_a_watcher_over_cuts_kills_and_restarts() {
    let project = Project::new(&FILES);
    let mut engine = Some(project.dev());
    let port = engine.as_ref().expect("started").port;
    let mut random = Random::seeded();
    let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut watcher = Watcher::begin(port);
    thread::scope(|scope| {
        let (next, done) = (&next, &done);
        // One update after the other, each until it is acknowledged: an answer that was lost may mean that it is there twice.
        scope.spawn(move || {
            while next.load(Ordering::SeqCst) < 1000 {
                let path = format!("/set/{}/{}", next.load(Ordering::SeqCst) % 7, next.load(Ordering::SeqCst));
                match Client::new(port).try_request("POST", &path, &[], b"") {
                    Ok(answer) if answer.status == 200 => drop(next.fetch_add(1, Ordering::SeqCst)),
                    _ => thread::sleep(Duration::from_millis(5)),
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        let watching = scope.spawn(move || {
            let mut cuts = 0;
            let mut random = Random::seeded();
            while !(done.load(Ordering::SeqCst) && watcher.heard.last() == Some(&999)) {
                if watcher.socket.is_none() && !watcher.connect() {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                }
                watcher.hear();
                if random.below(40) == 0
                    && let Some(socket) = &mut watcher.socket
                {
                    // The cable is pulled: what is on its way is lost.
                    let _ = socket.raw().shutdown(Shutdown::Both);
                    watcher.socket = None;
                    cuts += 1;
                }
            }
            (watcher, cuts)
        });
        let mut killed = 0;
        while !done.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(400 + random.below(600) as u64));
            let running = engine.take().expect("it runs");
            if killed % 2 == 0 {
                running.signal("KILL");
                drop(running);
            } else {
                running.signal("TERM");
                assert!(running.wait().0.success());
            }
            killed += 1;
            engine = Some(project.run(&["dev", "--port", &port.to_string()]));
        }
        let (watcher, cuts) = watching.join().expect("watched");
        println!("{cuts} cuts, {killed} ends of the engine, {} changes told", watcher.heard.len());
        assert!(cuts > 5 && killed > 1, "{cuts} cuts, {killed} ends");
        let mut heard = watcher.heard.clone();
        heard.dedup();
        assert_eq!(
            heard,
            (0..1000).collect::<Vec<_>>(),
            "each change once, in order, but for updates that were repeated"
        );
        let gaps = watcher.syncs.iter().filter(|sync| sync["gap"] == true).count();
        assert_eq!((watcher.syncs.len(), gaps), (1, 0), "told how things are once, at first: {:?}", watcher.syncs);
    });
}

fn start(project: &Project, shim: &Shim) -> Engine {
    let environment = shim.environment();
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    project.run_with(&["dev", "--port", "0"], &environment)
}

/// Changes are told at once, before they are safe. One that the power cut takes back must not be passed over.
#[test]
fn what_a_power_cut_took_back_is_a_gap() {
    let Some(shim) = Shim::new() else { return };
    let project = Project::new(&FILES);
    project.write("motia.config.ts", "export default { durability: 'os' }");
    let mut random = Random::seeded();
    let engine = start(&project, &shim);
    let mut watcher = Watcher::begin(engine.port);
    let set = |engine: &Engine, n: i64| assert_eq!(engine.post(&format!("/set/1/{n}"), "{}").status, 200);
    for n in 0..20 {
        set(&engine, n);
    }
    while watcher.heard.last() != Some(&19) {
        assert!(watcher.hear());
    }
    engine.signal("KILL");
    drop(engine);
    shim.cut_power(Lost::Everything, &mut random);
    let engine = start(&project, &shim);
    for n in 100..140 {
        set(&engine, n);
    }
    watcher.port = engine.port;
    watcher.socket = None;
    eventually("connected", || watcher.connect().then_some(()));
    while watcher.syncs.len() < 2 {
        assert!(watcher.hear());
    }
    assert_eq!(watcher.syncs[1]["gap"], true, "{:?}", watcher.syncs);
    assert_eq!(watcher.syncs[1]["data"][0]["n"], 139);
}
