//! The report, in Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use crate::candidate::{FASTIFY, MOTIA, NODE_HTTP};
use crate::machine::Setting;
use crate::measure::Method;
use crate::stats::Summary;

/// Where a report goes in a file.
const BEGIN: &str = "<!-- table -->";
const END: &str = "<!-- /table -->";

/// With more of the machine's CPU time going elsewhere, figures are not worth keeping.
const CALM: f64 = 0.05;

/// How soon a candidate answers, and its memory.
#[derive(Clone, Debug)]
pub(crate) struct Footprint {
    pub(crate) title: &'static str,
    /// The first start, with nothing compiled yet.
    pub(crate) first: Duration,
    /// The middle one of the others.
    pub(crate) ready: Duration,
    pub(crate) memory: u64,
    pub(crate) processes: usize,
}

/// One scenario with one number of connections.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) heading: String,
    pub(crate) body_length: usize,
    pub(crate) connections: usize,
    pub(crate) rows: Vec<Row>,
    /// Shares of the machine's CPU time that went elsewhere: to processes of others, to other machines.
    pub(crate) foreign: f64,
    pub(crate) stolen: f64,
}

/// One candidate in a table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) summary: Summary,
    /// Whether it refused a body that breaks the schema, where there is one.
    pub(crate) checks_bodies: Option<bool>,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) setting: Setting,
    pub(crate) method: Method,
    pub(crate) footprints: Vec<Footprint>,
    pub(crate) tables: Vec<Table>,
}

impl Report {
    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = self.head();
        for table in &self.tables {
            text += &table.markdown();
        }
        text += &self.footprints();
        text
    }

    fn head(&self) -> String {
        let Setting { date, commit, processor, cores, memory, kernel, load_average, node, motia, debug, fdatasync } =
            &self.setting;
        let Method { length, warm_up, rounds, .. } = &self.method;
        let memory = *memory as f64 / f64::from(1 << 30);
        let mut text = String::new();
        if *debug {
            text += "**motia is a debug build: its figures say nothing.**\n\n";
        }
        if self.tables.iter().any(|table| table.foreign.max(table.stolen) > CALM) {
            text += "**The machine was not calm: what else ran on it took part of the time. Measure again.**\n\n";
        }
        let _ = writeln!(text, "- {date}, {motia} at {commit}, Node {node}");
        let _ = writeln!(
            text,
            "- {processor}, {cores} cores, {memory:.0} GiB, Linux {kernel}; load average {load_average} before"
        );
        let _ = writeln!(
            text,
            "- {rounds} interleaved rounds of {length:?} after {warm_up:?} of warm-up; each figure is the median of its rounds"
        );
        let _ = writeln!(text, "- Calibration: fdatasync of 4 KiB {} µs{}", fdatasync.as_micros(), self.calibration());
        text
    }

    /// The figures of `node:http`, by which a slower or faster machine can be told.
    fn calibration(&self) -> String {
        let of = |table: &Table| {
            let row = table.rows.iter().find(|row| row.name == NODE_HTTP).filter(|row| row.summary.valid())?;
            let method = table.heading.split(' ').next().unwrap_or_default();
            Some(format!("{} {method}/s at {}", thousands(row.summary.rate), table.connections))
        };
        let figures: Vec<String> = self.tables.iter().filter_map(of).collect();
        if figures.is_empty() { String::new() } else { format!("; node:http {}", figures.join(", ")) }
    }

    fn footprints(&self) -> String {
        if self.footprints.is_empty() {
            return String::new();
        }
        let later = self.method.starts.saturating_sub(1);
        let mut text = format!(
            "\n#### Start and memory, each alone on the machine\n\n\
            Ready is from exec to the first 200. Memory is the PSS of all processes, {:?} after a load of both requests.\n\n\
            | | first start | ready (median of {later}) | memory | processes |\n|---|---:|---:|---:|---:|\n",
            self.method.settle,
        );
        for footprint in &self.footprints {
            let Footprint { title, first, ready, memory, processes } = footprint;
            let ready = if later == 0 { "–".into() } else { format!("{} ms", ready.as_millis()) };
            let memory = *memory as f64 / f64::from(1 << 20);
            let _ = writeln!(text, "| {title} | {} ms | {ready} | {memory:.0} MiB | {processes} |", first.as_millis());
        }
        text
    }
}

