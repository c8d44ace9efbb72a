//! The proof of P1 to P3 and P7 against crashes: numbered events under load, `SIGKILL` of the engine and of workers at random points, and then
//! a count of what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Engine, PATIENCE, Project, Random, eventually, send_signal};

/// A number per group: each client sends its own, one after the other, so that the order of a group is known.
const GROUPS: usize = 4;

/// A budget of no retries at all: whoever charges an attempt to somebody makes a dead letter.
const FILES: [(&str, &str); 4] = [
    (
        "steps/put.step.ts",
        "export const config = { type: 'api', name: 'Put', path: '/put/:group/:n', method: 'POST' }
         export const handler = async (req, { state, emit }) => {
           const { group, n } = req.pathParams
           await state.set('put-' + group, n, Number(n))
           await Promise.all([
             emit({ topic: 'work', data: { group, n } }),
             emit({ topic: 'ordered', data: { group, n }, messageGroupId: group }),
           ])
           return { status: 201, body: {} }
         }",
    ),
    (
        "steps/work.step.ts",
        "export const config = { type: 'event', name: 'Work', subscribes: ['work'], infrastructure: { queue: { maxRetries: 0 } } }
         export const handler = async (input, { state }) => {
           await new Promise((done) => setTimeout(done, Math.random() * 5))
           await state.update('work-' + input.group, input.n, [{ type: 'increment' }])
         }",
    ),
    (
        "steps/ordered.step.ts",
        "export const config = { type: 'event', name: 'Ordered', subscribes: ['ordered'],
           infrastructure: { queue: { type: 'fifo', maxRetries: 0 } } }
         export const handler = async (input, { state }) => {
           await state.update('order', input.group, [{ type: 'append', value: Number(input.n) }])
         }",
    ),
    (
        "steps/look.step.ts",
        "export const config = { type: 'api', name: 'Look', path: '/look/:group', method: 'GET' }
         export const handler = async (req, { state }) => {
           const { group } = req.pathParams
           return { status: 200, body: {
             put: await state.listKeys('put-' + group), work: await state.listKeys('work-' + group),
             order: (await state.get('order', group)) ?? [] } }
         }",
    ),
];

/// What the clients know: of each group, the numbers that were acknowledged.
#[derive(Default)]
struct Sent {
    acknowledged: Mutex<BTreeMap<usize, BTreeSet<u64>>>,
    over: AtomicBool,
    port: AtomicU16,
    /// The last number of each group.
    last: [AtomicU64; GROUPS],
}

