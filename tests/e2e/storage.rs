//! The proof of P1 against disks: full, broken, or without power.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::shim::{Fault, Lost, Shim};
use crate::support::{Client, Engine, Project, Random, eventually};

const FILES: [(&str, &str); 3] = [
    (
        "steps/put.step.ts",
        "export const config = { type: 'api', name: 'Put', path: '/put/:n', method: 'POST' }
         export const handler = async (req, { state, emit, sync, traceId }) => {
           const { n } = req.pathParams
           await state.set('put', n, { n, traceId, filler: 'x'.repeat(Number(n) % 3000) })
           await emit({ topic: 'work', data: { n } })
           return { status: 201, body: { traceId } }
         }",
    ),
    (
        "steps/work.step.ts",
        "export const config = { type: 'event', name: 'Work', subscribes: ['work'] }
         export const handler = async (input, { state }) => { await state.set('work', input.n, 1) }",
    ),
    (
        "steps/look.step.ts",
        "export const config = { type: 'api', name: 'Look', path: '/look', method: 'GET' }
         export const handler = async (_, { state }) => ({ status: 200, body: {
           put: await state.getGroup('put'), work: await state.listKeys('work') } })",
    ),
];

struct Rig {
    project: Project,
    shim: Shim,
}

impl Rig {
    /// `before`: what the handler does before it answers.
    fn new(durability: &str, before: &str) -> Option<Self> {
        let shim = Shim::new()?;
        let project = Project::new(&FILES);
        let (name, put) = FILES[0];
        project.write(name, &put.replace("return { status: 201", &format!("{before}\nreturn {{ status: 201")));
        project.write("motia.config.ts", &format!("export default {{ durability: '{durability}' }}"));
        Some(Self { project, shim })
    }

    fn start(&self) -> Engine {
        let environment = self.shim.environment();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.project.run_with(&["dev", "--port", "0"], &environment)
    }
}

/// Sends numbers on several connections until the engine is killed; answers with those that were acknowledged and their trace ids.
fn load(engine: Engine, next: &AtomicU64, length: Duration) -> Vec<(u64, String)> {
    let (acknowledged, over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let port = engine.port;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let answer = Client::new(port).try_request("POST", &format!("/put/{n}"), &[], b"");
                    if let Ok(answer) = answer
                        && answer.status == 201
                    {
                        let trace = answer.json()["traceId"].as_str().expect("a trace id").to_owned();
                        acknowledged.lock().expect("acknowledged").push((n, trace));
                    }
                }
            });
        }
        thread::sleep(length);
        engine.signal("KILL");
        engine.wait();
        over.store(true, Ordering::Relaxed);
    });
    acknowledged.into_inner().expect("acknowledged")
}

/// The numbers that are acknowledged and not there.
fn lost(engine: &Engine, acknowledged: &[(u64, String)]) -> Vec<u64> {
    eventually("all events are handled", || {
        (engine.get("/__motia/queues").json()["queues"] == json!([])).then_some(())
    });
    let look = engine.get("/look").json();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let put: Vec<String> = look["put"].as_array().expect("a list").iter().map(|put| text(&put["n"])).collect();
    let work: Vec<String> = look["work"].as_array().expect("a list").iter().map(text).collect();
    let there = |n: &u64| put.contains(&n.to_string()) && work.contains(&n.to_string());
    acknowledged.iter().map(|(n, _)| *n).filter(|n| !there(n)).collect()
}

