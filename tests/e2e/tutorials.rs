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

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
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
    if imports_pydantic(named.clone().unwrap_or_else(|| "python3".into())) {
        return true;
    }
    if named.is_none() {
        // One environment for all tests, which each have a process: it takes long to make.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pydantic");
        let environment = folder.join("python_modules");
        fs::create_dir_all(&folder).expect("a folder");
        let lock = File::create(folder.join("lock")).expect("a lock file");
        lock.lock().expect("locked");
        if imports_pydantic(environment.join("bin/python")) || install_pydantic(&folder) {
            std::os::unix::fs::symlink(environment, project.path().join("python_modules")).expect("linked");
            return true;
        }
    }
    eprintln!("skipped in part: pydantic is not there, and pip cannot install it");
    false
}

fn imports_pydantic(python: impl AsRef<OsStr>) -> bool {
    let import = Command::new(python).args(["-c", "import pydantic"]).env_remove("VIRTUAL_ENV").output();
    import.is_ok_and(|output| output.status.success())
}

fn install_pydantic(folder: &Path) -> bool {
    fs::write(folder.join("requirements.txt"), "pydantic>=2.6.1\n").expect("written");
    let mut install = Command::new(env!("CARGO_BIN_EXE_motia"));
    install.arg("install").current_dir(folder).env_remove("VIRTUAL_ENV").env("PIP_RETRIES", "0");
    install.output().expect("the binary runs").status.success()
}
