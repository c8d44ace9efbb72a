//! Steps in Python: requests beside FastAPI, events, the start, memory.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::calm::Watch;
use crate::candidate::{self, Candidate, FASTAPI, PYTHON, PYTHON_TWO, PYTHON_UVLOOP};
use crate::client;
use crate::compare::{Comparison, Table};
use crate::generate;
use crate::lab::{Lab, say};
use crate::proc;
use crate::report::comparison::Reference;
use crate::report::figure::{Bar, Figure, megabytes, thousands, time};
use crate::report::section::{Grid, Section};
use crate::scenario::Scenario;
use crate::scratch;
use crate::stats::{median, quantile, spread};

const STEPS: usize = 30;
const PEER: [Reference; 1] = [(FASTAPI, "FastAPI")];
/// A constant of the measured sizes: fewer say little, more are in the part http.
const CONNECTIONS: [usize; 2] = [1, 64];

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let python = candidate::install_python(&lab.bench)?;
    let mut sections = requests(lab, &python)?;
    sections.extend([events(lab)?, start(lab)?, memory(lab, &python)?]);
    Ok(sections)
}

/// On the Python that FastAPI runs on.
fn on(candidate: Candidate, python: &Path) -> Candidate {
    candidate.with("MOTIA_PYTHON", &python.display().to_string())
}

fn requests(lab: &Lab, python: &Path) -> Result<Vec<Section>> {
    let two = Candidate {
        least_connections: 2,
        ..lab.ours(PYTHON_TWO, "motia, uvloop, workers: 2", "python", "workers: { python: 2 }")?
    };
    let mut candidates = vec![
        lab.ours(PYTHON, "motia, nothing installed", "python", "")?,
        on(lab.ours(PYTHON_UVLOOP, "motia, uvloop", "python", "")?, python),
        on(two, python),
    ];
    candidates.extend(candidate::python_peers(&lab.bench, python));
    let scenarios = vec![Scenario::get(), Scenario::post()];
    let tables = Comparison { candidates, scenarios, connections: CONNECTIONS.to_vec() }.run(lab)?;
    Ok(tables.iter().map(|table| Section { bars: bars(table), ..table.section(&PEER) }).collect())
}

fn bars(table: &Table) -> Vec<Bar> {
    if table.scenario.name != "GET" {
        return Vec::new();
    }
    let bar = |name: &str, title: &str| match table.connections {
        1 => table.over(name, FASTAPI).map(|over| {
            Bar::at_most(format!("Python, {title}, GET, 1 connection, p50 beside FastAPI's"), over, Figure::Over(0.0))
        }),
        _ => table.ratio(name, FASTAPI).map(|ratio| {
            let what = format!("Python, {title}, GET, {} connections, beside FastAPI", table.connections);
            Bar::at_least(what, ratio, Figure::Times(3.0))
        }),
    };
    [bar(PYTHON, "nothing installed"), bar(PYTHON_UVLOOP, "uvloop")].into_iter().flatten().collect()
}

/// Emitted by one request, handled by a step that does nothing.
fn events(lab: &Lab) -> Result<Section> {
    let candidate = lab.ours(PYTHON, "motia, nothing installed", "python", "")?;
    let running = lab.start(&candidate)?;
    let watch = Watch::begin(&lab.clock);
    let mut rates = Vec::new();
    for number in 0..=lab.method.rounds {
        // The first one warms up.
        let count = if number == 0 { lab.method.events / 5 } else { lab.method.events };
        let mut client = lab.client(&running)?;
        let (took, answer) = lab.time(|| client.post("/emit", json!({ "count": count })))?;
        let handled = client::number(&answer, "handled")?;
        ensure!(handled as u64 == count, "{handled} events were handled, and {count} emitted");
        let rate = count as f64 / took.as_secs_f64();
        say(&format!("python, round {number}: {rate:.0} events/s"));
        if number > 0 {
            rates.push(rate);
        }
    }
    let elsewhere = watch.end();
    lab.stop(&candidate, running)?;
    let mut grid = Grid::new(&["events/s", "spread"]);
    grid.row("motia, `asyncio.gather`", vec![thousands(median(&rates)), format!("{:.0} %", spread(&rates) * 100.0)]);
    Ok(Section {
        heading: format!("{} events through a trivial Python step", thousands(lab.method.events as f64)),
        intro: "From the request that emits all of them to its answer, once the last is handled; fsync on.".into(),
        grid,
        elsewhere,
        ..Section::default()
    })
}

