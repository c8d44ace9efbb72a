//! `motia dev` and the ways in which files change on disk: whatever editors, shells and git do, what is there in the end is live.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::{Engine, Project, eventually};

fn step(name: &str, value: &str) -> String {
    format!(
        "import {{ suffix }} from '../../lib/suffix'
        export const config = {{ type: 'api', name: '{name}', path: '/{name}', method: 'GET' }}
        export const handler = async () => ({{ status: 200, body: '{value}' + suffix }})\n"
    )
}

fn project() -> Project {
    Project::new(&[
        ("steps/shop/a.step.ts", &step("a", "one")),
        ("steps/shop/b.step.ts", &step("b", "bee")),
        ("lib/suffix.ts", "export const suffix: string = '!'\n"),
    ])
}

fn until(engine: &Engine, path: &str, text: &str) {
    eventually(&format!("{path} answers {text}"), || (engine.get(path).text() == text).then_some(()));
}

fn until_gone(engine: &Engine, path: &str) {
    eventually(&format!("{path} is gone"), || (engine.get(path).status == 404).then_some(()));
}

#[test]
fn an_editor_puts_a_new_file_in_the_place_of_the_old_one() {
    let project = project();
    let engine = project.dev();
    for version in ["two", "three", "four"] {
        // As vim and VS Code do: a backup, a temporary file, a rename over the old one.
        let path = project.path().join("steps/shop/a.step.ts");
        let (temporary, backup) = (path.with_extension("ts.tmp"), path.with_extension("ts~"));
        fs::write(&temporary, step("a", version)).expect("written");
        fs::rename(&path, &backup).expect("renamed");
        fs::rename(&temporary, &path).expect("renamed");
        fs::remove_file(&backup).expect("removed");
        until(&engine, "/a", &format!("{version}!"));
    }
    let helper = project.path().join("lib/suffix.ts");
    fs::write(helper.with_extension("new"), "export const suffix = '?'").expect("written");
    fs::rename(helper.with_extension("new"), &helper).expect("renamed");
    until(&engine, "/a", "four?");
    until(&engine, "/b", "bee?");
}

#[test]
fn a_file_that_is_half_written_does_not_cost_the_last_good_version() {
    let project = project();
    let engine = project.dev();
    let path = project.path().join("steps/shop/a.step.ts");
    let next = step("a", "whole");
    let (first, _) = next.split_at(next.len() / 2);
    fs::write(&path, "").expect("truncated");
    thread::sleep(Duration::from_millis(300));
    fs::write(&path, first).expect("written");
    engine.wait_for("does not compile; its last good version goes on");
    assert_eq!(engine.get("/a").text(), "one!");
    fs::write(&path, &next).expect("written");
    until(&engine, "/a", "whole!");
    assert_eq!(engine.get("/b").text(), "bee!");
}

#[test]
fn folders_are_renamed_moved_and_removed() {
    let project = project();
    let engine = project.dev();
    let at = |path: &str| project.path().join(path);
    fs::rename(at("steps/shop"), at("steps/store")).expect("renamed");
    engine.wait_for("steps/store/a.step.ts created");
    until(&engine, "/a", "one!");
    // It is watched where it is now.
    project.write("steps/store/a.step.ts", &step("a", "two"));
    until(&engine, "/a", "two!");
    // Out of the project's sources, and back.
    fs::rename(at("steps/store"), at("parked")).expect("renamed");
    until_gone(&engine, "/a");
    fs::create_dir(at("src")).expect("made");
    fs::rename(at("parked"), at("src/store")).expect("renamed");
    until(&engine, "/a", "two!");
    project.write("src/store/b.step.ts", &step("b", "bumble"));
    until(&engine, "/b", "bumble!");
    fs::remove_dir_all(at("src")).expect("removed");
    until_gone(&engine, "/a");
    until_gone(&engine, "/b");
    project.write("steps/again/a.step.ts", &step("a", "again"));
    until(&engine, "/a", "again!");
}

#[test]
fn a_helper_is_moved_away_and_comes_back() {
    let project = project();
    let engine = project.dev();
    let (here, away) = (project.path().join("lib"), project.path().join("library"));
    fs::rename(&here, &away).expect("renamed");
    engine.wait_for("cannot find '../../lib/suffix'");
    assert_eq!(engine.get("/a").text(), "one!");
    fs::write(away.join("suffix.ts"), "export const suffix = '#'").expect("written");
    fs::rename(&away, &here).expect("renamed");
    until(&engine, "/a", "one#");
}

#[test]
fn another_branch_is_checked_out() {
    let project = project();
    git(project.path(), &["init", "--quiet", "--initial-branch=main"]);
    project.write(".gitignore", ".motia\nnode_modules\n");
    commit(project.path(), "one");
    git(project.path(), &["checkout", "--quiet", "-b", "other"]);
    for n in 0..20 {
        project.write(&format!("steps/new/s{n}.step.ts"), &step(&format!("s{n}"), "new"));
    }
    project.write("steps/shop/a.step.ts", &step("a", "other"));
    project.write("lib/suffix.ts", "export const suffix = '?'\n");
    project.remove("steps/shop/b.step.ts");
    commit(project.path(), "two");
    git(project.path(), &["checkout", "--quiet", "main"]);

    let engine = project.dev();
    assert_eq!(engine.get("/a").text(), "one!");
    for _ in 0..3 {
        git(project.path(), &["checkout", "--quiet", "other"]);
        until(&engine, "/a", "other?");
        until(&engine, "/s19", "new?");
        until_gone(&engine, "/b");
        git(project.path(), &["checkout", "--quiet", "main"]);
        until(&engine, "/a", "one!");
        until(&engine, "/b", "bee!");
        until_gone(&engine, "/s19");
    }
}

#[test]
fn many_reloads_leave_little_behind() {
    let project = project();
    let engine = project.dev();
    for n in 0..30 {
        project.write("steps/shop/a.step.ts", &step("a", &format!("v{n}")));
        until(&engine, "/a", &format!("v{n}!"));
    }
    let entries = fs::read_dir(project.path().join(".motia/compiled")).expect("a folder").flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let generations = names.iter().filter(|name| !name.contains('.')).count();
    assert!(generations <= 8, "{names:?}");
}

fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "--all"]);
    git(
        folder,
        &["-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", message],
    );
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").current_dir(folder).args(arguments).output().expect("git is installed");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
