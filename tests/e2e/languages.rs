//! One flow through four languages, while the workers of each are killed in turn.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Engine, Project, eventually, send_signal};

/// How often each language's worker is killed.
const ROUNDS: usize = 3;
const CLIENTS: usize = 4;

#[test]
fn nothing_is_lost_while_each_worker_is_killed_in_turn() {
    if !crate::ruby::is_here() {
        return;
    }
    let project = Project::example("four-languages");
    let engine = project.dev();
    let enough = AtomicBool::new(false);
    let parcels: Vec<String> = thread::scope(|scope| {
        let _over = Over(&enough);
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| send_parcels(&engine, &enough))).collect();
        for _ in 0..ROUNDS {
            for language in ["node", "python", "ruby"] {
                thread::sleep(Duration::from_millis(400));
                let worker = eventually(language, || engine.worker_pids_of(language, "serving").first().copied());
                send_signal(i64::from(worker), "KILL");
            }
        }
        thread::sleep(Duration::from_millis(400));
        enough.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    assert!(parcels.len() > 20, "{} parcels are no load", parcels.len());
    for parcel in &parcels {
        // At least once: a step that was killed may have handled it twice.
        let languages: BTreeSet<String> = eventually("it has arrived", || {
            let parcel = engine.get(&format!("/parcels/{parcel}")).json();
            let by = parcel["handledBy"].as_array()?;
            (parcel["sent"] == true).then(|| by.iter().filter_map(|by| by.as_str().map(str::to_owned)).collect())
        });
        let expected = ["javascript", "python", "ruby", "typescript"].map(str::to_owned);
        assert_eq!(languages, BTreeSet::from(expected), "{parcel}");
    }
    // Queues in which nothing waits and nothing is dead are not listed.
    eventually("nothing waits, and no budget was eaten", || {
        let queues: Value = serde_json::from_str(&project.motia(&["queue", "ls", "--json"])).expect("JSON");
        (queues["queues"].as_array().or_else(|| queues.as_array()).map(Vec::len) == Some(0)).then_some(())
    });
}

/// Ends the clients, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Those that were acknowledged.
fn send_parcels(engine: &Engine, enough: &AtomicBool) -> Vec<String> {
    let mut parcels = Vec::new();
    let body = json!({ "to": "Ada", "items": [{ "name": "book", "grams": 800 }] }).to_string();
    while !enough.load(Ordering::Relaxed) {
        let answer = engine.post("/parcels", &body);
        if answer.status == 201 {
            parcels.push(answer.json()["id"].as_str().expect("an id").to_owned());
        }
        thread::sleep(Duration::from_millis(10));
    }
    parcels
}
