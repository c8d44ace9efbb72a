//! Which files are steps, and in what order.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use motia_compile::{FileKind, discover};
use support::Project;

fn found(project: &Project) -> Vec<String> {
    discover(&project.root).unwrap().files.into_iter().map(|file| file.path.to_string()).collect()
}

fn names(files: &[&str]) -> Project {
    Project::new(&files.iter().map(|file| (*file, "")).collect::<Vec<_>>())
}

#[test]
fn the_end_of_the_name_decides() {
    let steps = [
        "steps/01-content-submit.step.ts",
        "steps/a.step.js",
        "steps/analyze-email.step.py",
        "steps/c.step.cjs",
        "steps/cron.job.step.mjs",
        "steps/deletion_reaper.cron_step.py",
        "steps/r_step.rb",
        "steps/simple-python_step.py",
        "steps/x.step.rb",
        "steps/z_step.ts",
    ];
    let streams = ["steps/00-stars.stream.ts", "steps/chat_stream.py", "steps/pet_creation.stream.py"];
    let others = [
        "steps/a.step.tsx",
        "steps/a.step.jsx",
        "steps/a.step.ts-features.json",
        "steps/a.step.test.ts",
        "steps/a.step.spec.ts",
        "steps/a.step.d.ts",
        "steps/types.ts",
        "steps/step.ts",
        "steps/astep.ts",
        "steps/a.step",
        "steps/.step.ts",
        "steps/a.steps.ts",
        "lib/streams.js",
        "lib/b.step.ts",
        "streams/c.stream.ts",
        "b.step.ts",
    ];
    let project = names(&[&steps[..], &streams, &others].concat());
    let discovery = discover(&project.root).unwrap();
    let of = |kind: FileKind| {
        let mut paths: Vec<&str> =
            discovery.files.iter().filter(|file| file.kind == kind).map(|file| file.path.as_str()).collect();
        paths.sort_unstable();
        paths
    };
    assert_eq!(of(FileKind::Step), steps);
    assert_eq!(of(FileKind::Stream), streams);
    assert_eq!(of(FileKind::Config), Vec::<&str>::new());
    assert_eq!(discovery.warnings, []);
}

#[test]
fn the_order_is_that_of_registration() {
    let project = names(&[
        "src/a.step.ts",
        "steps/a.step.ts",
        "steps/b.step.ts",
        "steps/c_step.ts",
        "steps/api/a.step.ts",
        "steps/api/z.step.py",
        "steps/api/deep/a.step.ts",
        "steps/zoo/a.step.ts",
        "steps/zoo/a_step.rb",
        "src/b.stream.ts",
        "steps/a.stream.ts",
        "motia.config.ts",
    ]);
    assert_eq!(
        found(&project),
        [
            "motia.config.ts",
            "steps/b.step.ts",
            "steps/a.step.ts",
            "steps/api/z.step.py",
            "steps/api/a.step.ts",
            "steps/api/deep/a.step.ts",
            "steps/zoo/a.step.ts",
            "steps/c_step.ts",
            "steps/zoo/a_step.rb",
            "src/a.step.ts",
            "steps/a.stream.ts",
            "src/b.stream.ts",
        ]
    );
}

#[test]
fn folders_of_tools_are_skipped() {
    let project = names(&[
        "steps/node_modules/x/a.step.ts",
        "steps/.cache/a.step.ts",
        "steps/python_modules/a_step.py",
        "steps/__pycache__/a_step.py",
        "steps/dist/a.step.js",
    ]);
    assert_eq!(found(&project), ["steps/dist/a.step.js"]);
}

#[test]
fn the_first_configuration_counts() {
    for (files, expected) in [
        (&["motia.config.js", "motia.config.ts"][..], "motia.config.ts"),
        (&["motia.config.cjs", "motia.config.mjs"], "motia.config.mjs"),
        (&["motia.config.mts"], "motia.config.mts"),
    ] {
        assert_eq!(found(&names(files)), [expected]);
    }
    assert_eq!(found(&names(&["motia.config.tsx", "src/motia.config.ts"])), Vec::<String>::new());
}

#[test]
fn links_are_followed_but_not_in_circles() {
    let project = names(&["steps/a.step.ts", "../shared/steps/b.step.ts", "../one.step.ts"]);
    let outside = project.outside();
    symlink(outside.join("shared/steps"), project.root.join("steps/linked")).unwrap();
    symlink(outside.join("one.step.ts"), project.root.join("steps/one.step.ts")).unwrap();
    symlink(project.root.join("steps"), outside.join("shared/steps/back")).unwrap();
    symlink(outside.join("gone"), project.root.join("steps/broken.step.ts")).unwrap();
    let discovery = discover(&project.root).unwrap();
    let paths: Vec<&str> = discovery.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["steps/one.step.ts", "steps/a.step.ts", "steps/linked/b.step.ts"]);
    assert_eq!(discovery.warnings.len(), 1);
    assert!(discovery.warnings[0].to_string().contains("leads back"), "{}", discovery.warnings[0]);
}

#[test]
fn names_that_are_not_utf8_are_warned_of() {
    let project = names(&["steps/a.step.ts"]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.step.ts");
    std::fs::write(project.root.join("steps").join(name), "").unwrap();
    let discovery = discover(&project.root).unwrap();
    assert_eq!(discovery.files.len(), 1);
    assert!(discovery.warnings[0].reason.contains("UTF-8"));
}

#[test]
fn an_empty_project_is_empty_and_a_missing_one_an_error() {
    assert_eq!(found(&names(&["package.json"])), Vec::<String>::new());
    let error = discover(std::path::Path::new("/not/there")).unwrap_err().to_string();
    assert!(error.contains("/not/there"), "{error}");
}
