//! The report, in Markdown.

pub(crate) mod comparison;
pub(crate) mod figure;
pub(crate) mod section;

use std::fmt::Write as _;
use std::time::Duration;

use crate::calm::Elsewhere;
use crate::machine::Setting;
use crate::method::Method;
use crate::report::figure::Bar;
use crate::report::section::{Grid, Section};

/// Where a report goes in a file.
const BEGIN: &str = "<!-- table -->";
const END: &str = "<!-- /table -->";

/// Absolute bars are those of a machine whose disk is at least as fast.
const REFERENCE_FDATASYNC: Duration = Duration::from_micros(250);

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) setting: Setting,
    pub(crate) method: Method,
    pub(crate) parts: Vec<Measured>,
    pub(crate) took: Duration,
}

/// A part that ran.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) title: &'static str,
    /// Or why there is nothing.
    pub(crate) outcome: Result<Vec<Section>, String>,
}

impl Report {
    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = self.head();
        text += &self.bars();
        for Measured { title, outcome } in &self.parts {
            let _ = writeln!(text, "\n### {title}");
            match outcome {
                Ok(sections) => text.extend(sections.iter().map(Section::markdown)),
                Err(error) => {
                    let _ = writeln!(text, "\n**Failed**, so there are no figures:\n\n```\n{}\n```", error.trim());
                }
            }
        }
        text
    }

    pub(crate) fn failed(&self) -> bool {
        self.parts.iter().any(|part| part.outcome.is_err())
    }

    fn sections(&self) -> impl Iterator<Item = &Section> {
        self.parts.iter().filter_map(|part| part.outcome.as_ref().ok()).flatten()
    }

    fn head(&self) -> String {
        let Setting { date, commit, processor, cores, memory, kernel, load_average, node, motia, debug, fdatasync } =
            &self.setting;
        let Method { length, warm_up, rounds, quick, .. } = &self.method;
        let memory = *memory as f64 / f64::from(1 << 30);
        let mut text = String::new();
        if *debug {
            text += "**motia is a debug build: its figures say nothing.**\n\n";
        }
        if *quick {
            text += "**A quick run, to see that everything runs: its figures say nothing.**\n\n";
        }
        let elsewhere = Elsewhere::most(self.sections().map(|section| section.elsewhere));
        if !elsewhere.calm() {
            text += "**The machine was not calm: what else ran on it took part of the time. Measure again.**\n\n";
        }
        let _ = writeln!(text, "- {date}, {motia} at {commit}, Node {node}");
        let _ = writeln!(
            text,
            "- {processor}, {cores} cores, {memory:.0} GiB, Linux {kernel}; load average {load_average} before"
        );
        let _ = writeln!(
            text,
            "- {rounds} interleaved rounds of {length:?} after {warm_up:?} of warm-up; each figure is the median of its rounds; \
            {:.0} minutes in all",
            (self.took.as_secs_f64() / 60.0).ceil()
        );
        let _ = writeln!(text, "- At the most {elsewhere}");
        let calibration: Vec<&str> =
            self.sections().flat_map(|section| &section.calibration).map(String::as_str).collect();
        let node =
            if calibration.is_empty() { String::new() } else { format!("; node:http {}", calibration.join(", ")) };
        let _ = writeln!(text, "- Calibration: fdatasync of 4 KiB {} µs{node}", fdatasync.as_micros());
        if *fdatasync > REFERENCE_FDATASYNC {
            text += "- The disk is slower than the reference (250 µs): bars that are no ratios scale with it\n";
        }
        text
    }

    /// All bars, where a reader looks first.
    fn bars(&self) -> String {
        let mut grid = Grid::new(&["figure", "bar", ""]);
        let rows: Vec<_> = self.sections().flat_map(|section| &section.bars).map(Bar::row).collect();
        if rows.is_empty() {
            return String::new();
        }
        for row in rows {
            grid.row(&row[0], row[1..].to_vec());
        }
        format!("\n### Bars\n\n{}", grid.markdown())
    }
}

/// The file with the report between its marks; none if it has no marks.
pub(crate) fn put_into(file: &str, report: &str) -> Option<String> {
    let begin = file.find(BEGIN)? + BEGIN.len();
    let end = begin + file[begin..].find(END)?;
    Some(format!("{}\n\n{}\n\n{}", &file[..begin], report.trim(), &file[end..]))
}

#[cfg(test)]
mod tests;
