//! The clients that the original published, unchanged, against the engine (tests/streams): in Node, and in Chromium where there is one.

use std::path::Path;
use std::process::Command;

/// The engine is killed in between, and started again on what it had stored.
#[test]
fn the_originals_clients_work_unchanged() {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/streams");
    assert!(kit.join("node_modules").is_dir(), "its packages are missing: run `make sdk-deps`");
    let output = Command::new("node")
        .args(["against.mjs", env!("CARGO_BIN_EXE_motia"), "--kill"])
        .current_dir(kit)
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
