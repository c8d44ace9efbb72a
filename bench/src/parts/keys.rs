//! Whether operations on state take longer the more there is.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::calm::Watch;
use crate::candidate::MOTIA;
use crate::client::{self, Client};
use crate::lab::{Lab, say};
use crate::proc;
use crate::report::figure::{megabytes, thousands, time};
use crate::report::section::{Grid, Section};
use crate::stats::median;

const OPERATIONS: [&str; 3] = ["get", "set", "getGroup"];
/// Operations in one request, one after the other.
const LOOPS: u64 = 1_000;
/// Keys that one request of the filling sets.
const BATCH: u64 = 10_000;

/// Microseconds per operation, with so many keys.
struct Found {
    keys: u64,
    micros: [f64; 3],
    /// Of the engine, bytes.
    memory: u64,
}

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let candidate = lab.ours(MOTIA, "motia", "keys", "")?;
    let watch = Watch::begin(&lab.clock);
    let running = lab.start(&candidate)?;
    let mut client = lab.client(&running)?;
    client.post("/fill", json!({ "group": "hundred", "from": 0, "to": 100 }))?;
    let mut all = Vec::new();
    let mut keys = 0;
    for goal in [1, 1_000.min(lab.method.many / 2), lab.method.many] {
        while keys < goal {
            let to = goal.min(keys + BATCH);
            client.post("/fill", json!({ "from": keys, "to": to }))?;
            keys = to;
        }
        say(&format!("keys: {keys}"));
        let micros = look(lab, &mut client, keys)?;
        all.push(Found { keys, micros, memory: proc::memory(running.id())?.root });
    }
    drop(client);
    lab.stop(&candidate, running)?;
    Ok(vec![Section { elsewhere: watch.end(), ..section(&all, lab.method.rounds) }])
}

/// Of each operation the middle one of the rounds; all operations in turn.
fn look(lab: &Lab, client: &mut Client, keys: u64) -> Result<[f64; 3]> {
    let mut micros = [const { Vec::new() }; 3];
    for round in 0..=lab.method.rounds {
        for (operation, micros) in OPERATIONS.iter().zip(&mut micros) {
            let answer = client.post("/ask", json!({ "operation": operation, "loops": LOOPS, "keys": keys }))?;
            ensure!(answer["missing"] == json!(0), "{operation} found nothing: {answer}");
            // The first one warms up.
            if round > 0 {
                micros.push(client::number(&answer, "micros")?);
            }
        }
    }
    Ok(micros.map(|micros| median(&micros)))
}

fn section(all: &[Found], rounds: usize) -> Section {
    let columns = ["get", "set", "getGroup of 100"].map(|name| [name.to_owned(), "/s".into(), "×".into()]);
    let columns: Vec<String> = columns.into_iter().flatten().chain(["engine, PSS".to_owned()]).collect();
    let mut grid = Grid::new(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    for found in all {
        let mut cells = Vec::new();
        for (micros, few) in found.micros.iter().zip(&all[0].micros) {
            let length = Duration::from_secs_f64(micros / 1e6);
            cells.extend([time(length), thousands(1e6 / micros), format!("{:.2}", micros / few)]);
        }
        cells.push(megabytes(found.memory as f64));
        let s = if found.keys == 1 { "" } else { "s" };
        grid.row(&format!("{} key{s}", thousands(found.keys as f64)), cells);
    }
    Section {
        heading: "Operations of a step, one after the other".into(),
        intro: format!(
            "One request runs {} operations of a kind and awaits each, on keys all over the place; time of one, how many per second, and \
            how many times the time with 1 key. Median of {rounds} rounds.",
            thousands(LOOPS as f64)
        ),
        grid,
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_held_against_one() {
        let found = |keys, micros| Found { keys, micros, memory: 40_000_000 };
        let text = section(&[found(1, [50.0, 100.0, 80.0]), found(1_000_000, [60.0, 100.0, 84.0])], 5).markdown();
        for line in [
            "| | get | /s | × | set | /s | × | getGroup of 100 | /s | × | engine, PSS |",
            "| 1 key | 50 µs | 20,000 | 1.00 | 100 µs | 10,000 | 1.00 | 80 µs | 12,500 | 1.00 | 40 MB |",
            "| 1,000,000 keys | 60 µs | 16,667 | 1.20 | 100 µs | 10,000 | 1.00 | 84 µs | 11,905 | 1.05 | 40 MB |",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }
}
