//! What it costs a call that the worker always knows whose code runs.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::calm::Watch;
use crate::lab::{Lab, say};
use crate::report::figure::thousands;
use crate::report::section::{Grid, Section};
use crate::stats::median;

const SCRIPT: &str = "micro/blame.mjs";
const MODES: [&str; 2] = ["with", "without"];

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let watch = Watch::begin(&lab.clock);
    let mut rounds = [const { Vec::new() }; 2];
    for number in 1..=lab.method.rounds {
        for (mode, rounds) in MODES.iter().zip(&mut rounds) {
            say(&format!("blame, round {number}: {mode}"));
            rounds.push(once(lab, mode)?);
        }
    }
    let handlers: Vec<String> = rounds[0].first().map(|round| round.keys().cloned().collect()).unwrap_or_default();
    let mut grid = Grid::new(&["without", "with", "costs"]);
    for handler in handlers {
        let [with, without] = rounds
            .each_ref()
            .map(|rounds| median(&rounds.iter().filter_map(|round| round.get(&handler)?.as_f64()).collect::<Vec<_>>()));
        grid.row(&handler, [without, with, with - without].map(|nanos| format!("{} ns", thousands(nanos))).to_vec());
    }
    Ok(vec![Section {
        heading: "AsyncLocalStorage, per call".into(),
        intro: format!(
            "The SDK's own calls in one process, on a connection that answers by itself, with and without `current.run` around each. \
            Median of {} rounds, a process each.",
            lab.method.rounds
        ),
        grid,
        elsewhere: watch.end(),
        ..Section::default()
    }])
}

/// Nanoseconds per call, by handler.
fn once(lab: &Lab, mode: &str) -> Result<Map<String, Value>> {
    let mut node = Command::new("node");
    node.args([SCRIPT, mode]).current_dir(&lab.bench).env("NODE_ENV", "production");
    if lab.method.quick {
        node.arg("10000");
    }
    let output = node.output().context("node cannot be run")?;
    ensure!(output.status.success(), "{SCRIPT} failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(|| format!("{SCRIPT} printed no JSON"))
}
