//! How soon a server answers: from exec to the first 200.

use std::time::Duration;

use anyhow::Result;

use crate::calm::Watch;
use crate::candidate::{self, Candidate, MOTIA};
use crate::generate;
use crate::lab::{Lab, say};
use crate::report::figure::{Bar, Figure, time};
use crate::report::section::{Grid, Section};
use crate::scratch;
use crate::stats::{median, quantile};

const STEPS: usize = 30;

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    Ok(vec![project(lab)?, peers(lab)?])
}

/// A project as people have them, in development and in production, with and without what an earlier start has compiled.
fn project(lab: &Lab) -> Result<Section> {
    let folder = lab.scratch.generate("start-zod", &generate::with_zod(STEPS), true)?;
    let start = lab.ours_in(MOTIA, "motia start", folder.clone());
    let dev = Candidate { title: "motia dev".into(), ..start.clone().in_development() };
    let watch = Watch::begin(&lab.clock);
    let mut times = [dev, start].map(|candidate| (candidate, Vec::new(), Vec::new()));
    for number in 1..=lab.method.starts {
        for (candidate, cold, warm) in &mut times {
            say(&format!("start {number} of {}: {}, {STEPS} steps", lab.method.starts, candidate.title));
            scratch::forget(&folder)?;
            cold.push(once(lab, candidate)?);
            warm.push(once(lab, candidate)?);
        }
    }
    let mut grid = Grid::new(&["cold, median", "cold, longest", "warm, median", "warm, longest"]);
    for (candidate, cold, warm) in &times {
        let cells = [middle(cold), longest(cold), middle(warm), longest(warm)];
        grid.row(&candidate.title, cells.map(time).to_vec());
    }
    let (_, cold, warm) = &times[0];
    let bar = |what, times, most| Bar::at_most(what, Figure::Duration(middle(times)), Figure::Duration(most));
    Ok(Section {
        heading: format!("A project of {STEPS} TypeScript steps with zod"),
        intro: format!(
            "From exec to the first 200, {} starts of each kind in turn. Cold is without `.motia`: the SDK is unpacked and everything \
            compiled.",
            lab.method.starts
        ),
        grid,
        bars: vec![
            bar("motia dev, 30 steps with zod, warm", warm, Duration::from_millis(400)),
            bar("motia dev, 30 steps with zod, cold", cold, Duration::from_millis(1500)),
        ],
        elsewhere: watch.end(),
        ..Section::default()
    })
}

/// Small servers that do the same.
fn peers(lab: &Lab) -> Result<Section> {
    let mut candidates = vec![lab.ours(MOTIA, "motia start", "api", "")?];
    candidates.extend(candidate::peers(&lab.bench));
    let candidates = lab.choice.candidates(candidates);
    let watch = Watch::begin(&lab.clock);
    let mut times = vec![Vec::new(); candidates.len()];
    // The first has something to compile, and perhaps to read from the disk.
    for number in 0..=lab.method.starts {
        for (candidate, times) in candidates.iter().zip(&mut times) {
            say(&format!("start {number} of {}: {}", lab.method.starts, candidate.name));
            times.push(once(lab, candidate)?);
        }
    }
    let mut grid = Grid::new(&["first", "median of the others", "longest of the others"]);
    for (candidate, times) in candidates.iter().zip(&times) {
        let cells = [seconds(times[0]), middle(&times[1..]), longest(&times[1..])];
        grid.row(&candidate.title, cells.map(time).to_vec());
    }
    Ok(Section {
        heading: "Two routes, beside the peers".into(),
        intro: format!("{} starts of each after the first, in turn, one candidate at a time.", lab.method.starts),
        grid,
        elsewhere: watch.end(),
        ..Section::default()
    })
}

/// Seconds.
fn once(lab: &Lab, candidate: &Candidate) -> Result<f64> {
    let running = lab.start(candidate)?;
    let ready = running.ready.as_secs_f64();
    lab.stop(candidate, running)?;
    Ok(ready)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn middle(times: &[f64]) -> Duration {
    seconds(median(times))
}

fn longest(times: &[f64]) -> Duration {
    seconds(quantile(times, 1.0))
}
