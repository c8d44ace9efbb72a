//! How soon the handler of one event begins, where nothing else happens.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::calm::Watch;
use crate::candidate::{MOTIA, OS};
use crate::lab::{Lab, say};
use crate::parts::queue::bullmq;
use crate::redis::Redis;
use crate::report::figure::{Bar, Figure, time};
use crate::report::section::{Grid, Section};
use crate::stats::{median, quantile};

/// Milliseconds before each event.
const PAUSE: u64 = 5;

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let redis = Redis::start(lab, "latency")?;
    let mut candidates = vec![
        lab.ours(MOTIA, "motia, durability: \"fsync\" (default)", "queue", "")?,
        lab.ours(OS, "motia, durability: \"os\"", "queue", "durability: 'os'")?,
    ];
    candidates.extend(redis.as_ref().map(|redis| bullmq(lab, redis)));
    let watch = Watch::begin(&lab.clock);
    let mut grid = Grid::new(&["p50", "p99", "longest"]);
    let mut bars = Vec::new();
    for candidate in &candidates {
        say(&format!("latency: {}", candidate.name));
        let running = lab.start(candidate)?;
        let mut client = lab.client(&running)?;
        // The first ones warm up.
        for count in [lab.method.singles / 3, lab.method.singles] {
            let answer = client.post("/latency", json!({ "count": count, "pause": PAUSE }))?;
            let micros: Vec<f64> = serde_json::from_value(answer["micros"].clone()).context("no micros")?;
            ensure!(micros.len() as u64 == count, "{} of {count} events were timed", micros.len());
            if count == lab.method.singles {
                let cells = [median(&micros), quantile(&micros, 0.99), quantile(&micros, 1.0)];
                let length = |micros: f64| Duration::from_secs_f64(micros / 1e6);
                grid.row(&candidate.title, cells.map(|micros| time(length(micros))).to_vec());
                if candidate.name == MOTIA {
                    let (found, most) =
                        (Figure::Duration(length(cells[0])), Figure::Duration(Duration::from_millis(2)));
                    bars.push(Bar::at_most("emit to the handler's start, idle, fsync on, p50", found, most));
                }
            }
        }
        lab.stop(candidate, running)?;
    }
    let elsewhere = watch.end();
    if let Some(redis) = redis {
        redis.stop()?;
    }
    Ok(vec![Section {
        heading: format!("{} events, one at a time", lab.method.singles),
        intro: format!(
            "From the call of `emit` to the first line of the handler, by one clock: both run in one process. {PAUSE} ms of rest before \
            each."
        ),
        grid,
        bars,
        elsewhere,
        ..Section::default()
    }])
}
