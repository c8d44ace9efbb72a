//! What a request costs, beside servers that do the same.

use anyhow::Result;

use crate::candidate::{self, ENFORCE, FASTIFY, MOTIA, UNTRACED};
use crate::compare::{Comparison, Table};
use crate::lab::Lab;
use crate::report::comparison::PEERS;
use crate::report::figure::{Bar, Figure};
use crate::report::section::Section;
use crate::scenario::Scenario;

/// Requests per second of the original in its recorded runs: it is too slow to run beside.
const ORIGINAL: f64 = 7.0;

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let mut candidates = vec![
        lab.ours(ENFORCE, "motia, validation: \"enforce\"", "api", "validation: 'enforce'")?,
        lab.ours(MOTIA, "motia, by default (\"warn\")", "api", "")?,
        lab.ours(UNTRACED, "motia, tracing: false", "api", "tracing: false")?,
    ];
    candidates.extend(candidate::peers(&lab.bench));
    let scenarios = vec![Scenario::get(), Scenario::post()];
    let tables = Comparison { candidates, scenarios, connections: lab.method.connections.clone() }.run(lab)?;
    Ok(tables.iter().map(|table| Section { bars: bars(table), ..table.section(&PEERS) }).collect())
}

fn bars(table: &Table) -> Vec<Bar> {
    if table.scenario.name != "POST" {
        return Vec::new();
    }
    let ratio = table.ratio(ENFORCE, FASTIFY);
    let original = table.valid(ENFORCE).map(|ours| Figure::Times(ours.rate / ORIGINAL));
    let over = table.over(ENFORCE, FASTIFY);
    let bars = match table.connections {
        1 => vec![over.map(|over| {
            Bar::at_most("POST, enforce, 1 connection, p50 beside Fastify + Ajv's", over, Figure::Over(80.0))
        })],
        64 => vec![
            ratio.map(|ratio| {
                Bar::at_least("POST, enforce, 64 connections, beside Fastify + Ajv", ratio, Figure::Times(1.5))
            }),
            original.map(|ratio| {
                Bar::at_least(
                    "POST, enforce, 64 connections, beside the original's recorded 7/s",
                    ratio,
                    Figure::Times(1000.0),
                )
            }),
        ],
        _ => Vec::new(),
    };
    bars.into_iter().flatten().collect()
}
