//! The method of a comparison: candidates that run side by side and are asked in turn.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::calm::{Elsewhere, Watch};
use crate::candidate::Candidate;
use crate::child::Running;
use crate::client;
use crate::lab::{Lab, say};
use crate::proc;
use crate::scenario::Scenario;
use crate::stats::{Round, Summary};

/// How a round begins without being counted, beside the warm-up before all rounds.
const LEAD_IN: Duration = Duration::from_millis(250);
/// For one question of the check.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is compared: everyone is asked everything with every number of connections.
pub(crate) struct Comparison {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) connections: Vec<usize>,
}

/// One scenario with one number of connections.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) scenario: Scenario,
    pub(crate) connections: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) elsewhere: Elsewhere,
}

/// One candidate in a table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) summary: Summary,
    /// Whether it refused a body that breaks the schema, where there is one.
    pub(crate) checks_bodies: Option<bool>,
}

impl Table {
    /// Of a row whose every answer was right.
    pub(crate) fn valid(&self, name: &str) -> Option<&Summary> {
        self.rows.iter().find(|row| row.name == name).map(|row| &row.summary).filter(|summary| summary.valid())
    }
}

impl Comparison {
    /// On candidates that all run the whole time: one that is not asked does nothing.
    pub(crate) fn run(self, lab: &Lab) -> Result<Vec<Table>> {
        let candidates = lab.choice.candidates(self.candidates);
        let mut running = Vec::new();
        for candidate in &candidates {
            running.push((candidate, lab.start(candidate)?));
        }
        let mut tables = Vec::new();
        for scenario in lab.choice.scenarios(self.scenarios) {
            for connections in &self.connections {
                let takes_part = |candidate: &Candidate| {
                    *connections >= candidate.least_connections && !scenario.without.contains(&candidate.name)
                };
                let all: Vec<_> = running.iter().filter(|(candidate, _)| takes_part(candidate)).collect();
                tables.push(table(lab, &all, &scenario, *connections)?);
            }
        }
        for (candidate, running) in running {
            lab.stop(candidate, running)?;
        }
        Ok(tables)
    }
}

fn table(lab: &Lab, all: &[&(&Candidate, Running)], scenario: &Scenario, connections: usize) -> Result<Table> {
    let mut checks = Vec::new();
    for (candidate, running) in all {
        let name = candidate.name;
        say(&format!("{}, {connections} connections: {name} warms up", scenario.name));
        checks.push(check(running, scenario).with_context(|| format!("{name} does not do what is measured"))?);
        lab.load(running, scenario, connections, (LEAD_IN, lab.method.warm_up))?;
    }
    let mut rounds = vec![Vec::new(); all.len()];
    for number in 1..=lab.method.rounds {
        for ((candidate, running), rounds) in all.iter().zip(&mut rounds) {
            let measured = round(lab, candidate, running, scenario, connections)?;
            let (name, rate) = (candidate.name, measured.rate);
            say(&format!("{}, {connections} connections, round {number}: {name} {rate:.0}/s", scenario.name));
            rounds.push(measured);
        }
    }
    let elsewhere: Vec<_> = rounds.iter().flatten().map(|round| round.elsewhere).collect();
    let rows = all.iter().zip(&rounds).zip(checks).map(|(((candidate, _), rounds), checks_bodies)| Row {
        name: candidate.name,
        title: candidate.title.clone(),
        summary: Summary::of(rounds),
        checks_bodies,
    });
    let (rows, scenario) = (rows.collect(), scenario.clone());
    Ok(Table { scenario, connections, rows, elsewhere: Elsewhere::middle(&elsewhere) })
}

fn round(
    lab: &Lab,
    candidate: &Candidate,
    running: &Running,
    scenario: &Scenario,
    connections: usize,
) -> Result<Round> {
    let cpu = || (proc::cpu(running.id()), candidate.companion.map(proc::cpu).unwrap_or_default(), proc::own_cpu());
    let (before, watch) = (cpu(), Watch::begin(&lab.clock));
    let outcome = lab.load(running, scenario, connections, (LEAD_IN, lab.method.length))?;
    let (elsewhere, after) = (watch.end(), cpu());
    let mut spent = after.0.since(before.0);
    spent.below += after.1.since(before.1).total();
    Ok(Round {
        rate: outcome.latencies.total() as f64 / lab.method.length.as_secs_f64(),
        p50: outcome.latencies.quantile(0.5),
        p99: outcome.latencies.quantile(0.99),
        refused: outcome.refused,
        broken: outcome.broken,
        answers: outcome.answers,
        cpu: spent,
        generator: after.2.saturating_sub(before.2),
        elsewhere,
    })
}

/// Whether the candidate answers what all must answer. Tells whether it refuses a body that breaks the schema; none where there is
/// no such body.
fn check(running: &Running, scenario: &Scenario) -> Result<Option<bool>> {
    let request = scenario.requests(1).pop().ok_or_else(|| anyhow!("no request"))?;
    let (status, body) = client::ask(running.address, &request, PATIENCE)?;
    scenario.check(status, &body)?;
    let Some(bad) = scenario.bad_request() else { return Ok(None) };
    let (status, _) = client::ask(running.address, &bad, PATIENCE)?;
    Ok(Some((400..500).contains(&status)))
}