/// Ends the clients, also when the test fails: they would go on for ever.
struct Over<'a>(&'a Sent);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Sent {
    /// Sends the numbers of a group, one after the other, whatever becomes of the engine.
    fn send(&self, group: usize) {
        while !self.over.load(Ordering::Relaxed) {
            let n = self.last[group].fetch_add(1, Ordering::Relaxed) + 1;
            let client = Client::new(self.port.load(Ordering::Relaxed));
            let answer = client.try_request("POST", &format!("/put/{group}/{n}"), &[], b"");
            if answer.is_ok_and(|answer| answer.status == 201) {
                self.acknowledged.lock().expect("sent").entry(group).or_default().insert(n);
            } else {
                // The engine is being started again.
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("sent").values().map(BTreeSet::len).sum()
    }
}

fn numbers(list: &Value) -> BTreeSet<u64> {
    list.as_array().expect("a list").iter().map(|n| n.as_str().expect("text").parse().expect("a number")).collect()
}

/// Everything that was acknowledged is there and handled, nobody was charged, and every group is in order.
fn check(engine: &Engine, sent: &Sent) {
    eventually("all events are handled", || {
        (engine.get("/__motia/queues").json()["queues"] == json!([])).then_some(())
    });
    for (group, acknowledged) in sent.acknowledged.lock().expect("sent").iter() {
        let look = engine.get(&format!("/look/{group}")).json();
        let missing = |what: &BTreeSet<u64>| acknowledged.difference(what).copied().collect::<Vec<_>>();
        assert!(missing(&numbers(&look["put"])).is_empty(), "state is lost: {:?}", missing(&numbers(&look["put"])));
        assert!(missing(&numbers(&look["work"])).is_empty(), "events are lost: {:?}", missing(&numbers(&look["work"])));
        let order: Vec<u64> = serde_json::from_value(look["order"].clone()).expect("numbers");
        assert!(order.is_sorted(), "group {group} is out of order: {order:?}");
        assert!(missing(&order.iter().copied().collect()).is_empty(), "ordered events are lost");
    }
}

fn rounds() -> usize {
    std::env::var("MOTIA_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(60)
}

#[test]
fn nothing_acknowledged_is_lost_however_often_the_engine_and_its_workers_are_killed() {
    let mut random = Random::seeded();
    let project = Project::new(&FILES);
    let sent = Sent::default();
    let mut engine = Some(project.dev());
    sent.port.store(engine.as_ref().map_or(0, |engine| engine.port), Ordering::Relaxed);
    let (mut engines, mut workers, rounds) = (0, 0, rounds());
    thread::scope(|scope| {
        let sent = &sent;
        let over = Over(sent);
        for group in 0..GROUPS {
            scope.spawn(move || sent.send(group));
        }
        for _ in 0..rounds {
            thread::sleep(Duration::from_millis(20 + random.below(400) as u64));
            if random.below(3) == 0 {
                // It may be between two workers just now.
                let workers_now = engine.as_ref().map(|engine| engine.worker_pids("serving")).unwrap_or_default();
                if let Some(worker) = workers_now.first() {
                    send_signal(i64::from(*worker), "KILL");
                    workers += 1;
                }
                continue;
            }
            if let Some(old) = engine.take() {
                old.signal("KILL");
                old.wait();
                engines += 1;
            }
            let new = project.dev();
            sent.port.store(new.port, Ordering::Relaxed);
            engine = Some(new);
        }
        drop(over);
    });
    println!("{engines} engines and {workers} workers killed, {} requests acknowledged", sent.count());
    assert!(sent.count() > rounds, "it did work in between");
    check(&engine.expect("it runs"), &sent);
}

#[test]
fn a_stop_keeps_its_deadline_whatever_clients_and_other_programs_hold() {
    let project = Project::new(&[
        (
            "steps/drip.step.ts",
            "export const config = { type: 'api', name: 'Drip', path: '/drip', method: 'GET' }
             export const handler = async () => ({ status: 200, body: (async function* () {
               for (;;) { yield 'x'.repeat(65536); await new Promise((done) => setTimeout(done, 10)) }
             })() })",
        ),
        ("motia.config.ts", "export default { shutdownTimeout: 2 }"),
    ]);
    for hold in ["half a head", "half a body", "a stream that is not read", "a stream that is read", "a transaction"] {
        let engine = project.start();
        let mut stream = engine.client().connect();
        let request: &[u8] = match hold {
            "half a head" => b"GET /drip HT",
            "half a body" => b"POST /drip HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
            _ => b"GET /drip HTTP/1.1\r\nhost: x\r\n\r\n",
        };
        let mut foreign = None;
        match hold {
            "a transaction" => {
                let other = rusqlite::Connection::open(project.path().join(".motia/motia.db")).expect("opened");
                other.execute_batch("BEGIN IMMEDIATE").expect("begun");
                foreign = Some(other);
            }
            _ => stream.write_all(request).expect("sent"),
        }
        thread::sleep(Duration::from_millis(200));
        if hold == "a stream that is read" {
            let mut reading = stream.try_clone().expect("a stream");
            thread::spawn(move || std::io::copy(&mut reading, &mut std::io::sink()));
        }
        let began = Instant::now();
        engine.signal("TERM");
        let (status, output) = engine.wait();
        let took = began.elapsed();
        assert!(took < Duration::from_millis(3500), "{hold}: {took:?}\n{output}");
        assert!(status.success(), "{hold}: {output}");
        drop(foreign);
    }
}

#[test]
fn a_stop_under_load_loses_nothing_and_keeps_its_deadline() {
    let project = Project::new(&FILES);
    project.write("motia.config.ts", "export default { shutdownTimeout: 3 }");
    let sent = Sent::default();
    for _ in 0..5 {
        let engine = project.dev();
        sent.port.store(engine.port, Ordering::Relaxed);
        sent.over.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            let sent = &sent;
            let over = Over(sent);
            for group in 0..GROUPS {
                scope.spawn(move || sent.send(group));
            }
            thread::sleep(Duration::from_millis(300));
            let began = Instant::now();
            engine.signal("TERM");
            let (status, output) = engine.wait();
            drop(over);
            assert!(status.success(), "{output}");
            assert!(began.elapsed() < Duration::from_secs(5).min(PATIENCE), "{:?}\n{output}", began.elapsed());
        });
    }
    let engine = project.dev();
    assert!(sent.count() > 50);
    check(&engine, &sent);
}
