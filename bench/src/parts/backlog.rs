//! Whether many events that wait slow down those that are handled, and whether they are kept in memory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::calm::Watch;
use crate::candidate::MOTIA;
use crate::child::Running;
use crate::client::{self, Client};
use crate::lab::{Lab, say};
use crate::proc;
use crate::report::figure::{Bar, Figure, megabytes, thousands, time};
use crate::report::section::{Grid, Section};
use crate::stats::median;

/// Events that wait at first, that one request emits, and that are handled in a round.
const FEW: u64 = 1_000;

/// What is found with so many events that wait.
struct Found {
    waiting: u64,
    /// To emit and handle [`FEW`] others, seconds.
    handled: f64,
    /// To store one more that waits, seconds.
    stored: f64,
    /// Of the engine, bytes.
    memory: u64,
    disk: u64,
}

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let candidate = lab.ours(MOTIA, "motia", "queue", "")?;
    let watch = Watch::begin(&lab.clock);
    let running = lab.start(&candidate)?;
    let mut client = lab.client(&running)?;
    // What the first use costs is not what waiting costs.
    for _ in 0..5 {
        handle(lab, &mut client, FEW)?;
    }
    let mut all = Vec::new();
    let mut waiting = 0;
    for goal in [FEW, lab.method.many] {
        while waiting < goal {
            waiting += fill(&mut client, FEW.min(goal - waiting))?.0;
        }
        say(&format!("backlog: {waiting} events wait"));
        let found = look(lab, &running, &mut client, &candidate.folder, waiting)?;
        waiting += FEW * lab.method.rounds as u64;
        all.push(found);
    }
    drop(client);
    lab.stop(&candidate, running)?;
    Ok(vec![Section { elsewhere: watch.end(), ..section(&all, lab.method.rounds) }])
}

fn look(lab: &Lab, running: &Running, client: &mut Client, project: &Path, waiting: u64) -> Result<Found> {
    let (mut handled, mut stored) = (Vec::new(), Vec::new());
    std::thread::sleep(lab.method.settle);
    let memory = proc::memory(running.id())?.root;
    for _ in 0..lab.method.rounds {
        handled.push(handle(lab, client, FEW)?.as_secs_f64());
        stored.push(fill(client, FEW)?.1 / FEW as f64);
    }
    let disk = ["motia.db", "motia.db-wal"]
        .map(|file| fs::metadata(project.join(".motia").join(file)).map_or(0, |file| file.len()));
    Ok(Found { waiting, handled: median(&handled), stored: median(&stored), memory, disk: disk.iter().sum() })
}

/// Emits events that are handled at once; how long that takes.
fn handle(lab: &Lab, client: &mut Client, count: u64) -> Result<Duration> {
    let order = json!({ "topic": "things.standard", "count": count, "each": false, "groups": 0 });
    let (took, answer) = lab.time(|| client.post("/emit", order))?;
    let handled = client::number(&answer, "handled")?;
    ensure!(handled as u64 == count, "{handled} of {count} events were handled");
    Ok(took)
}

/// Emits events that wait: how many, and the seconds until they were stored.
fn fill(client: &mut Client, count: u64) -> Result<(u64, f64)> {
    let answer = client.post("/fill", json!({ "count": count }))?;
    Ok((count, client::number(&answer, "emitted")? / 1000.0))
}

fn section(all: &[Found], rounds: usize) -> Section {
    let (few, many) = (&all[0], &all[1]);
    let ratio = |figure: fn(&Found) -> f64, found| format!("{:.2}", figure(found) / figure(few));
    let mut grid =
        Grid::new(&["1,000 others emitted and handled", "×", "one more stored", "×", "engine, PSS", "store, on disk"]);
    for found in all {
        let length = |seconds| time(Duration::from_secs_f64(seconds));
        let stored = format!("{:.1} µs", found.stored * 1e6);
        let cells = vec![
            length(found.handled),
            ratio(|found| found.handled, found),
            stored,
            ratio(|found| found.stored, found),
            megabytes(found.memory as f64),
            megabytes(found.disk as f64),
        ];
        grid.row(&format!("{} wait", thousands(found.waiting as f64)), cells);
    }
    let names = format!("{} events wait beside {}", thousands(many.waiting as f64), thousands(few.waiting as f64));
    let times = |figure: fn(&Found) -> f64| Figure::Times(figure(many) / figure(few));
    Section {
        heading: "Events that are not due".into(),
        intro: format!(
            "Events of a step with `delaySeconds` wait, while 1,000 events of another step are emitted and handled. Median of {rounds} \
            rounds; the events that wait are stored 1,000 at a time."
        ),
        grid,
        bars: vec![
            Bar::at_most(
                format!("{names}: 1,000 others emitted and handled"),
                times(|found| found.handled),
                Figure::Times(1.2),
            ),
            Bar::at_most(format!("{names}: one more stored"), times(|found| found.stored), Figure::Times(1.2)),
            Bar::at_most(
                format!("{names}: memory of the engine, growth"),
                Figure::Memory(many.memory as f64 - few.memory as f64),
                Figure::Memory(20e6),
            ),
        ],
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_held_against_few() {
        let found = |waiting, millis: f64, memory| Found {
            waiting,
            handled: millis / 1000.0,
            stored: millis / 1e6,
            memory,
            disk: 1_000_000,
        };
        let text = section(&[found(1_000, 40.0, 30_000_000), found(1_000_000, 44.0, 55_000_000)], 5).markdown();
        for line in [
            "| 1,000 wait | 40.00 ms | 1.00 | 40.0 µs | 1.00 | 30 MB | 1.0 MB |",
            "| 1,000,000 wait | 44.00 ms | 1.10 | 44.0 µs | 1.10 | 55 MB | 1.0 MB |",
            "1,000 others emitted and handled: 1.10 ×, bar ≤ 1.20 ×: met",
            "memory of the engine, growth: 25 MB, bar ≤ 20 MB: **missed**",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }
}
