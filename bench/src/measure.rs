//! The method: what is started when, and asked for how long.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use motia_core::Clock;
use serde_json::Value;

use crate::candidate::Candidate;
use crate::child::Running;
use crate::load::{self, Load, Outcome};
use crate::proc;
use crate::report::{Footprint, Row, Table};
use crate::scenario::Scenario;
use crate::stats::{Round, Summary, median};

/// How a round begins without being counted, beside the warm-up before all rounds.
const LEAD_IN: Duration = Duration::from_millis(250);

/// How long, how often, with how many.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) length: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) rounds: usize,
    /// From the end of the load to the look at the memory.
    pub(crate) settle: Duration,
    pub(crate) starts: usize,
    pub(crate) connections: Vec<usize>,
}

/// Runs the method.
pub(crate) struct Bench<'a> {
    pub(crate) method: Method,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) scenarios: Vec<Scenario>,
    /// What a candidate is asked until it answers.
    pub(crate) question: Vec<u8>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) logs: &'a Path,
}

impl Bench<'_> {
    /// Every candidate alone on the machine: how soon it answers, and what memory it needs. The first start is kept apart from the
    /// others, as it may have something to compile.
    pub(crate) fn footprints(&self) -> Result<Vec<Footprint>> {
        let mut starts = vec![Vec::new(); self.candidates.len()];
        let mut footprints = Vec::new();
        for start in 0..self.method.starts {
            for (candidate, times) in self.candidates.iter().zip(&mut starts) {
                progress(&format!("start {} of {}: {}", start + 1, self.method.starts, candidate.name));
                let running = self.start(candidate)?;
                times.push(running.ready);
                if start + 1 == self.method.starts {
                    footprints.push(self.footprint(candidate, &running, times)?);
                }
                stop(candidate, running)?;
            }
        }
        Ok(footprints)
    }

    fn footprint(&self, candidate: &Candidate, running: &Running, starts: &[Duration]) -> Result<Footprint> {
        let connections = self.method.connections.iter().copied().max().unwrap_or(1);
        for scenario in &self.scenarios {
            self.load(running, scenario, connections, self.method.length)?;
        }
        thread::sleep(self.method.settle);
        let (memory, processes) = proc::memory(running.id())?;
        let later: Vec<f64> = starts.iter().skip(1).map(Duration::as_secs_f64).collect();
        let first = starts.first().copied().unwrap_or_default();
        Ok(Footprint {
            title: candidate.title,
            first,
            ready: Duration::from_secs_f64(median(&later)),
            memory,
            processes,
        })
    }

    /// Every scenario with every number of connections, on candidates that all run the whole time: one that is not asked does
    /// nothing.
    pub(crate) fn tables(&self) -> Result<Vec<Table>> {
        let mut running = Vec::new();
        for candidate in &self.candidates {
            let started = self.start(candidate)?;
            running.push((candidate, started));
        }
        let mut tables = Vec::new();
        for scenario in &self.scenarios {
            for connections in &self.method.connections {
                tables.push(self.table(&running, scenario, *connections)?);
            }
        }
        for (candidate, running) in running {
            stop(candidate, running)?;
        }
        Ok(tables)
    }

    fn table(&self, all: &[(&Candidate, Running)], scenario: &Scenario, connections: usize) -> Result<Table> {
        let taking_part: Vec<_> =
            all.iter().filter(|(candidate, _)| connections >= candidate.least_connections).collect();
        let mut checks = Vec::new();
        for (candidate, running) in &taking_part {
            let name = candidate.name;
            progress(&format!("{}, {connections} connections: {name} warms up", scenario.name));
            checks.push(check(running, scenario).with_context(|| format!("{name} does not do what is measured"))?);
            self.load(running, scenario, connections, self.method.warm_up)?;
        }
        let mut rounds = vec![Vec::new(); taking_part.len()];
        for round in 0..self.method.rounds {
            for ((candidate, running), rounds) in taking_part.iter().zip(&mut rounds) {
                let measured = self.round(running, scenario, connections)?;
                let (name, rate) = (candidate.name, measured.rate);
                progress(&format!(
                    "{}, {connections} connections, round {}: {name} {rate:.0}/s",
                    scenario.name,
                    round + 1
                ));
                rounds.push(measured);
            }
        }
        let rows = taking_part.iter().zip(&rounds).zip(checks).map(|(((candidate, _), rounds), checks_bodies)| Row {
            name: candidate.name,
            title: candidate.title,
            summary: Summary::of(rounds),
            checks_bodies,
        });
        let share = |figure: fn(&Round) -> f64| median(&rounds.iter().flatten().map(figure).collect::<Vec<_>>());
        Ok(Table {
            heading: format!("{} {}", scenario.method, scenario.path),
            body_length: scenario.body_length(),
            connections,
            rows: rows.collect(),
            foreign: share(|round| round.foreign),
            stolen: share(|round| round.stolen),
        })
    }

    fn round(&self, running: &Running, scenario: &Scenario, connections: usize) -> Result<Round> {
        let (cpu, generator, machine) = (proc::cpu(running.id()), proc::own_cpu(), proc::machine());
        let began = self.clock.elapsed();
        let outcome = self.load(running, scenario, connections, self.method.length)?;
        let took = self.clock.elapsed() - began;
        let now = proc::cpu(running.id());
        let cpu = proc::Cpu { root: now.root.saturating_sub(cpu.root), below: now.below.saturating_sub(cpu.below) };
        let generator = proc::own_cpu().saturating_sub(generator);
        let machine_now = proc::machine();
        let busy = machine_now.busy.saturating_sub(machine.busy);
        let foreign = busy.saturating_sub(cpu.root + cpu.below + generator);
        let stolen = machine_now.stolen.saturating_sub(machine.stolen);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let share = |time: Duration| time.as_secs_f64() / (took.as_secs_f64() * cores as f64);
        Ok(Round {
            rate: outcome.latencies.total() as f64 / self.method.length.as_secs_f64(),
            p50: outcome.latencies.quantile(0.5),
            p99: outcome.latencies.quantile(0.99),
            refused: outcome.refused,
            broken: outcome.broken,
            answers: outcome.answers,
            cpu,
            generator,
            foreign: share(foreign),
            stolen: share(stolen),
        })
    }

    fn load(&self, running: &Running, scenario: &Scenario, connections: usize, length: Duration) -> Result<Outcome> {
        let request = scenario.request();
        let status = scenario.status;
        Load { target: running.address, request: &request, status, connections, lead_in: LEAD_IN, length }
            .run(&self.clock)
    }

    fn start(&self, candidate: &Candidate) -> Result<Running> {
        Running::start(candidate, &self.question, self.logs, &self.clock)
    }
}

/// Whether the candidate answers what all must answer. Tells whether it refuses a body that breaks the schema; none where there is
/// no body.
fn check(running: &Running, scenario: &Scenario) -> Result<Option<bool>> {
    let (status, body) = load::ask(running.address, &scenario.request())?;
    let text = String::from_utf8_lossy(&body);
    ensure!(status == scenario.status, "{} is answered by {status}: {text}", scenario.name);
    let found: Value = serde_json::from_slice(&body).with_context(|| format!("not JSON: {text}"))?;
    ensure!(found == scenario.answer, "{} is answered by {found} instead of {}", scenario.name, scenario.answer);
    let Some(bad) = scenario.bad_request() else { return Ok(None) };
    let (status, _) = load::ask(running.address, &bad)?;
    Ok(Some((400..500).contains(&status)))
}

fn stop(candidate: &Candidate, running: Running) -> Result<()> {
    if !running.stop()? {
        eprintln!("motia-bench: {} did not end when asked to and was killed", candidate.name);
    }
    Ok(())
}

fn progress(text: &str) {
    eprintln!("motia-bench: {text}");
}
