//! Stream clients against the engine (tests/streams): those that the original published, unchanged, and our own, in Node and in Chromium where
//! there is one; and the example that uses ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Project;

fn kit() -> PathBuf {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/streams");
    assert!(kit.join("node_modules").is_dir(), "its packages are missing: run `make sdk-deps`");
    kit
}

/// The engine is killed in between, and started again on what it had stored.
#[test]
fn the_originals_clients_work_unchanged() {
    let output = Command::new("node")
        .args(["against.mjs", env!("CARGO_BIN_EXE_motia"), "--kill"])
        .current_dir(kit())
        .output()
        .expect("node runs");
    let (said, problems) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{problems}");
    let counts = said.lines().last().expect("counts");
    let counts: serde_json::Value = serde_json::from_str(counts).expect("JSON");
    assert!(counts["passed"].as_u64() > Some(400), "{counts}");
    let in_browser = counts["runs"].as_u64() >= Some(30);
    assert!(in_browser || std::env::var_os("CI").is_none(), "Chromium is missing: {counts}");
    println!("{counts}{}", if in_browser { "" } else { " (without Chromium, which is not installed)" });
}

/// Two pages of one list, and an engine that is killed meanwhile.
#[test]
fn the_realtime_todo_is_the_same_in_two_browsers() {
    let browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let Some(chromium) = browsers.into_iter().find(|browser| Path::new(browser).exists()) else {
        assert!(std::env::var_os("CI").is_none(), "Chromium is missing");
        return println!("skipped: Chromium is not installed");
    };
    crate::examples::install("realtime-todo");
    let project = Project::example("realtime-todo");
    let run = |mut command: Command| {
        let output = command.output().expect("it runs");
        let (said, problems) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{problems}");
    };
    let mut build = Command::new("npm");
    build.args(["run", "build"]).current_dir(project.path());
    run(build);
    let mut pages = Command::new("node");
    pages.args(["realtime-todo.mjs", env!("CARGO_BIN_EXE_motia")]).arg(project.path()).arg(chromium).current_dir(kit());
    run(pages);
}
