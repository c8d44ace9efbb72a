//! How soon a saved step is live in `motia dev`, and whether anyone notices.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::calm::Watch;
use crate::candidate::MOTIA;
use crate::child::Running;
use crate::client;
use crate::generate;
use crate::lab::{Lab, say};
use crate::load::{Load, Outcome};
use crate::report::figure::{Bar, Figure, thousands, time};
use crate::report::section::{Grid, Section};
use crate::scenario::Scenario;
use crate::stats::{median, quantile};

const STEPS: usize = 30;
/// How many ask meanwhile, and how long each rests after an answer: enough to catch a gap, not so much that the load is measured.
const ASKERS: usize = 8;
const REST: Duration = Duration::from_millis(5);
/// Between saves: as long as it takes to read an answer, and the next spare worker is there.
const BETWEEN: Duration = Duration::from_millis(400);
/// Between two looks for the new answer.
const LOOK: Duration = Duration::from_millis(1);
const LIVE_WITHIN: Duration = Duration::from_secs(20);

/// What came of many saves.
struct Saves {
    title: &'static str,
    /// From the save to the new answer, in seconds.
    live: Vec<f64>,
    /// The engine's own figure, in seconds: from the change it saw to the code that serves, the worker's import included.
    own: Vec<f64>,
    /// What those who asked meanwhile saw.
    load: Option<Outcome>,
}

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let folder = lab.scratch.generate("reload-zod", &generate::with_zod(STEPS), true)?;
    let candidate = lab.ours_in(MOTIA, "motia dev", folder.clone()).in_development();
    let running = lab.start(&candidate)?;
    let watch = Watch::begin(&lab.clock);
    let mut saves = Saver { lab, running: &running, folder: &folder, answer: 0 };
    let quiet = saves.quiet()?;
    let asked = saves.asked()?;
    let import = import(lab, &folder)?;
    let elsewhere = watch.end();
    lab.stop(&candidate, running)?;
    let mut grid = Grid::new(&[
        "p50",
        "p95",
        "longest",
        "`RELOADED in`, p50",
        "`RELOADED in`, p95",
        "requests meanwhile",
        "failed",
    ]);
    for all in [&quiet, &asked] {
        grid.row(all.title, all.cells());
    }
    Ok(vec![Section {
        heading: format!("A project of {STEPS} TypeScript steps with zod"),
        intro: format!(
            "{} saves of one step, each with a new answer that is asked for every millisecond. `RELOADED in` is the engine's own figure, \
            from its log: from the change that it saw to the code that serves, the import of all steps by the worker included.",
            lab.method.saves
        ),
        grid,
        bars: bars(&quiet, &asked, import),
        notes: vec![format!(
            "Node without Motia imports the same compiled files in {}. What is more in `RELOADED in` is the engine's own share.",
            time(Duration::from_secs_f64(import))
        )],
        elsewhere,
        ..Section::default()
    }])
}

/// What Node alone needs to import what Motia compiled, in the middle, in seconds.
fn import(lab: &Lab, project: &Path) -> Result<f64> {
    let compiled = project.join(".motia/compiled");
    let entries = fs::read_dir(&compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let generations = entries.flatten().filter(|entry| entry.path().is_dir());
    let newest = generations.max_by_key(|entry| entry.metadata().and_then(|metadata| metadata.modified()).ok());
    let newest = newest.with_context(|| format!("there is nothing in {}", compiled.display()))?.path();
    let mut millis = Vec::new();
    for _ in 0..lab.method.starts {
        let mut node = Command::new("node");
        let output = node.arg("micro/import.mjs").arg(&newest).current_dir(&lab.bench).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        millis.push(text.trim().parse::<f64>().with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?);
    }
    Ok(median(&millis) / 1000.0)
}

fn bars(quiet: &Saves, asked: &Saves, import: f64) -> Vec<Bar> {
    let p95 = |times: &[f64]| Figure::Duration(Duration::from_secs_f64(quantile(times, 0.95)));
    let mut bars = Vec::new();
    for all in [quiet, asked] {
        let most = Figure::Duration(Duration::from_millis(250));
        bars.push(Bar::at_most(format!("save to the new answer, p95, {}", all.title), p95(&all.live), most));
    }
    if !quiet.own.is_empty() {
        let own = Duration::from_secs_f64((quantile(&quiet.own, 0.95) - import).max(0.0));
        let most = Figure::Duration(Duration::from_millis(80));
        bars.push(Bar::at_most("save to the new answer, p95, the engine's own share", Figure::Duration(own), most));
    }
    if let Some(load) = &asked.load {
        bars.push(Bar::at_most("requests that fail while steps are saved", failed(load), Figure::Count(0)));
    }
    bars
}

fn failed(load: &Outcome) -> Figure {
    Figure::Count(load.refused + load.broken)
}

impl Saves {
    fn cells(&self) -> Vec<String> {
        let of = |times: &[f64], share| {
            if times.is_empty() { "–".into() } else { time(Duration::from_secs_f64(quantile(times, share))) }
        };
        let mut cells = vec![of(&self.live, 0.5), of(&self.live, 0.95), of(&self.live, 1.0)];
        cells.extend([of(&self.own, 0.5), of(&self.own, 0.95)]);
        let load = self.load.as_ref();
        cells.push(load.map_or_else(|| "–".into(), |load| thousands(load.answers as f64)));
        cells.push(load.map_or_else(|| "–".into(), |load| failed(load).to_string()));
        cells
    }
}

/// Saves and looks.
struct Saver<'a> {
    lab: &'a Lab,
    running: &'a Running,
    folder: &'a Path,
    answer: usize,
}

