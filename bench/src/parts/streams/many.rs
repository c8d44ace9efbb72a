//! Many connections: what each costs while it only waits, and how long it takes until all have come at once.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::sets::Sets;
use super::{AT_ONCE, PAYLOAD, PEER, PLAIN, Variant};
use crate::calm::Watch;
use crate::child::Running;
use crate::crowd::{Crowd, Watcher};
use crate::lab::{Lab, say};
use crate::proc::{self, Memory};
use crate::report::figure::{megabytes, thousands, time};
use crate::report::section::{Grid, Section};
use crate::stats::{median, quantile};

/// Storms take long where connections are dropped.
const STORMS: usize = 3;
/// The kernel tries again for about two minutes.
const LONGEST: Duration = Duration::from_secs(180);

/// Connections that wait, each with a group of its own.
pub(super) fn idle(lab: &Lab, connections: usize) -> Result<Section> {
    let watch = Watch::begin(&lab.clock);
    let mut grid = Grid::new(&["before", "with them", "of that each", "once they are gone", "the engine alone, each"]);
    for candidate in super::candidates(lab)? {
        say(&format!("streams: {connections} idle connections to {}", candidate.name));
        let running = lab.start(&candidate)?;
        let variant = if candidate.is_motia() { PLAIN } else { PEER };
        let before = settled(lab, &running)?;
        let crowd = variant.crowd(lab, &running, (0..connections).map(|client| format!("idle-{client}")))?;
        let with = settled(lab, &running)?;
        crowd.all_live()?;
        drop(crowd);
        let after = settled(lab, &running)?;
        lab.stop(&candidate, running)?;
        let total = |memory: Memory| megabytes(memory.total() as f64);
        let each = |of: fn(Memory) -> u64| {
            format!("{:.1} KB", of(with).saturating_sub(of(before)) as f64 / connections as f64 / 1e3)
        };
        let engine = if candidate.is_motia() { each(|memory| memory.root) } else { "–".into() };
        grid.row(variant.title, vec![total(before), total(with), each(Memory::total), total(after), engine]);
    }
    Ok(Section {
        heading: format!("{} connections that wait", thousands(connections as f64)),
        intro: format!(
            "Each has joined a group of its own, which is empty. PSS of all processes {:?} after the start, after the last has joined, and \
            after all have hung up; what the kernel keeps for sockets is not in it.",
            lab.method.settle
        ),
        grid,
        notes: fewer(connections, lab),
        elsewhere: watch.end(),
        ..Section::default()
    })
}

fn settled(lab: &Lab, running: &Running) -> Result<Memory> {
    thread::sleep(lab.method.settle);
    proc::memory(running.id())
}

/// Says where the machine does not allow what is asked for.
fn fewer(connections: usize, lab: &Lab) -> Vec<String> {
    let allowed = lab.method.quick || connections >= 10_000;
    let note = "**Fewer than 10,000**: a process may not open as many files here (`ulimit -Hn`).";
    (!allowed).then(|| note.to_owned()).into_iter().collect()
}

/// How they come.
#[derive(Clone, Copy)]
struct Rush {
    title: &'static str,
    /// So many are between connect and sync at a time; none is all of them.
    at_once: Option<usize>,
}

/// A server's queue of new connections is shorter than a real storm, and what does not fit in is dropped. The other one fits in: it shows what
/// the server itself can do.
const RUSHES: [Rush; 2] =
    [Rush { title: "all at once", at_once: None }, Rush { title: "100 at a time", at_once: Some(AT_ONCE) }];

/// All connect and join one group.
pub(super) fn storm(lab: &Lab, connections: usize, items: u64) -> Result<Section> {
    let (running, variants) = super::started(lab, &[PLAIN, PEER])?;
    let sets = Sets { group: "storm".into(), groups: 1, items, bytes: PAYLOAD };
    for (_, running) in &running {
        sets.make(&mut lab.client(running)?, 0, items)?;
    }
    let watch = Watch::begin(&lab.clock);
    let rows = RUSHES.iter().flat_map(|rush| variants.iter().map(|variant| (variant.clone(), *rush, Vec::new())));
    let mut rows: Vec<(Variant, Rush, Vec<f64>)> = rows.collect();
    let mut bytes = 0;
    let rounds = lab.method.rounds.min(STORMS);
    // None warms up: a storm comes when it comes.
    for number in 1..=rounds {
        for (variant, rush, times) in &mut rows {
            let Some(running) = variant.of(&running) else { continue };
            let watcher = Watcher { groups: vec!["storm-0".into()], hello: variant.hello, reads: true };
            let (took, crowd) = lab.time(|| {
                Crowd::gather(running.address, vec![watcher; connections], rush.at_once.unwrap_or(connections))
                    .synced(lab.clock.as_ref(), LONGEST)
                    .with_context(|| variant.title)
            })?;
            say(&format!("streams, storm {number}: {}, {}: {}", variant.title, rush.title, time(took)));
            times.push(took.as_secs_f64());
            bytes = crowd.heard().counts().bytes / connections as u64;
        }
    }
    let elsewhere = watch.end();
    super::stop(lab, running)?;
    let mut grid = Grid::new(&["until the last is told", "the longest", "joins/s"]);
    for (variant, rush, times) in &rows {
        let seconds = [median(times), quantile(times, 1.0)];
        let [middle, longest] = seconds.map(|seconds| time(Duration::from_secs_f64(seconds)));
        let rate = thousands(connections as f64 / seconds[0]);
        grid.row(&format!("{}, {}", variant.title, rush.title), vec![middle, longest, rate]);
    }
    let mut notes = fewer(connections, lab);
    notes.push(
        "What does not fit into a server's queue of new connections is dropped, and the kernel tries again, later each time: with all at once \
        the figure is mostly that."
            .into(),
    );
    Ok(Section {
        heading: format!("{} clients that come at once", thousands(connections as f64)),
        intro: format!(
            "From the first connect until the last has its sync of {items} items of {PAYLOAD} bytes ({} bytes on the wire); one group. Median \
            of {rounds} storms, in turn.",
            thousands(bytes as f64)
        ),
        grid,
        notes,
        elsewhere,
        ..Section::default()
    })
}
