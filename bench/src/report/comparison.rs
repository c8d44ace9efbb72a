//! The table of a comparison.

use crate::candidate::{FASTIFY, NODE_HTTP};
use crate::client::Body;
use crate::compare::{Row, Table};
use crate::report::figure::{Figure, thousands, time};
use crate::report::section::{Grid, Section};

/// Bodies of more bytes are told in bytes per second too.
const LARGE: usize = 100_000;

/// A candidate that the others are divided by, and what it is called there. The first one's p50 is subtracted too.
pub(crate) type Reference = (&'static str, &'static str);

/// Fastify and Node itself.
pub(crate) const PEERS: [Reference; 2] = [(FASTIFY, "Fastify"), (NODE_HTTP, "node:http")];

impl Table {
    /// As the report shows it.
    pub(crate) fn section(&self, references: &[Reference]) -> Section {
        let bytes = self.scenario.body.bytes().len();
        let mut columns = vec!["requests/s".to_owned()];
        if bytes > LARGE {
            columns.push("MB/s".into());
        }
        columns.extend(references.iter().map(|(_, label)| format!("× {label}")));
        columns.push("p50".into());
        columns.extend(references.first().map(|(_, label)| format!("p50 − {label}'s")));
        columns.extend(["p99", "spread", "CPU per request"].map(str::to_owned));
        let mut grid = Grid::new(&columns.iter().map(String::as_str).collect::<Vec<_>>());
        for row in &self.rows {
            grid.row(&row.title, self.cells(row, references, bytes));
        }
        let (heading, elsewhere, calibration) =
            (self.heading(), self.elsewhere, self.calibration().into_iter().collect());
        Section { heading, grid, notes: self.notes(), elsewhere, calibration, ..Section::default() }
    }

    fn heading(&self) -> String {
        let scenario = &self.scenario;
        let bytes = thousands(scenario.body.bytes().len() as f64);
        let body = match scenario.body {
            Body::None => String::new(),
            Body::Json(_) => format!(", {bytes} bytes of JSON"),
            Body::Bytes(_) => format!(", {bytes} bytes"),
        };
        format!("{} {}{body}, {}", scenario.method, scenario.path, self.connections())
    }

    /// "64 connections"
    pub(crate) fn connections(&self) -> String {
        format!("{} connection{}", self.connections, if self.connections == 1 { "" } else { "s" })
    }

    fn cells(&self, row: &Row, references: &[Reference], bytes: usize) -> Vec<String> {
        let summary = &row.summary;
        if !summary.valid() {
            let (refused, broken) = (summary.refused, summary.broken);
            return vec![format!("**invalid**: {refused} answers with a wrong status, {broken} broken connections")];
        }
        let mut cells = vec![thousands(summary.rate)];
        if bytes > LARGE {
            cells.push(thousands(summary.rate * bytes as f64 / 1e6));
        }
        for (name, _) in references {
            let peer = self.valid(name);
            cells.push(peer.map_or_else(|| "–".into(), |peer| format!("{:.2}", summary.rate / peer.rate)));
        }
        cells.push(time(summary.p50));
        if let Some((name, _)) = references.first() {
            let peer = self.valid(name).filter(|_| row.name != *name);
            let over = peer.map(|peer| Figure::Over((summary.p50.as_secs_f64() - peer.p50.as_secs_f64()) * 1e6));
            cells.push(over.map_or_else(|| "–".into(), |over| over.to_string()));
        }
        let cpu = match (summary.root_micros, summary.below_micros) {
            (root, below) if below < 0.05 => format!("{root:.0} µs"),
            (root, below) => format!("{root:.0} + {below:.0} µs"),
        };
        cells.extend([time(summary.p99), format!("{:.0} %", summary.spread * 100.0), cpu]);
        cells
    }

    fn notes(&self) -> Vec<String> {
        let unchecked: Vec<&str> =
            self.rows.iter().filter(|row| row.checks_bodies == Some(false)).map(|row| row.title.as_str()).collect();
        let mut notes = Vec::new();
        if !unchecked.is_empty() {
            notes.push(format!(
                "**{} did not refuse a body that breaks the schema; the others did.** That is work which is missing there.",
                unchecked.join(" and ")
            ));
        }
        let generator: f64 =
            self.rows.iter().map(|row| row.summary.generator_micros).sum::<f64>() / self.rows.len().max(1) as f64;
        notes.push(format!("The load itself takes {generator:.0} µs of CPU more per request."));
        notes
    }

    fn calibration(&self) -> Option<String> {
        let rate = self.valid(NODE_HTTP)?.rate;
        Some(format!("{} {}/s at {}", thousands(rate), self.scenario.method, self.connections))
    }