impl Saver<'_> {
    fn quiet(&mut self) -> Result<Saves> {
        let (live, own) = self.saves("quiet")?;
        Ok(Saves { title: "nobody else asks", live, own, load: None })
    }

    /// The same while others ask for another step.
    fn asked(&mut self) -> Result<Saves> {
        let scenario = Scenario::get();
        let stop = Arc::new(AtomicBool::new(false));
        // Much longer than it takes: the last save ends it.
        let length = 5 * BETWEEN * u32::try_from(self.lab.method.saves)?;
        let load = Load {
            pause: REST,
            stop: Arc::clone(&stop),
            ..Load::new(self.running.address, scenario.requests(ASKERS), scenario.status, length)
        };
        let clock = Arc::clone(&self.lab.clock);
        thread::scope(|scope| {
            let load = scope.spawn(|| load.run(&clock));
            let saves = self.saves("asked");
            stop.store(true, Ordering::Relaxed);
            let load = load.join().map_err(|_| anyhow!("the load panicked"))??;
            let (live, own) = saves?;
            Ok(Saves { title: "8 connections ask meanwhile", live, own, load: Some(load) })
        })
    }

    fn saves(&mut self, what: &str) -> Result<(Vec<f64>, Vec<f64>)> {
        let logged = self.log()?.len();
        let mut live = Vec::new();
        for number in 1..=self.lab.method.saves {
            thread::sleep(BETWEEN);
            live.push(self.save()?.as_secs_f64());
            if number % 10 == 0 {
                say(&format!("save {number} of {}, {what}", self.lab.method.saves));
            }
        }
        // Log lines come by a thread of their own.
        thread::sleep(BETWEEN);
        Ok((live, reload_times(&self.log()?[logged..])))
    }

    fn log(&self) -> Result<String> {
        let log = &self.running.log;
        fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))
    }

    /// From the save to the first new answer.
    fn save(&mut self) -> Result<Duration> {
        self.answer += 1;
        let text = generate::answer(self.answer);
        let mut client = self.lab.client(self.running)?;
        let before = client::number(&client.get("/answer")?, "answer")?;
        ensure!(before as usize + 1 == self.answer, "the answer before save {} is {before}", self.answer);
        let clock = &self.lab.clock;
        let began = clock.elapsed();
        fs::write(self.folder.join(generate::EDITED), text)?;
        loop {
            let answer = client::number(&client.get("/answer")?, "answer")?;
            let took = clock.elapsed() - began;
            if answer as usize == self.answer {
                return Ok(took);
            }
            ensure!(took < LIVE_WITHIN, "save {} is not live after {LIVE_WITHIN:?}", self.answer);
            thread::sleep(LOOK);
        }
    }
}

/// The seconds of `[RELOADED] … in 45 ms`.
fn reload_times(log: &str) -> Vec<f64> {
    let time = |line: &str| {
        let (_, text) = line.split_once("[RELOADED]")?;
        let millis: f64 = text.trim().strip_suffix(" ms")?.rsplit(' ').next()?.parse().ok()?;
        Some(millis / 1000.0)
    };
    log.lines().filter_map(time).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_own_figures_are_found_in_its_log() {
        let log = "➜ [CREATED] Step (API) steps/a.step.ts created\n➜ [RELOADED] steps/a.step.ts in 45 ms\n\
            hello in 3 ms\n➜ [RELOADED] 3 files in 120 ms\n➜ [RELOADED] in a moment\n";
        assert_eq!(reload_times(log), [0.045, 0.12]);
    }
}
