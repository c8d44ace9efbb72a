//! The Python of the documentation's tutorials, examples and guides, as it is printed. `L123` is the line of a block's fence.
//!
//! | module | holds |
//! |---|---|
//! | `documentation` | the blocks, from `../shared`; where that is not there, these tests are skipped |
//! | `pets` | "Build your first Motia app": its five tutorials |
//! | `guides` | the reference, the guides, the multi-language, RAG and chess pages |
//! | `blocks` | every Python block: it registers, or says why not |
//!
//! What pages leave to their readers stands here in words of our own: the store of the pets, steps that other languages print,
//! the answers of OpenAI, packages that are too large for a test.

mod blocks;
mod documentation;
mod guides;
mod pets;

use std::process::Command;

use serde_json::Value;

use crate::support::{Engine, Project, eventually};

use documentation::Documentation;

/// Writes printed blocks where their titles say.
fn write_printed(project: &Project, documentation: &Documentation, lines: &[u64]) {
    for line in lines {
        let block = documentation.block(*line);
        let title = block.title.as_deref().unwrap_or_else(|| panic!("L{line} has no title"));
        let folder = if title.starts_with("steps/") { "" } else { "steps/" };
        project.write(&format!("{folder}{title}"), &block.code);
    }
}

/// Emits by hand.
fn emit(project: &Project, topic: &str, data: &Value) {
    project.motia(&["emit", topic, "-m", &data.to_string()]);
}

/// Waits until what a path answers is as it should be.
fn until(engine: &Engine, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || {
        let answer = engine.get(path);
        (answer.status == 200).then(|| answer.json()).filter(&holds)
    })
}

/// What the admin API knows of the steps.
fn steps(engine: &Engine) -> Vec<Value> {
    engine.get("/__motia/steps").json()["steps"].as_array().cloned().expect("a list of steps")
}

/// Makes pydantic importable for a project's steps, if it is not already. Says so where it cannot be had.
fn pydantic(project: &Project) -> bool {
    let named = std::env::var_os("MOTIA_PYTHON");
    let mut import = Command::new(named.clone().unwrap_or_else(|| "python3".into()));
    let found = import.args(["-c", "import pydantic"]).env_remove("VIRTUAL_ENV").output();
    if found.is_ok_and(|output| output.status.success()) {
        return true;
    }
    if named.is_some() {
        eprintln!("skipped in part: the Python of MOTIA_PYTHON has no pydantic");
        return false;
    }
    project.write("requirements.txt", "pydantic>=2.6.1\n");
    let mut install = Command::new(env!("CARGO_BIN_EXE_motia"));
    install.arg("install").current_dir(project.path()).env_remove("VIRTUAL_ENV").env("PIP_RETRIES", "0");
    let installed = install.output().expect("the binary runs").status.success();
    if !installed {
        // What is half there is not to be taken for an environment.
        let _ = std::fs::remove_dir_all(project.path().join("python_modules"));
        project.remove("requirements.txt");
        eprintln!("skipped in part: pydantic is not installed, and pip cannot install it");
    }
    installed
}