fn power_cuts(durability: &str, before: &str, rounds: usize, kinds: &[Lost]) -> Option<(usize, usize)> {
    let rig = Rig::new(durability, before)?;
    let mut random = Random::seeded();
    let (next, mut all, mut gone) = (AtomicU64::new(0), Vec::new(), 0);
    for round in 0..rounds {
        let length = Duration::from_millis(150 + random.below(300) as u64);
        all.extend(load(rig.start(), &next, length));
        rig.shim.cut_power(kinds[round % kinds.len()], &mut random);
        let engine = rig.start();
        let missing = lost(&engine, &all);
        gone += missing.len();
        all.retain(|(n, _)| !missing.contains(n));
        engine.signal("TERM");
        let (status, output) = engine.wait();
        assert!(status.success(), "{output}");
    }
    let mut traces: Vec<&String> = all.iter().map(|(_, trace)| trace).collect();
    traces.sort();
    let count = traces.len();
    traces.dedup();
    assert_eq!(traces.len(), count, "a trace id was given twice");
    println!("{rounds} power cuts, {count} requests acknowledged, {gone} of them lost");
    Some((count, gone))
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged() {
    let Some((acknowledged, lost)) = power_cuts("fsync", "", 8, &[Lost::Everything, Lost::RandomPages]) else { return };
    assert!(acknowledged > 50, "it did work in between: {acknowledged}");
    assert_eq!(lost, 0);
}

/// The same without the sync at the boundary: if this lost nothing, the test above would show nothing.
#[test]
fn without_the_sync_a_power_cut_takes_what_was_acknowledged() {
    let Some((_, lost)) = power_cuts("os", "", 3, &[Lost::Everything]) else { return };
    assert!(lost > 0, "the power cut is none");
}

#[test]
fn a_handler_that_asks_for_it_is_synced_whatever_the_project_says() {
    let Some((acknowledged, lost)) = power_cuts("os", "await sync()", 3, &[Lost::Everything]) else { return };
    assert!(acknowledged > 15, "it did work in between: {acknowledged}");
    assert_eq!(lost, 0);
}

#[test]
fn a_full_disk_fails_loudly_loses_nothing_and_ends() {
    for fault in [Fault::Full, Fault::Broken, Fault::Short] {
        let Some(rig) = Rig::new("fsync", "") else { return };
        let engine = rig.start();
        let mut acknowledged = Vec::new();
        let mut put = |n: u64| {
            let answer = engine.client().request("POST", &format!("/put/{n}"), &[], b"");
            if answer.status == 201 {
                acknowledged.push((n, String::new()));
            } else {
                assert_eq!((answer.status, answer.text()), (500, r#"{"error":"Internal server error"}"#.into()));
            }
            answer.status
        };
        assert_eq!(put(1), 201);
        rig.shim.set(fault, 0);
        for n in 2..6 {
            // What is stored by halves is written on until it is whole.
            assert_eq!(put(n), if fault == Fault::Short { 201 } else { 500 }, "{fault:?}");
        }
        if fault != Fault::Short {
            engine.wait_for("the store failed");
        }
        assert_eq!(engine.get("/look").status, 200, "what is there can be read");
        rig.shim.set(Fault::Nothing, 0);
        assert_eq!(put(6), 201, "{fault:?}: it works again");
        // In the middle of a commit.
        for (n, after) in (7..).zip([1, 2, 3, 5, 8]) {
            rig.shim.set(fault, after);
            put(n * 10);
            put(n * 10 + 1);
            rig.shim.set(Fault::Nothing, 0);
            assert_eq!(put(n * 10 + 2), 201, "{fault:?} after {after}");
        }
        assert_eq!(lost(&engine, &acknowledged), [0; 0], "{fault:?}");
        engine.signal("KILL");
        engine.wait();
        let engine = rig.start();
        assert_eq!(lost(&engine, &acknowledged), [0; 0], "{fault:?}, after a restart");
    }
}

#[test]
fn a_sync_that_failed_stops_the_engine_with_a_named_error() {
    let Some(rig) = Rig::new("fsync", "") else { return };
    let engine = rig.start();
    assert_eq!(engine.post("/put/1", "").status, 201);
    rig.shim.set(Fault::NoSync, 0);
    assert_ne!(engine.post("/put/2", "").status, 201, "nothing is acknowledged that may be lost");
    let (status, output) = engine.wait();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(
        output.contains("the store failed, and what is on disk is unknown: fdatasync of motia.db-wal failed"),
        "{output}"
    );
    rig.shim.set(Fault::Nothing, 0);
    let engine = rig.start();
    assert_eq!(lost(&engine, &[(1, String::new())]), [0; 0]);
}

#[test]
fn a_limit_on_the_size_of_files_fails_writes_loudly_and_ends_nothing() {
    let project = Project::new(&[(
        "steps/put.step.ts",
        "export const config = { type: 'api', name: 'Put', path: '/put/:n', method: 'POST' }
         export const handler = async (req, { state }) => {
           await state.set('g', req.pathParams.n, 'x'.repeat(500_000))
           return { status: 201, body: {} }
         }",
    )]);
    let binary = env!("CARGO_BIN_EXE_motia");
    // Blocks of 512 or 1,024 bytes, as the shell has it.
    let script = format!("ulimit -f 6000; exec {binary} dev --port 0");
    let mut engine = project.launch_shell(&script);
    let ready = engine.wait_for("http://");
    engine.set_port(&ready);
    let statuses: Vec<u16> = (0..30).map(|n| engine.post(&format!("/put/{n}"), "{}").status).collect();
    // A checkpoint makes room in the log: some of the last ones may fit again.
    assert!(statuses[0] == 201 && statuses.contains(&500), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 500].contains(status)), "{statuses:?}");
    assert_eq!(engine.get("/healthz").status, 200);
}
