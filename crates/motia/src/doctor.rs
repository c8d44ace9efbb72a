//! `motia doctor`: what a project needs and what this machine has, for people who wonder why something does not run.

use std::env;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use motia_compile::{Discovery, FileKind, discover};
use motia_core::ids::Runtime;

use crate::runtimes;
use crate::variables::Variables;

/// Looks at the project in the current folder. The exit code is 1 if something that it needs is missing.
pub(crate) fn run() -> Result<ExitCode> {
    let root = env::current_dir().context("the current folder cannot be used")?;
    let variables = Variables::of_project(&root).context("cannot read .env")?;
    let report = Report::of(&root, &discover(&root)?, &variables);
    print!("{}", report.text);
    Ok(if report.healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Report {
    text: String,
    healthy: bool,
}

impl Report {
    fn of(root: &Path, discovery: &Discovery, variables: &Variables) -> Self {
        let mut report = Self { text: String::new(), healthy: true };
        report.line("motia", env!("CARGO_PKG_VERSION"));
        report.line("project", &format!("{} ({})", root.display(), summary(discovery)));
        for runtime in Runtime::ALL {
            let needed =
                discovery.files.iter().any(|file| file.language.runtime() == runtime && file.kind != FileKind::Config);
            report.runtime(runtime, needed, root, variables);
        }
        for warning in &discovery.warnings {
            report.line("!", &warning.to_string());
        }
        report
    }

    fn runtime(&mut self, runtime: Runtime, needed: bool, root: &Path, variables: &Variables) {
        let found = runtimes::find(runtime, root, variables).and_then(|interpreter| {
            let version = version(runtime, &interpreter.program)?;
            if let Some(problem) = runtimes::too_old(runtime, &version) {
                anyhow::bail!("{} ({}): {problem}", interpreter.program.display(), interpreter.why);
            }
            Ok(format!("{version} {} ({})", interpreter.program.display(), interpreter.why))
        });
        match found {
            Ok(line) => self.line(runtime.as_str(), &line),
            Err(error) if needed => {
                self.healthy = false;
                self.line(runtime.as_str(), &format!("MISSING: {error:#}"));
            }
            Err(_) => self.line(runtime.as_str(), "not found, and not needed here"),
        }
    }

    fn line(&mut self, what: &str, text: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{what:<8} {text}");
    }
}

fn summary(discovery: &Discovery) -> String {
    let mut parts = Vec::new();
    for kind in [FileKind::Step, FileKind::Stream] {
        for runtime in Runtime::ALL {
            let count =
                discovery.files.iter().filter(|file| file.kind == kind && file.language.runtime() == runtime).count();
            if count > 0 {
                let noun = if kind == FileKind::Step { "step" } else { "stream" };
                parts.push(format!("{count} {runtime} {noun}{}", if count == 1 { "" } else { "s" }));
            }
        }
    }
    if parts.is_empty() { "no steps in steps/ or src/".into() } else { parts.join(", ") }
}

/// What an interpreter says of itself: the first word with a number and a dot.
fn version(runtime: Runtime, program: &Path) -> Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("{} cannot be run", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version =
        said.split_whitespace().find(|word| word.contains('.') && word.contains(|c: char| c.is_ascii_digit()));
    // Ruby's patch level is no part of its version.
    let version = version.map(|version| version.split('p').next().unwrap_or(version).to_owned());
    version.with_context(|| format!("{} --version says '{}', which is no {runtime}", program.display(), said.trim()))
}
