//! Whether a client that stops reading slows the others, or makes the server grow.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::sets::{Pressure, Sets, press};
use super::{AT_ONCE, HELLO, PATIENCE, PAYLOAD, PEER, PLAIN, Variant};
use crate::calm::Watch;
use crate::candidate::Candidate;
use crate::child::Running;
use crate::crowd::{Crowd, Watcher};
use crate::lab::{Lab, say};
use crate::proc;
use crate::report::figure::{megabytes, thousands};
use crate::report::section::{Grid, Section};
use crate::stats::median;

/// What the one client is sent besides: more than sockets hold.
const BESIDES: u64 = 32 << 20;
/// In items of so many bytes.
const LARGE: usize = 16 << 10;
/// Items that one request sets.
const AT_A_TIME: u64 = 16;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a client that reads again may take to see that it was given up.
const LATE: Duration = Duration::from_secs(5);

/// A variant, with what came of its rounds.
struct Row {
    variant: Variant,
    reads: bool,
    rates: Vec<f64>,
    /// Of the server's first process, bytes: before and at the most.
    memory: [Vec<f64>; 2],
    /// In how many rounds the one client was given up.
    given_up: usize,
}

pub(super) fn run(lab: &Lab, clients: usize) -> Result<Section> {
    let candidates = super::candidates(lab)?;
    let mut rows: Vec<Row> = [PLAIN, HELLO, PEER]
        .into_iter()
        .flat_map(|variant| [true, false].map(|reads| (variant.clone(), reads)))
        .map(|(variant, reads)| Row { variant, reads, rates: Vec::new(), memory: Default::default(), given_up: 0 })
        .collect();
    rows.retain(|row| candidates.iter().any(|candidate| candidate.name == row.variant.candidate));
    let watch = Watch::begin(&lab.clock);
    for number in 1..=lab.method.rounds.min(3) {
        for row in &mut rows {
            let Some(candidate) = candidates.iter().find(|one| one.name == row.variant.candidate) else { continue };
            once(lab, candidate, clients, row).with_context(|| row.variant.title)?;
            let rate = row.rates.last().copied().unwrap_or_default();
            say(&format!("streams, stuck, round {number}: {}, reads {}: {rate:.0}/s", row.variant.title, row.reads));
        }
    }
    let elsewhere = watch.end();
    let mut grid = Grid::new(&["messages/s of the others", "memory before", "at the most", "the one was given up"]);
    for row in &rows {
        let title = format!("{}, {}", row.variant.title, if row.reads { "all read" } else { "one does not read" });
        let [before, most] = [0, 1].map(|at: usize| megabytes(median(&row.memory[at])));
        let rounds = row.rates.len();
        let given_up = if row.reads { "–".into() } else { format!("in {} of {rounds}", row.given_up) };
        grid.row(&title, vec![thousands(median(&row.rates)), before, most, given_up]);
    }
    Ok(Section {
        heading: format!("{} clients, one of which stops reading", thousands(clients as f64)),
        intro: format!(
            "All watch one group, items are set as fast as they hear of it; one client also watches another group, of which it is sent {} in items of {} KiB meanwhile: more than its \
            socket holds. Memory is the PSS of the server's own process, without workers; each round is a start of its own.",
            megabytes(besides(lab) as f64),
            LARGE >> 10
        ),
        grid,
        elsewhere,
        ..Section::default()
    })
}

fn besides(lab: &Lab) -> u64 {
    if lab.method.quick { BESIDES / 8 } else { BESIDES }
}

fn once(lab: &Lab, candidate: &Candidate, clients: usize, row: &mut Row) -> Result<()> {
    let running = lab.start(candidate)?;
    let clock = lab.clock.as_ref();
    let others = row.variant.crowd(lab, &running, (1..clients).map(|_| "common-0".into()))?;
    let one = Watcher { groups: vec!["common-0".into(), "own-0".into()], hello: row.variant.hello, reads: row.reads };
    let one = Crowd::gather(running.address, vec![one], AT_ONCE).synced(clock, PATIENCE)?;
    thread::sleep(lab.method.settle / 5);
    let before = proc::memory(running.id())?.root;
    let (sets, own) = (sets("common", 100, PAYLOAD), sets("own", 10, LARGE));
    let pressure = Pressure { requests: 4, each: 16, listeners: clients as u64 - 1, outstanding: 64 };
    let (heard, length) = (others.heard(), lab.method.length * 2);
    let start = heard.counts().messages;
    let (made, meanwhile) = press(lab, &running, (&sets, pressure), heard, || -> Result<(f64, u64)> {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watching = scope.spawn(|| -> Result<u64> {
                let mut most = 0;
                while !over.load(Ordering::Relaxed) {
                    most = most.max(proc::memory(running.id())?.root);
                    thread::sleep(LOOK);
                }
                Ok(most)
            });
            let (began, counts) = (clock.elapsed(), heard.counts());
            let filled = fill(lab, &running, &own, length);
            let rate = heard.counts().since(counts).messages as f64 / (clock.elapsed() - began).as_secs_f64();
            over.store(true, Ordering::Relaxed);
            let most = watching.join().map_err(|_| anyhow::anyhow!("the look at the memory broke"))??;
            filled.map(|()| (rate, most))
        })
    })?;
    let (rate, most) = meanwhile?;
    others.heard_all(clock, PATIENCE, start + made * pressure.listeners)?;
    if row.reads {
        one.all_live()?;
    } else {
        one.awake();
        let woke = clock.elapsed();
        while one.heard().ended() == 0 && clock.elapsed() - woke < LATE {
            thread::sleep(LOOK);
        }
        row.given_up += usize::from(one.heard().ended() > 0);
    }
    row.rates.push(rate);
    row.memory[0].push(before as f64);
    row.memory[1].push(most as f64);
    drop((others, one));
    lab.stop(candidate, running)
}

fn sets(group: &str, items: u64, bytes: usize) -> Sets {
    Sets { group: group.into(), groups: 1, items, bytes }
}

/// Sets what the one client is sent besides, evenly over this time, and waits for its end.
fn fill(lab: &Lab, running: &Running, sets: &Sets, length: Duration) -> Result<()> {
    let mut client = lab.client(running)?;
    let requests = u32::try_from(besides(lab) / (AT_A_TIME * LARGE as u64))?;
    let began = lab.clock.elapsed();
    for number in 0..requests {
        thread::sleep((began + length * number / requests).saturating_sub(lab.clock.elapsed()));
        sets.make(&mut client, u64::from(number) * AT_A_TIME, AT_A_TIME)?;
    }
    thread::sleep((began + length).saturating_sub(lab.clock.elapsed()));
    Ok(())
}
