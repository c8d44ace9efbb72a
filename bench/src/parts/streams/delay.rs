//! How long it takes from `set()` in a step until a client has the last byte.

use std::time::Duration;

use anyhow::{Context, Result};

use super::sets::{Sets, pace};
use super::{HELLO, PATIENCE, PAYLOAD, PEER, PLAIN, Variant};
use crate::calm::Watch;
use crate::child::Running;
use crate::lab::{Lab, say};
use crate::report::figure::{thousands, time};
use crate::report::section::{Grid, Section};
use crate::stats::{median, quantile};

/// Sets per second: of a modest load, and of one that is half of what is to be reached.
const RATES: [u32; 2] = [20, 100];
const SHARES: [f64; 2] = [0.5, 0.99];

pub(super) fn run(lab: &Lab, clients: usize) -> Result<Section> {
    let (running, variants) = super::started(lab, &[PLAIN, HELLO, PEER])?;
    let watch = Watch::begin(&lab.clock);
    let rows = RATES.iter().flat_map(|rate| variants.iter().map(|variant| (*rate, variant.clone(), Vec::new())));
    let mut rows: Vec<(u32, Variant, Vec<[f64; 2]>)> = rows.collect();
    for number in 0..=lab.method.rounds {
        for (rate, variant, found) in &mut rows {
            let Some(running) = variant.of(&running) else { continue };
            let seconds = once(lab, running, variant, clients, *rate).with_context(|| variant.title)?;
            let [half, most] = seconds.map(|seconds| time(Duration::from_secs_f64(seconds)));
            say(&format!("streams, {rate} sets/s, round {number}: {}: p50 {half}, p99 {most}", variant.title));
            // The first one warms up.
            if number > 0 {
                found.push(seconds);
            }
        }
    }
    let elsewhere = watch.end();
    super::stop(lab, running)?;
    let mut grid = Grid::new(&["p50", "p99", "p99, the worst round"]);
    for (rate, variant, found) in &rows {
        let of = |at: usize| found.iter().map(|round| round[at]).collect::<Vec<_>>();
        let seconds = [median(&of(0)), median(&of(1)), quantile(&of(1), 1.0)];
        let cells = seconds.map(|seconds| time(Duration::from_secs_f64(seconds)));
        grid.row(&format!("{}, {rate} sets/s", variant.title), cells.to_vec());
    }
    let clients = thousands(clients as f64);
    Ok(Section {
        heading: format!("From `set()` to {clients} clients on one group"),
        intro: format!(
            "One set at a time, at an even pace: from before `set()` is called in the step until a client has the last byte, over all \
            {clients} of them; the set's commit is part of it (fsync). Median of {} rounds, of each figure apart.",
            lab.method.rounds
        ),
        grid,
        elsewhere,
        ..Section::default()
    })
}

/// The quantiles of one round, in seconds.
fn once(lab: &Lab, running: &Running, variant: &Variant, clients: usize, rate: u32) -> Result<[f64; 2]> {
    let group = variant.group("delay");
    let crowd = variant.crowd(lab, running, (0..clients).map(|_| format!("{group}-0")))?;
    let sets = Sets { group, groups: 1, items: 100, bytes: PAYLOAD };
    let before = crowd.heard().counts().messages;
    crowd.begin_timing();
    let made = pace(lab, running, &sets, rate, lab.method.length)?;
    crowd.heard_all(lab.clock.as_ref(), PATIENCE, before + made * clients as u64)?;
    let latencies = crowd.latencies();
    Ok(SHARES.map(|share| latencies.quantile(share).as_secs_f64()))
}
