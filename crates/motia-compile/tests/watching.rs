//! The watcher, on a real file system. Waits are generous; what is measured is that things arrive at all, and once.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use motia_compile::{Changes, Watcher};
use support::Project;

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(400);

struct Watched {
    project: Project,
    watcher: Watcher,
    changes: Receiver<Changes>,
}

impl Watched {
    fn new(files: &[(&str, &str)]) -> Self {
        Self::around(Project::new(files))
    }

    fn around(project: Project) -> Self {
        let (tell, changes) = mpsc::channel();
        let watcher = Watcher::new(&project.root, &project.root.join("engine"), move |changes| {
            let _ = tell.send(changes);
        });
        Self { watcher: watcher.unwrap(), project, changes }
    }

    /// The paths that change until `wanted` is among them, relative to the root.
    fn until(&self, wanted: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        while !seen.contains(wanted) {
            let changes =
                self.changes.recv_timeout(LONG).unwrap_or_else(|_| panic!("no change of {wanted}, only {seen:?}"));
            assert_eq!(changes.errors, Vec::<String>::new());
            let relative =
                |path: &PathBuf| path.strip_prefix(&self.project.root).unwrap_or(path).to_string_lossy().into_owned();
            seen.extend(changes.paths.iter().map(relative));
        }
        seen
    }

    fn silent(&self) {
        if let Ok(changes) = self.changes.recv_timeout(SHORT) {
            panic!("unexpected {changes:?}");
        }
    }
}

#[test]
fn a_written_file_is_told() {
    let watched = Watched::new(&[("steps/a.step.ts", "1"), ("tsconfig.json", "{}")]);
    watched.project.write("steps/a.step.ts", "2");
    watched.until("steps/a.step.ts");
    watched.project.write("tsconfig.json", "{ }");
    watched.until("tsconfig.json");
    watched.project.write(".env", "A=1");
    watched.until(".env");
    watched.silent();
}

#[test]
fn an_atomic_save_is_told() {
    let watched = Watched::new(&[("steps/a.step.ts", "1")]);
    let target = watched.project.root.join("steps/a.step.ts");
    for text in ["2", "3"] {
        let temporary = watched.project.root.join("steps/.a.step.ts.swp");
        fs::write(&temporary, text).unwrap();
        fs::rename(&temporary, &target).unwrap();
        watched.until("steps/a.step.ts");
    }
}

#[test]
fn a_folder_called_dist_may_hold_steps() {
    let watched = Watched::new(&[("steps/dist/a.step.ts", "1")]);
    watched.project.write("steps/dist/a.step.ts", "2");
    watched.until("steps/dist/a.step.ts");
}

#[test]
fn removing_and_renaming_are_told() {
    let watched = Watched::new(&[("steps/a.step.ts", "1"), ("steps/b.step.ts", "1")]);
    watched.project.remove("steps/a.step.ts");
    watched.until("steps/a.step.ts");
    fs::rename(watched.project.root.join("steps/b.step.ts"), watched.project.root.join("steps/c.step.ts")).unwrap();
    let seen = watched.until("steps/c.step.ts");
    assert!(seen.contains("steps/b.step.ts"), "{seen:?}");
}

#[test]
fn new_folders_are_watched_with_what_is_in_them() {
    let watched = Watched::new(&[("steps/a.step.ts", "1")]);
    watched.project.write("src/deep/er/b.step.ts", "1");
    watched.until("src/deep/er/b.step.ts");
    watched.project.write("src/deep/er/c.step.ts", "1");
    watched.until("src/deep/er/c.step.ts");
    fs::rename(watched.project.root.join("src/deep"), watched.project.root.join("src/moved")).unwrap();
    watched.until("src/moved/er/c.step.ts");
    watched.project.write("src/moved/er/c.step.ts", "2");
    watched.until("src/moved/er/c.step.ts");
    fs::remove_dir_all(watched.project.root.join("src")).unwrap();
    watched.until("src");
    watched.project.write("src/again.step.ts", "1");
    watched.until("src/again.step.ts");
}

#[test]
fn what_tools_write_is_ignored() {
    let folders = [
        "node_modules/x",
        ".git",
        ".motia/compiled",
        "engine/compiled",
        "dist/steps",
        "python_modules",
        "steps/__pycache__",
        "steps/node_modules/y",
    ];
    let files: Vec<String> = folders.iter().map(|folder| format!("{folder}/file.ts")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "1")).collect();
    let watched = Watched::new(&files);
    for (path, _) in &files {
        watched.project.write(path, "2");
    }
    watched.project.write("node_modules/new/index.js", "1");
    watched.silent();
}

#[test]
fn a_burst_is_told_in_a_few_calls() {
    let watched = Watched::new(&[("steps/a.step.ts", "1")]);
    for index in 0..300 {
        watched.project.write(&format!("steps/s{index}.step.ts"), "1");
    }
    let mut calls = 0;
    let mut seen = BTreeSet::new();
    while seen.len() < 300 {
        let changes = watched.changes.recv_timeout(LONG).unwrap();
        seen.extend(changes.paths.into_iter().filter(|path| path.extension().is_some()));
        calls += 1;
    }
    assert!(calls <= 50, "{calls} calls");
}

#[test]
fn inputs_outside_of_the_root_are_watched() {
    let watched = Watched::new(&[("steps/a.step.ts", "1"), ("../shared/s.ts", "1"), ("../shared/other.ts", "1")]);
    let shared = watched.project.outside().join("shared/s.ts");
    watched.watcher.watch_outside(&BTreeSet::from([shared.clone()]));
    // The request is taken by the watcher's thread.
    std::thread::sleep(SHORT);
    fs::write(watched.project.outside().join("shared/other.ts"), "2").unwrap();
    watched.silent();
    fs::write(&shared, "2").unwrap();
    watched.until(&shared.to_string_lossy());
    watched.watcher.watch_outside(&BTreeSet::new());
    std::thread::sleep(SHORT);
    fs::write(&shared, "3").unwrap();
    watched.silent();
}

#[test]
fn what_links_lead_to_is_watched() {
    let project = Project::new(&[("steps/a.step.ts", "1"), ("../shared/s.ts", "1")]);
    let shared = project.outside().join("shared");
    std::os::unix::fs::symlink(&shared, project.root.join("steps/linked")).unwrap();
    let watched = Watched::around(project);
    watched.watcher.watch_outside(&BTreeSet::from([shared.join("s.ts")]));
    std::thread::sleep(SHORT);
    fs::write(shared.join("s.ts"), "2").unwrap();
    let seen = watched.until("steps/linked/s.ts");
    assert!(seen.contains(&*shared.join("s.ts").to_string_lossy()), "{seen:?}");
    fs::write(shared.join("new.step.ts"), "1").unwrap();
    watched.until("steps/linked/new.step.ts");
}

#[test]
fn a_missing_root_is_an_error() {
    assert!(Watcher::new(Path::new("/not/there"), Path::new("/not/there/.motia"), |_| ()).is_err());
}
