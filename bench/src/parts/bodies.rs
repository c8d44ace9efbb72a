//! What it costs to carry large bodies to a handler.

use anyhow::Result;

use crate::candidate::{Candidate, FASTIFY, MOTIA};
use crate::compare::Comparison;
use crate::lab::Lab;
use crate::report::comparison::PEERS;
use crate::report::section::Section;
use crate::scenario::Scenario;

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let candidates = vec![
        lab.ours(MOTIA, "motia", "bodies", "")?,
        Candidate::peer(FASTIFY, "Fastify, bodyLimit raised", &lab.bench, "bodies"),
    ];
    let scenarios = vec![Scenario::json(), Scenario::bytes()];
    let tables = Comparison { candidates, scenarios, connections: vec![1, 8] }.run(lab)?;
    Ok(tables.iter().map(|table| table.section(&PEERS[..1])).collect())
}