fn start(lab: &Lab) -> Result<Section> {
    let folder = lab.scratch.generate("start-python", &generate::in_python(STEPS), false)?;
    let start = lab.ours_in(PYTHON, "motia start", folder.clone());
    let dev = Candidate { title: "motia dev".into(), ..start.clone().in_development() };
    let watch = Watch::begin(&lab.clock);
    let mut times = [dev, start].map(|candidate| (candidate, Vec::new(), Vec::new()));
    for number in 1..=lab.method.starts {
        for (candidate, cold, warm) in &mut times {
            say(&format!("start {number} of {}: {}, {STEPS} Python steps", lab.method.starts, candidate.title));
            scratch::forget(&folder)?;
            for times in [cold, warm] {
                let running = lab.start(candidate)?;
                times.push(running.ready.as_secs_f64());
                lab.stop(candidate, running)?;
            }
        }
    }
    let mut grid = Grid::new(&["cold, median", "warm, median", "warm, longest"]);
    let seconds = |seconds: f64| time(Duration::from_secs_f64(seconds));
    for (candidate, cold, warm) in &times {
        grid.row(&candidate.title, [median(cold), median(warm), quantile(warm, 1.0)].map(seconds).to_vec());
    }
    let warm = Figure::Duration(Duration::from_secs_f64(median(&times[0].2)));
    Ok(Section {
        heading: format!("The start of {STEPS} Python steps"),
        intro: format!("From exec to the first 200, {} starts of each kind in turn.", lab.method.starts),
        grid,
        bars: vec![Bar::at_most(
            "motia dev, 30 Python steps, warm",
            warm,
            Figure::Duration(Duration::from_millis(600)),
        )],
        elsewhere: watch.end(),
        ..Section::default()
    })
}

/// One worker more is what one worker costs.
fn memory(lab: &Lab, python: &Path) -> Result<Section> {
    let knobs = |workers: usize| format!("standby: false, workers: {{ python: {workers} }}");
    let watch = Watch::begin(&lab.clock);
    let mut grid = Grid::new(&["all", "processes"]);
    let mut totals = Vec::new();
    let mut candidates = Vec::new();
    for (name, workers, title) in [(PYTHON, 1, "motia, one worker"), (PYTHON_TWO, 2, "motia, two workers")] {
        candidates.push(lab.ours(name, title, "python", &knobs(workers))?);
    }
    candidates.extend(candidate::python_peers(&lab.bench, python));
    for candidate in &candidates {
        let running = lab.start(candidate)?;
        lab.load(&running, &Scenario::get(), 64, (Duration::ZERO, lab.method.length))?;
        thread::sleep(lab.method.settle);
        let memory = proc::memory(running.id())?;
        lab.stop(candidate, running)?;
        totals.push(memory.total());
        grid.row(&candidate.title, vec![megabytes(memory.total() as f64), memory.processes.to_string()]);
    }
    grid.row("motia, each further worker", vec![megabytes(totals[1].saturating_sub(totals[0]) as f64), "1".into()]);
    Ok(Section {
        heading: "Memory with steps in Python".into(),
        intro: "PSS of all processes after load, MB of 1,000,000 bytes. The config is read by a Node worker, which counts too.".into(),
        grid,
        elsewhere: watch.end(),
        ..Section::default()
    })
}
