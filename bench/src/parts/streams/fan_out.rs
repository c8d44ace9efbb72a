//! How many messages arrive per second while items are set as fast as clients hear of it.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::sets::{Pressure, Sets, press};
use super::{HELLO, PATIENCE, PAYLOAD, PEER, PLAIN, Variant};
use crate::calm::Watch;
use crate::child::Running;
use crate::crowd::Counts;
use crate::lab::{Lab, say};
use crate::proc;
use crate::report::figure::{Bar, Figure, thousands};
use crate::report::section::{Grid, Section};
use crate::stats::{Round, Summary, median};

/// Clients of each group, where there are many groups.
pub(super) const EACH: usize = 10;
/// Not counted at the beginning of a round.
const LEAD_IN: Duration = Duration::from_millis(250);

/// Who watches what.
pub(super) struct Shape {
    heading: String,
    groups: usize,
    /// Of each group.
    clients: usize,
    pressure: Pressure,
    items: u64,
    barred: bool,
}

impl Shape {
    pub(super) fn one_group(clients: usize) -> Self {
        let pressure = Pressure { requests: 4, each: 16, listeners: clients as u64, outstanding: 64 };
        let heading = format!("{} clients on one group", thousands(clients as f64));
        Self { heading, groups: 1, clients, pressure, items: 100, barred: true }
    }

    pub(super) fn many_groups(groups: usize) -> Self {
        let pressure = Pressure { requests: 4, each: 250, listeners: EACH as u64, outstanding: 4_000 };
        let heading = format!("{} groups with {EACH} clients each", thousands(groups as f64));
        Self { heading, groups, clients: EACH, pressure, items: 10, barred: false }
    }
}

/// A variant with what was found in its rounds.
struct Found {
    variant: Variant,
    rounds: Vec<Round>,
    /// What all rounds counted together.
    counts: Counts,
    /// Sets per second.
    sets: Vec<f64>,
}

pub(super) fn run(lab: &Lab, shape: &Shape) -> Result<Section> {
    let (running, variants) = super::started(lab, &[PLAIN, HELLO, PEER])?;
    let found = |variant| Found { variant, rounds: Vec::new(), counts: Counts::default(), sets: Vec::new() };
    let mut all: Vec<Found> = variants.into_iter().map(found).collect();
    let watch = Watch::begin(&lab.clock);
    for number in 0..=lab.method.rounds {
        for found in &mut all {
            let title = found.variant.title;
            let Some(running) = found.variant.of(&running) else { continue };
            let (round, counts) = once(lab, running, &found.variant, shape, number == 0).with_context(|| title)?;
            say(&format!("streams, {}, round {number}: {title}: {:.0} messages/s", shape.heading, round.rate));
            // The first one warms up.
            if number > 0 {
                found.sets.push(round.rate / shape.clients as f64);
                found.rounds.push(round);
                found.counts.messages += counts.messages;
                found.counts.bytes += counts.bytes;
                found.counts.reads += counts.reads;
            }
        }
    }
    let elsewhere = watch.end();
    super::stop(lab, running)?;
    Ok(Section { elsewhere, ..section(lab, shape, &all) })
}

/// What arrived per second in the middle of a run.
fn once(lab: &Lab, running: &Running, variant: &Variant, shape: &Shape, warms_up: bool) -> Result<(Round, Counts)> {
    let group = variant.group("fan-out");
    let groups = (0..shape.groups * shape.clients).map(|client| format!("{group}-{}", client % shape.groups));
    let crowd = variant.crowd(lab, running, groups)?;
    let sets = Sets { group, groups: shape.groups as u64, items: shape.items, bytes: PAYLOAD };
    let length = if warms_up { lab.method.warm_up } else { lab.method.length };
    let before = crowd.heard().counts().messages;
    let (made, (round, counts)) = press(lab, running, (&sets, shape.pressure), crowd.heard(), || {
        thread::sleep(LEAD_IN);
        let look = || (crowd.heard().counts(), proc::cpu(running.id()), proc::own_cpu(), lab.clock.elapsed());
        let (counts, cpu, generator, began) = look();
        thread::sleep(length);
        let (counts_then, cpu_then, generator_then, ended) = look();
        let counts = counts_then.since(counts);
        let rate = counts.messages as f64 / (ended - began).as_secs_f64();
        let (cpu, generator) = (cpu_then.since(cpu), generator_then.saturating_sub(generator));
        (Round { rate, answers: counts.messages, cpu, generator, ..Round::default() }, counts)
    })?;
    // Nothing is lost, and nothing comes twice.
    crowd.heard_all(lab.clock.as_ref(), PATIENCE, before + made * shape.clients as u64)?;
    Ok((round, counts))
}

fn section(lab: &Lab, shape: &Shape, all: &[Found]) -> Section {
    let rate =
        |title| all.iter().find(|found| found.variant.title == title).map(|found| Summary::of(&found.rounds).rate);
    let peer = rate(PEER.title);
    let mut grid = Grid::new(&[
        "messages/s",
        "× ws",
        "sets/s",
        "spread",
        "CPU per message",
        "the clients' CPU",
        "messages per read",
        "bytes per message",
    ]);
    for found in all {
        let summary = Summary::of(&found.rounds);
        let Counts { messages, bytes, reads } = found.counts;
        let cpu = if found.variant.candidate == PEER.candidate {
            format!("{:.1} µs", summary.root_micros + summary.below_micros)
        } else {
            format!("{:.1} + {:.1} µs", summary.root_micros, summary.below_micros)
        };
        grid.row(
            found.variant.title,
            vec![
                thousands(summary.rate),
                peer.map_or_else(|| "–".into(), |peer| format!("{:.2}", summary.rate / peer)),
                thousands(median(&found.sets)),
                format!("{:.0} %", summary.spread * 100.0),
                cpu,
                format!("{:.1} µs", summary.generator_micros),
                format!("{:.1}", messages as f64 / reads.max(1) as f64),
                format!("{:.0}", bytes as f64 / messages.max(1) as f64),
            ],
        );
    }
    let best = [rate(PLAIN.title), rate(HELLO.title)].into_iter().flatten().reduce(f64::max);
    let bar = |best| {
        let what = format!("{}, {PAYLOAD} bytes: messages at the receivers, plain or hello", shape.heading);
        Bar::at_least(what, Figure::PerSecond(best), Figure::PerSecond(200_000.0))
    };
    let Pressure { outstanding, .. } = shape.pressure;
    Section {
        heading: shape.heading.clone(),
        intro: format!(
            "A step sets items of {PAYLOAD} bytes of JSON, up to {} at a time of which not all clients have heard. Counted in the bench, which \
            reads all connections on one thread; median of {} rounds, in turn; CPU is that of the engine + the worker.",
            thousands(outstanding as f64),
            lab.method.rounds
        ),
        grid,
        bars: best.filter(|_| shape.barred).map(bar).into_iter().collect(),
        ..Section::default()
    }
}