    /// How many times as fast as a peer; none if one of them was not measured, or spoilt.
    pub(crate) fn ratio(&self, name: &str, peer: &str) -> Option<Figure> {
        Some(Figure::Times(self.valid(name)?.rate / self.valid(peer)?.rate))
    }

    /// How much longer than a peer it takes, in the middle.
    pub(crate) fn over(&self, name: &str, peer: &str) -> Option<Figure> {
        let micros = |name| Some(self.valid(name)?.p50.as_secs_f64() * 1e6);
        Some(Figure::Over(micros(name)? - micros(peer)?))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::calm::Elsewhere;
    use crate::candidate::{ENFORCE, MOTIA};
    use crate::scenario::Scenario;
    use crate::stats::Summary;

    fn summary(rate: f64, p50: u64) -> Summary {
        Summary {
            rate,
            p50: Duration::from_micros(p50),
            p99: Duration::from_micros(3 * p50),
            spread: 0.034,
            root_micros: 21.4,
            generator_micros: 8.0,
            ..Summary::default()
        }
    }

    fn row(name: &'static str, title: &str, summary: Summary, checks: bool) -> Row {
        Row { name, title: title.into(), summary, checks_bodies: Some(checks) }
    }

    fn table() -> Table {
        let ours = Summary { below_micros: 19.0, ..summary(30_123.0, 900) };
        let broken = Summary { refused: 7, broken: 1, ..summary(9_000.0, 900) };
        Table {
            scenario: Scenario::post(),
            connections: 64,
            rows: vec![
                row(ENFORCE, "motia, enforce", ours.clone(), true),
                row(MOTIA, "motia, warn", ours, false),
                row(NODE_HTTP, "node:http + Ajv", summary(25_000.0, 1_200), true),
                row(FASTIFY, "Fastify + Ajv", summary(20_000.0, 1_500), true),
                row("express", "Express + Ajv", broken, true),
            ],
            elsewhere: Elsewhere { foreign: 0.012, stolen: 0.0 },
        }
    }

    #[test]
    fn a_table_compares_with_its_references() {
        let expected = "
#### POST /orders, 193 bytes of JSON, 64 connections

| | requests/s | × Fastify | × node:http | p50 | p50 − Fastify's | p99 | spread | CPU per request |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
| motia, enforce | 30,123 | 1.51 | 1.20 | 900 µs | -600 µs | 2.70 ms | 3 % | 21 + 19 µs |
| motia, warn | 30,123 | 1.51 | 1.20 | 900 µs | -600 µs | 2.70 ms | 3 % | 21 + 19 µs |
| node:http + Ajv | 25,000 | 1.25 | 1.00 | 1.20 ms | -300 µs | 3.60 ms | 3 % | 21 µs |
| Fastify + Ajv | 20,000 | 1.00 | 0.80 | 1.50 ms | – | 4.50 ms | 3 % | 21 µs |
| Express + Ajv | **invalid**: 7 answers with a wrong status, 1 broken connections | | | | | | | |

**motia, warn did not refuse a body that breaks the schema; the others did.** That is work which is missing there.

The load itself takes 8 µs of CPU more per request.
";
        let section = table().section(&PEERS);
        assert_eq!(section.markdown(), expected);
        assert_eq!(section.calibration, ["25,000 POST/s at 64"]);
    }

    #[test]
    fn without_a_valid_peer_there_are_no_ratios() {
        let mut table = table();
        table.rows[3].summary.broken = 1;
        let text = table.section(&PEERS).markdown();
        assert!(text.contains("| motia, warn | 30,123 | – | 1.20 | 900 µs | – |"), "{text}");
        assert_eq!((table.ratio(ENFORCE, FASTIFY), table.over(ENFORCE, FASTIFY)), (None, None));
        assert_eq!(table.ratio(ENFORCE, NODE_HTTP), Some(Figure::Times(30_123.0 / 25_000.0)));
        assert!(matches!(table.over(ENFORCE, NODE_HTTP), Some(Figure::Over(micros)) if (micros + 300.0).abs() < 1e-6));
    }

    #[test]
    fn large_bodies_are_told_in_bytes_per_second() {
        let table = Table { scenario: Scenario::bytes(), ..table() };
        let text = table.section(&PEERS[..1]).markdown();
        assert!(text.contains("#### POST /bytes, 8,388,608 bytes, 64 connections"), "{text}");
        assert!(text.contains("| | requests/s | MB/s | × Fastify | p50 |"), "{text}");
        assert!(text.contains("| 20,000 | 167,772 | 1.00 |"), "{text}");
    }
}
