//! Measures Motia beside its peers. README.md says how to run it and how to read it.
//!
//! | module | holds |
//! |---|---|
//! | `cli`, `method`, `choice` | the flags, what they say about how much, and about what |
//! | `parts` | what is measured, one file each |
//! | `lab` | what every part works with |
//! | `candidate`, `child`, `redis` | who is asked, as processes |
//! | `scratch`, `generate` | the projects that are run |
//! | `compare`, `scenario` | a comparison: interleaved rounds of one request |
//! | `load`, `client`, `answer` | the connections that ask, and what they read |
//! | `crowd`, `frames`, `limits` | the clients that watch streams, and what they hear; how many there can be |
//! | `histogram`, `stats` | many latencies, many rounds: a few figures |
//! | `proc`, `calm`, `machine` | CPU time and memory; who else had the machine; its description |
//! | `report` | Markdown |

mod answer;
mod calm;
mod candidate;
mod child;
mod choice;
mod cli;
mod client;
mod compare;
mod crowd;
mod frames;
mod generate;
mod histogram;
mod lab;
mod limits;
mod load;
mod machine;
mod method;
mod parts;
mod proc;
mod redis;
mod report;
mod scenario;
mod scratch;
mod stats;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use motia_core::{Clock, SystemClock};

use crate::choice::Choice;
use crate::cli::Cli;
use crate::lab::{Lab, say};
use crate::machine::Setting;
use crate::report::{Measured, Report};
use crate::scratch::Scratch;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let outcome = if arguments.next().as_deref() == Some(OsStr::new(child::LAUNCH)) {
        child::launch(arguments).map(|never| match never {})
    } else {
        run(Cli::parse())
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("motia-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    if cli.list {
        print!("{}", choice::list());
        return Ok(ExitCode::SUCCESS);
    }
    let method = cli.method();
    let choice = Choice::new(cli.only)?;
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    let motia = find_motia(cli.motia)?;
    if let Some(file) = &cli.write {
        // Before minutes are spent.
        put_into(file, "")?;
    }
    candidate::install(bench)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let began = clock.elapsed();
    let scratch = Scratch::new(bench, cli.keep)?;
    let setting = Setting::look(bench, scratch.path(), &motia, clock.as_ref())?;
    let lab = Lab { bench: bench.to_owned(), motia, method, choice, clock, scratch };
    let parts = lab.choice.parts().into_iter().map(|part| measure(&lab, part)).collect();
    let took = lab.clock.elapsed().saturating_sub(began);
    let report = Report { setting, method: lab.method, parts, took };
    let text = report.markdown();
    print!("{text}");
    if let Some(file) = &cli.write {
        fs::write(file, put_into(file, &text)?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One that fails does not cost the others.
fn measure(lab: &Lab, part: &parts::Part) -> Measured {
    say(&format!("--- {}: {}", part.name, part.about));
    let outcome = (part.run)(lab).map_err(|error| format!("{error:#}"));
    if let Err(error) = &outcome {
        say(&format!("{} failed: {error}", part.name));
    }
    Measured { title: part.title, outcome }
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
    let build = "build it with 'cargo build --profile dist -p motia', or say where it is with --motia";
    fs::canonicalize(&path).with_context(|| format!("there is no {}: {build}", path.display()))
}
