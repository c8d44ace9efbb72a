//! How much memory a server needs, and whether it goes on growing.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::calm::Watch;
use crate::candidate::{self, Candidate, LEAN, MOTIA};
use crate::child::Running;
use crate::lab::{Lab, say};
use crate::load::Load;
use crate::proc::{self, Memory};
use crate::report::figure::{Bar, Figure, megabytes, thousands};
use crate::report::section::{Grid, Section};
use crate::scenario::Scenario;

const CONNECTIONS: usize = 64;
/// How often memory is looked at while it may grow, evenly.
const LOOKS: u64 = 10;
/// What V8 has not collected yet goes up and down: of so many looks the smallest counts.
const OF: usize = 3;
const LONGEST: Duration = Duration::from_secs(120);

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let lean = lab.ours(LEAN, "motia, standby: false", "api", "standby: false")?;
    let mut candidates = vec![lean.clone(), lab.ours(MOTIA, "motia, with its spare worker (default)", "api", "")?];
    candidates.extend(candidate::peers(&lab.bench));
    Ok(vec![footprints(lab, &lab.choice.candidates(candidates))?, growth(lab, &lean)?])
}

fn footprints(lab: &Lab, candidates: &[Candidate]) -> Result<Section> {
    let watch = Watch::begin(&lab.clock);
    let mut grid = Grid::new(&["idle", "of that the engine", "after load", "processes"]);
    let mut bars = Vec::new();
    for candidate in candidates {
        say(&format!("memory: {}", candidate.name));
        let running = lab.start(candidate)?;
        let idle = settled(lab, &running)?;
        for scenario in [Scenario::get(), Scenario::post()] {
            lab.load(&running, &scenario, CONNECTIONS, (Duration::ZERO, lab.method.length))?;
        }
        let after = settled(lab, &running)?;
        lab.stop(candidate, running)?;
        let engine = if candidate.is_motia() { megabytes(idle.root as f64) } else { "–".into() };
        let total = |memory: Memory| megabytes(memory.total() as f64);
        grid.row(&candidate.title, vec![total(idle), engine, total(after), after.processes.to_string()]);
        if candidate.name == LEAN {
            bars = idle_bars(idle);
        }
    }
    Ok(Section {
        heading: "Two routes, one candidate at a time".into(),
        intro: format!(
            "PSS of all processes, MB of 1,000,000 bytes: {0:?} after the start, and {0:?} after {1:?} each of GET and POST with {CONNECTIONS} \
            connections.",
            lab.method.settle, lab.method.length
        ),
        grid,
        bars,
        elsewhere: watch.end(),
        ..Section::default()
    })
}

fn idle_bars(idle: Memory) -> Vec<Bar> {
    let memory = |bytes| Figure::Memory(bytes);
    vec![
        Bar::at_most("idle, the engine alone", memory(idle.root as f64), memory(40e6)),
        Bar::at_most("idle, the engine and one worker", memory(idle.total() as f64), memory(120e6)),
    ]
}

/// From a fifth of the calls on.
fn growth(lab: &Lab, candidate: &Candidate) -> Result<Section> {
    let watch = Watch::begin(&lab.clock);
    let running = lab.start(candidate)?;
    let mut looks = Vec::new();
    for look in 1..=LOOKS {
        // Both kinds: half of the calls have a body.
        for scenario in [Scenario::get(), Scenario::post()] {
            let requests = scenario.requests(CONNECTIONS);
            let most = lab.method.calls / LOOKS / 2;
            let load = Load { most, ..Load::new(running.address, requests, scenario.status, LONGEST) };
            let outcome = load.run(&lab.clock)?;
            let (refused, broken, answers) = (outcome.refused, outcome.broken, outcome.answers);
            ensure!(refused + broken == 0 && answers == most, "{answers} answers, {refused} refused, {broken} broken");
        }
        let made = lab.method.calls / LOOKS * look;
        say(&format!("memory: {made} calls"));
        if look > 1 {
            looks.push((made, settled(lab, &running)?));
        }
    }
    lab.stop(candidate, running)?;
    Ok(Section { elsewhere: watch.end(), ..growth_section(&candidate.title, &looks, lab.method.settle) })
}

fn growth_section(title: &str, looks: &[(u64, Memory)], settle: Duration) -> Section {
    let mut grid = Grid::new(&["engine", "worker", "all"]);
    for (made, memory) in looks {
        let cells = [memory.root, memory.below, memory.total()];
        let calls = format!("after {} calls", thousands(*made as f64));
        grid.row(&calls, cells.map(|bytes| megabytes(bytes as f64)).to_vec());
    }
    let smallest = |looks: &[(u64, Memory)], of: fn(Memory) -> u64| {
        looks.iter().map(|(_, memory)| of(*memory)).min().unwrap_or_default().max(1) as f64
    };
    let (first, last) = (&looks[..OF.min(looks.len())], &looks[looks.len().saturating_sub(OF)..]);
    let grown = |of| Figure::Percent((smallest(last, of) / smallest(first, of) - 1.0) * 100.0);
    let all = [grown(|memory| memory.root), grown(|memory| memory.below), grown(Memory::total)];
    grid.row("growth", all.map(|figure| figure.to_string()).to_vec());
    let made = |looks: Option<&(u64, Memory)>| thousands(looks.map_or(0, |(made, _)| *made) as f64);
    let what = format!("growth between {} and {} calls", made(looks.first()), made(looks.last()));
    Section {
        heading: format!("Growth, {title}"),
        intro: format!(
            "PSS {settle:?} after the calls, GET and POST in turn with {CONNECTIONS} connections. What V8 has not collected yet goes up \
            and down: growth is from the smallest of the first {OF} looks to the smallest of the last {OF}."
        ),
        grid,
        bars: vec![Bar::at_most(what, grown(Memory::total), Figure::Percent(5.0))],
        ..Section::default()
    }
}

fn settled(lab: &Lab, running: &Running) -> Result<Memory> {
    thread::sleep(lab.method.settle);
    proc::memory(running.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_between_the_smallest() {
        let looks: Vec<_> = [70, 100, 60, 90, 80, 63, 99]
            .iter()
            .zip(2..)
            .map(|(below, look)| (look * 100_000, Memory { root: 40_000_000, below: below * 1_000_000, processes: 2 }))
            .collect();
        let text = growth_section("motia", &looks, Duration::from_secs(10)).markdown();
        for line in [
            "| after 200,000 calls | 40 MB | 70 MB | 110 MB |",
            "| growth | 0.0 % | 5.0 % | 3.0 % |",
            "- growth between 200,000 and 800,000 calls: 3.0 %, bar ≤ 5 %: met",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
    }
}