impl Table {
    fn markdown(&self) -> String {
        let connections =
            if self.connections == 1 { "1 connection".into() } else { format!("{} connections", self.connections) };
        let body = if self.body_length > 0 { format!(", {} bytes of JSON", self.body_length) } else { String::new() };
        let mut text = format!("\n#### {}{body}, {connections}\n\n", self.heading);
        text += "| | requests/s | × Fastify | × node:http | p50 | p50 − Fastify's | p99 | spread | CPU per request |";
        text += "\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
        for row in &self.rows {
            text += &self.row(row);
        }
        text += &self.notes();
        text
    }

    fn valid(&self, name: &str) -> Option<&Summary> {
        self.rows.iter().find(|row| row.name == name).map(|row| &row.summary).filter(|summary| summary.valid())
    }

    fn row(&self, row: &Row) -> String {
        let summary = &row.summary;
        if !summary.valid() {
            let (refused, broken) = (summary.refused, summary.broken);
            let why = format!("**invalid**: {refused} answers with a wrong status, {broken} broken connections");
            return format!("| {} | {why} | | | | | | | |\n", row.title);
        }
        let ratio =
            |name| self.valid(name).map_or_else(|| "–".into(), |peer| format!("{:.2}", summary.rate / peer.rate));
        let over = match self.valid(FASTIFY) {
            Some(peer) if row.name != FASTIFY => {
                let micros = (summary.p50.as_secs_f64() - peer.p50.as_secs_f64()) * 1e6;
                // Not "-0".
                format!("{:+} µs", micros.round() as i64)
            }
            _ => "–".into(),
        };
        let cpu = match (summary.root_micros, summary.below_micros) {
            (root, below) if below < 0.05 => format!("{root:.0} µs"),
            (root, below) => format!("{root:.0} + {below:.0} µs"),
        };
        format!(
            "| {} | {} | {} | {} | {} | {over} | {} | {:.0} % | {cpu} |\n",
            row.title,
            thousands(summary.rate),
            ratio(FASTIFY),
            ratio(NODE_HTTP),
            time(summary.p50),
            time(summary.p99),
            summary.spread * 100.0,
        )
    }

    fn notes(&self) -> String {
        let unchecked: Vec<&str> =
            self.rows.iter().filter(|row| row.checks_bodies == Some(false)).map(|row| row.title).collect();
        let mut text = String::from("\n");
        if !unchecked.is_empty() {
            let _ = writeln!(
                text,
                "**{} did not refuse a body that breaks the schema; the others did.** Checking it is work that is missing here.\n",
                unchecked.join(" and ")
            );
        }
        let generator: f64 =
            self.rows.iter().map(|row| row.summary.generator_micros).sum::<f64>() / self.rows.len().max(1) as f64;
        let ours = if self.rows.iter().any(|row| row.name == MOTIA) { " (motia: engine + workers)" } else { "" };
        let _ = writeln!(
            text,
            "CPU is of the server's processes, the first + those below it{ours}; the load itself takes {generator:.0} µs more. \
            Meanwhile {:.0} % of the machine went to other processes, {:.0} % to other machines.",
            self.foreign * 100.0,
            self.stolen * 100.0,
        );
        text
    }
}

/// The file with the report between its marks; none if it has no marks.
pub(crate) fn put_into(file: &str, report: &str) -> Option<String> {
    let begin = file.find(BEGIN)? + BEGIN.len();
    let end = begin + file[begin..].find(END)?;
    Some(format!("{}\n\n{}\n\n{}", &file[..begin], report.trim(), &file[end..]))
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 1000.0 { format!("{micros:.0} µs") } else { format!("{:.2} ms", micros / 1000.0) }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
