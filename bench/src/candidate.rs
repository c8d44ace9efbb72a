//! Who is measured, and how each is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The peer that Motia is compared with.
pub(crate) const FASTIFY: &str = "fastify";
/// The one that tells how fast the machine is.
pub(crate) const NODE_HTTP: &str = "node:http";
/// Ours, as it comes.
pub(crate) const MOTIA: &str = "motia";
/// Ours, and bodies that break their schema are refused.
pub(crate) const ENFORCE: &str = "motia-enforce";
/// Ours, keeping no traces.
pub(crate) const UNTRACED: &str = "motia-untraced";
/// Ours, and what is written survives processes, but not power cuts.
pub(crate) const OS: &str = "motia-os";
/// Ours, with a thousand routes.
pub(crate) const MANY_ROUTES: &str = "motia-1000";
/// Ours, without a spare worker.
pub(crate) const LEAN: &str = "motia-lean";

/// Ours, with steps in Python.
pub(crate) const PYTHON: &str = "motia-python";
/// The same on the Python of the peers, which has uvloop.
pub(crate) const PYTHON_UVLOOP: &str = "motia-python-uvloop";
/// The same with two workers.
pub(crate) const PYTHON_TWO: &str = "motia-python-2";
/// What Python steps are compared with.
pub(crate) const FASTAPI: &str = "fastapi";

/// What streams are compared with.
pub(crate) const WS: &str = "ws";

/// All that `--only` may name.
pub(crate) const NAMES: [&str; 16] = [
    MOTIA,
    ENFORCE,
    UNTRACED,
    OS,
    MANY_ROUTES,
    LEAN,
    NODE_HTTP,
    FASTIFY,
    "fastify-2",
    "express",
    PYTHON,
    PYTHON_UVLOOP,
    PYTHON_TWO,
    FASTAPI,
    "fastapi-2",
    WS,
];

/// A server to measure.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// As `--only` names it; also the name of its log.
    pub(crate) name: &'static str,
    /// As the tables show it.
    pub(crate) title: String,
    pub(crate) program: PathBuf,
    /// `{port}` stands for the port. It also is in `PORT`.
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) folder: PathBuf,
    /// It is ready once it answers this path by 200.
    pub(crate) ready: &'static str,
    /// With fewer connections it is left out: they could not use it.
    pub(crate) least_connections: usize,
    /// A process beside it that works for it alone: its CPU time counts.
    pub(crate) companion: Option<u32>,
}

impl Candidate {
    /// `motia start` in a project's folder.
    pub(crate) fn motia(name: &'static str, title: &str, motia: &Path, project: PathBuf) -> Self {
        Self {
            name,
            title: title.to_owned(),
            program: motia.to_owned(),
            arguments: ["start", "-p", "{port}", "-H", "127.0.0.1"].map(str::to_owned).to_vec(),
            variables: Vec::new(),
            folder: project,
            ready: "/hello",
            least_connections: 1,
            companion: None,
        }
    }

    /// The same by `motia dev`.
    pub(crate) fn in_development(mut self) -> Self {
        "dev".clone_into(&mut self.arguments[0]);
        self.with("NODE_ENV", "development")
    }

    /// A script of `peers`. `bench` is the folder `bench/`.
    pub(crate) fn peer(name: &'static str, title: &str, bench: &Path, file: &str) -> Self {
        Self {
            program: "node".into(),
            arguments: vec![format!("peers/{file}.mjs")],
            ..Self::motia(name, title, Path::new(""), bench.to_owned())
        }
    }

    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.to_owned()));
        self
    }

    pub(crate) fn is_motia(&self) -> bool {
        self.name.starts_with(MOTIA)
    }
}

/// The servers without Motia that most parts compare with, in the order of the rounds.
pub(crate) fn peers(bench: &Path) -> Vec<Candidate> {
    let peer = |name, title, file| Candidate::peer(name, title, bench, file);
    vec![
        peer(NODE_HTTP, "node:http + Ajv", "http"),
        peer(FASTIFY, "Fastify + Ajv", "fastify"),
        Candidate {
            least_connections: 2,
            ..peer("fastify-2", "Fastify + Ajv, cluster of 2", "fastify").with("PROCESSES", "2")
        },
        peer("express", "Express + Ajv", "express"),
    ]
}

/// FastAPI on uvicorn, with one process and with two.
pub(crate) fn python_peers(bench: &Path, python: &Path) -> Vec<Candidate> {
    let command =
        "-m uvicorn fastapi_app:app --host 127.0.0.1 --port {port} --no-access-log --log-level warning --workers";
    let peer = |name, title: &str, workers| Candidate {
        program: python.to_owned(),
        arguments: command.split(' ').chain([workers]).map(str::to_owned).collect(),
        ..Candidate::motia(name, title, Path::new(""), bench.join("peers"))
    };
    vec![
        peer(FASTAPI, "FastAPI on uvicorn[standard]", "1"),
        Candidate { least_connections: 2, ..peer("fastapi-2", "FastAPI on uvicorn[standard], 2 workers", "2") },
    ]
}

/// A Python with the packages of the peers.
pub(crate) fn install_python(bench: &Path) -> Result<PathBuf> {
    let folder = bench.join(".venv");
    let (python, wanted) = (folder.join("bin/python"), bench.join("peers/requirements.txt"));
    let installed = folder.join("installed.txt");
    let text = std::fs::read_to_string(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    if std::fs::read_to_string(&installed).is_ok_and(|installed| installed == text) {
        return Ok(python);
    }
    eprintln!("motia-bench: pip install -r {}", wanted.display());
    let run = |command: &mut Command| -> Result<()> {
        // Standard output is for the tables.
        let status = command.stdout(std::io::stderr()).status().context("python3 cannot be run")?;
        ensure!(status.success(), "{command:?} failed");
        Ok(())
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted))?;
    std::fs::write(installed, text)?;
    Ok(python)
}

/// Installs what the peers and the projects need, where it is missing or older than its lock file.
pub(crate) fn install(bench: &Path) -> Result<()> {
    for folder in [bench.to_owned(), bench.join("projects/api")] {
        let changed = |file: &str| folder.join(file).metadata().and_then(|metadata| metadata.modified()).ok();
        let installed = changed("node_modules/.package-lock.json");
        if installed.is_some() && installed >= changed("package-lock.json") {
            continue;
        }
        eprintln!("motia-bench: npm ci in {}", folder.display());
        let mut npm = Command::new("npm");
        let npm = npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
        // Standard output is for the tables.
        let status = npm.stdout(std::io::stderr()).status().context("npm cannot be run")?;
        ensure!(status.success(), "npm ci failed in {}", folder.display());
    }
    Ok(())
}
