//! Measures Motia beside its peers. README.md says how to run it and how to read it.
//!
//! | module | holds |
//! |---|---|
//! | `scenario`, `candidate` | what is asked, and who is asked |
//! | `measure` | the method: starts, warm-up, interleaved rounds |
//! | `child` | candidates as processes |
//! | `load`, `answer` | the connections that ask, and what they read |
//! | `histogram`, `stats` | many latencies, many rounds: a few figures |
//! | `proc`, `machine` | CPU time and memory; the machine's description |
//! | `report` | Markdown |

mod answer;
mod candidate;
mod child;
mod histogram;
mod load;
mod machine;
mod measure;
mod proc;
mod report;
mod scenario;
mod stats;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use motia_core::{Clock, SystemClock};

use crate::machine::Setting;
use crate::measure::{Bench, Method};
use crate::report::Report;
use crate::scenario::Scenario;

/// Measure Motia beside node:http, Fastify and Express. The report goes to standard output, in Markdown.
#[derive(Debug, Parser)]
#[command(name = "motia-bench")]
struct Cli {
    /// How many seconds a round takes
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// How many seconds each candidate is asked before the rounds
    #[arg(long, default_value = "2", value_parser = seconds)]
    warm_up: Duration,
    /// How many rounds there are
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How many connections ask at a time
    #[arg(long, value_delimiter = ',', default_value = "1,64", value_parser = clap::value_parser!(u16).range(1..))]
    connections: Vec<u16>,
    /// Only these candidates (motia, node:http, fastify, fastify-2, express) and scenarios (GET, POST)
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How many times each candidate is started to see how soon it answers; 0 leaves start and memory out
    #[arg(long, default_value_t = 6)]
    starts: u16,
    /// How many seconds after the load the memory is looked at
    #[arg(long, default_value = "10", value_parser = seconds)]
    settle: Duration,
    /// The motia to measure [default: beside this program]
    #[arg(long)]
    motia: Option<PathBuf>,
    /// Also put the report into this file, between <!-- table --> and <!-- /table -->
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let outcome = if arguments.next().as_deref() == Some(OsStr::new(child::LAUNCH)) {
        child::launch(arguments).map(|never| match never {})
    } else {
        run(Cli::parse())
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("motia-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let motia = find_motia(cli.motia)?;
    if let Some(file) = &cli.write {
        // Before minutes are spent.
        put_into(file, "")?;
    }
    let (candidates, scenarios) = choose(&cli.only, candidate::all(folder, &motia), Scenario::all())?;
    candidate::install(folder)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let project = candidate::project(folder);
    let setting = Setting::look(folder, &project, &motia, clock.as_ref())?;
    // So that the first start has everything to compile.
    let compiled = project.join(".motia");
    if compiled.exists() {
        fs::remove_dir_all(&compiled).with_context(|| format!("cannot remove {}", compiled.display()))?;
    }
    let method = Method {
        length: cli.seconds,
        warm_up: cli.warm_up,
        rounds: cli.rounds.into(),
        settle: cli.settle,
        starts: cli.starts.into(),
        connections: cli.connections.into_iter().map(usize::from).collect(),
    };
    let question = Scenario::all().first().map(Scenario::request).unwrap_or_default();
    let logs = tempfile::Builder::new().prefix("motia-bench-").tempdir()?;
    let bench = Bench { method: method.clone(), candidates, scenarios, question, clock, logs: logs.path() };
    let footprints = bench.footprints()?;
    let tables = bench.tables()?;
    let text = Report { setting, method, footprints, tables }.markdown();
    print!("{text}");
    if let Some(file) = &cli.write {
        fs::write(file, put_into(file, &text)?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// What the file is with the report in it.
fn put_into(file: &Path, report: &str) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    report::put_into(&text, report)
        .with_context(|| format!("{} has no <!-- table --> and <!-- /table --> to write between", file.display()))
}

fn find_motia(given: Option<PathBuf>) -> Result<PathBuf> {
    let path = match given {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("motia"),
    };
    let build = "build it with 'cargo build --release -p motia', or say where it is with --motia";
    fs::canonicalize(&path).with_context(|| format!("there is no {}: {build}", path.display()))
}

/// Those that `only` names. Where it names no candidate all take part, and all scenarios where it names none.
fn choose(
    only: &[String],
    mut candidates: Vec<candidate::Candidate>,
    mut scenarios: Vec<Scenario>,
) -> Result<(Vec<candidate::Candidate>, Vec<Scenario>)> {
    let named = |name: &str| only.iter().any(|text| text == name);
    for text in only {
        let known = candidates.iter().any(|one| one.name == text) || scenarios.iter().any(|one| one.name == text);
        ensure!(known, "--only {text}: there is no such candidate or scenario");
    }
    if candidates.iter().any(|one| named(one.name)) {
        candidates.retain(|one| named(one.name));
    }
    if scenarios.iter().any(|one| named(one.name)) {
        scenarios.retain(|one| named(one.name));
    }
    Ok((candidates, scenarios))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| format!("'{text}' is not a number of seconds"))?;
    Duration::try_from_secs_f64(number).map_err(|_| format!("'{text}' is not a length of time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_picks_candidates_and_scenarios_apart() {
        let pick = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|text| (*text).to_owned()).collect();
            let all = candidate::all(Path::new("bench"), Path::new("motia"));
            choose(&only, all, Scenario::all()).map(|(candidates, scenarios)| (candidates.len(), scenarios.len()))
        };
        assert_eq!(pick(&[]).expect("all"), (5, 2));
        assert_eq!(pick(&["POST"]).expect("one scenario"), (5, 1));
        assert_eq!(pick(&["motia", "fastify"]).expect("two candidates"), (2, 2));
        assert_eq!(pick(&["motia", "GET"]).expect("both"), (1, 1));
        assert!(pick(&["hapi"]).is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["motia-bench", "--seconds", "0.5", "--connections", "1,8"]).expect("understood");
        assert_eq!((cli.seconds, cli.connections), (Duration::from_millis(500), vec![1, 8]));
        assert!(Cli::try_parse_from(["motia-bench", "--seconds", "-1"]).is_err());
    }
}
