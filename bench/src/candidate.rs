//! Who is measured, and how each is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The one that the others are compared with Motia by.
pub(crate) const FASTIFY: &str = "fastify";
/// The one that tells how fast the machine is.
pub(crate) const NODE_HTTP: &str = "node:http";
/// Ours.
pub(crate) const MOTIA: &str = "motia";

/// A server to measure.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// As `--only` names it; also the name of its log.
    pub(crate) name: &'static str,
    /// As the tables show it.
    pub(crate) title: &'static str,
    pub(crate) program: PathBuf,
    /// `{port}` stands for the port. It also is in `PORT`.
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(&'static str, &'static str)>,
    pub(crate) folder: PathBuf,
    /// With fewer connections it is left out: they could not use it.
    pub(crate) least_connections: usize,
}

/// All of them, in the order of the rounds. `bench` is the folder `bench/`.
pub(crate) fn all(bench: &Path, motia: &Path) -> Vec<Candidate> {
    let peer = |name, title, file: &str| Candidate {
        name,
        title,
        program: "node".into(),
        arguments: vec![format!("peers/{file}.mjs")],
        variables: Vec::new(),
        folder: bench.to_owned(),
        least_connections: 1,
    };
    let ours = ["start", "-p", "{port}", "-H", "127.0.0.1"];
    vec![
        Candidate {
            program: motia.to_owned(),
            arguments: ours.map(str::to_owned).to_vec(),
            folder: project(bench),
            ..peer(MOTIA, "motia", "")
        },
        peer(NODE_HTTP, "node:http + Ajv", "http"),
        peer(FASTIFY, "Fastify + Ajv", "fastify"),
        Candidate {
            variables: vec![("PROCESSES", "2")],
            least_connections: 2,
            ..peer("fastify-2", "Fastify + Ajv, cluster of 2", "fastify")
        },
        peer("express", "Express + Ajv", "express"),
    ]
}

/// The Motia project that is measured.
pub(crate) fn project(bench: &Path) -> PathBuf {
    bench.join("projects/api")
}

/// Installs what the peers and the project need, where it is missing or older than its lock file.
pub(crate) fn install(bench: &Path) -> Result<()> {
    for folder in [bench.to_owned(), project(bench)] {
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
