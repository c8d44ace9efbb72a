//! The head of a report: where, when and with what it was measured, and how fast the machine's disk is.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use motia_core::Clock;

use crate::stats;

/// How often the disk is asked.
const SYNCS: usize = 200;
const BLOCK: [u8; 4096] = [0x6d; 4096];

/// What a reader needs to judge the figures.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// In bytes.
    pub(crate) memory: u64,
    pub(crate) kernel: String,
    pub(crate) load_average: String,
    pub(crate) node: String,
    pub(crate) motia: String,
    /// The motia binary was not built with optimizations: the figures say nothing.
    pub(crate) debug: bool,
    /// The middle one of the calls of fdatasync.
    pub(crate) fdatasync: Duration,
}

impl Setting {
    /// Looks at the machine. `bench` is the folder `bench/`, `project` that of the project measured.
    pub(crate) fn look(bench: &Path, project: &Path, motia: &Path, clock: &dyn Clock) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let commit =
            first_line("git", &["rev-parse", "--short=10", "HEAD"], bench).unwrap_or_else(|_| "unknown".into());
        // Only what is measured: other files of the tree do not matter.
        let paths = ["status", "--porcelain", "--", "../crates", "../sdk", "../Cargo.lock", "../Cargo.toml"];
        let changed = first_line("git", &paths, bench).is_ok_and(|line| !line.is_empty());
        let motia_version = motia.to_str().context("the path of motia is not text")?;
        Ok(Self {
            date: clock.now().to_string().split('.').next().unwrap_or_default().replace('T', " ") + " UTC",
            commit: if changed { format!("{commit} and changes") } else { commit },
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: field(&read("/proc/meminfo"), "MemTotal").and_then(|text| kib(&text)).unwrap_or_default(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            node: first_line("node", &["--version"], bench)?,
            motia: first_line(motia_version, &["--version"], bench)?,
            debug: motia_version.contains("debug"),
            fdatasync: fdatasync(project, clock).context("the disk cannot be measured")?,
        })
    }
}

/// How long it takes to make 4 KiB at the end of a file safe, in this folder.
pub(crate) fn fdatasync(folder: &Path, clock: &dyn Clock) -> Result<Duration> {
    let folder = tempfile::Builder::new().prefix(".calibration-").tempdir_in(folder)?;
    let mut file = OpenOptions::new().create(true).append(true).open(folder.path().join("file"))?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&BLOCK)?;
        let began = clock.elapsed();
        file.sync_data()?;
        took.push((clock.elapsed() - began).as_secs_f64());
    }
    Ok(Duration::from_secs_f64(stats::median(&took)))
}

fn first_line(program: &str, arguments: &[&str], folder: &Path) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    anyhow::ensure!(output.status.success(), "{program} {} failed", arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}

/// The value of the first `name : value` line.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}

fn kib(text: &str) -> Option<u64> {
    Some(text.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use motia_core::SystemClock;

    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 2\nmodel name\t: AMD EPYC\nmodel name\t: other\n";
        assert_eq!(field(text, "model name").as_deref(), Some("AMD EPYC"));
        assert_eq!(field(text, "name"), None);
        assert_eq!(kib("24684280 kB"), Some(24_684_280 * 1024));
    }

    #[test]
    fn the_disk_takes_some_time_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(fdatasync(folder.path(), &SystemClock::default()).expect("measured") > Duration::ZERO);
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }
}
