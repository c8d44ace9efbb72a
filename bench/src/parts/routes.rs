//! Whether routes cost those who ask for others.

use anyhow::Result;

use crate::candidate::{Candidate, MANY_ROUTES, MOTIA};
use crate::compare::{Comparison, Table};
use crate::generate;
use crate::lab::Lab;
use crate::report::figure::{Bar, Figure};
use crate::report::section::Section;
use crate::scenario::Scenario;

const MANY: usize = 1000;

pub(crate) fn run(lab: &Lab) -> Result<Vec<Section>> {
    let candidate = |name, title, count| -> Result<Candidate> {
        let folder = lab.scratch.generate(name, &generate::routes(count), false)?;
        Ok(Candidate { ready: "/routes/last", ..lab.ours_in(name, title, folder) })
    };
    let candidates = vec![
        candidate(MOTIA, "motia, 1 route", 1)?,
        candidate(MANY_ROUTES, "motia, 1,000 routes, the last is asked", MANY)?,
    ];
    let tables =
        Comparison { candidates, scenarios: vec![Scenario::last_route()], connections: vec![1, 64] }.run(lab)?;
    let section =
        |table: &Table| Section { bars: bar(table).into_iter().collect(), ..table.section(&[(MOTIA, "1 route")]) };
    Ok(tables.iter().map(section).collect())
}

fn bar(table: &Table) -> Option<Bar> {
    let what = format!("1,000 routes against 1, {}, time per request", table.connections());
    Some(Bar::at_most(what, table.ratio(MOTIA, MANY_ROUTES)?, Figure::Times(1.1)))
}
