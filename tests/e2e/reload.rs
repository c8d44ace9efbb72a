//! `motia dev` while files change.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Engine, Project, eventually};

fn answering(value: &str) -> String {
    format!(
        "import {{ suffix }} from '../lib/suffix'
        export const config = {{ type: 'api', name: 'A', path: '/a', method: 'GET' }}
        export const handler = async () => ({{ status: 200, body: '{value}' + suffix }})"
    )
}

fn project() -> Project {
    Project::new(&[("steps/a.step.ts", &answering("one")), ("lib/suffix.ts", "export const suffix: string = '!'")])
}

fn until(engine: &Engine, path: &str, text: &str) {
    eventually(&format!("{path} answers {text}"), || (engine.get(path).text() == text).then_some(()));
}

#[test]
fn saved_steps_and_helpers_go_live() {
    let project = project();
    let engine = project.dev();
    assert_eq!(engine.get("/a").text(), "one!");
    project.write("steps/a.step.ts", &answering("two"));
    until(&engine, "/a", "two!");
    engine.wait_for("[RELOADED] steps/a.step.ts in");
    project.write("lib/suffix.ts", "export const suffix = '?'");
    until(&engine, "/a", "two?");
    engine.wait_for("[RELOADED] lib/suffix.ts in");
    // What handlers write sets off nothing.
    engine.mark();
    project.write("data/pets.json", "{}");
    project.write("steps/a.step.ts", &answering("three"));
    until(&engine, "/a", "three?");
    assert!(!engine.output().contains("pets.json"), "{}", engine.output());
}

#[test]
fn files_come_and_go() {
    let project = project();
    let engine = project.dev();
    assert_eq!(engine.get("/b").status, 404);
    project.write(
        "src/new/b_step.js",
        "exports.config = { type: 'api', name: 'B', path: '/b', method: 'GET' }
         exports.handler = async () => ({ status: 200, body: 'b' })",
    );
    until(&engine, "/b", "b");
    engine.wait_for("[CREATED] Step (API) src/new/b_step.js created");
    fs::rename(project.path().join("src/new/b_step.js"), project.path().join("src/new/c_step.js")).expect("renamed");
    engine.wait_for("[REMOVED] Step (API) src/new/b_step.js removed");
    until(&engine, "/b", "b");
    project.remove("src/new/c_step.js");
    eventually("/b is gone", || (engine.get("/b").status == 404).then_some(()));
    assert_eq!(engine.get("/a").text(), "one!");
}

#[test]
fn a_syntax_error_keeps_the_last_good_version_and_shows_a_frame() {
    let project = project();
    let engine = project.dev();
    project.write("steps/a.step.ts", "export const config = {\nexport const handler = 1");
    engine.wait_for("steps/a.step.ts does not compile; its last good version goes on");
    engine.wait_for("steps/a.step.ts:2:");
    engine.wait_for("export const handler = 1");
    assert_eq!(engine.get("/a").text(), "one!");

    // Another file goes live meanwhile.
    project.write(
        "steps/b.step.ts",
        "export const config = { type: 'api', name: 'B', path: '/b', method: 'GET' }
         export const handler = async () => ({ status: 200, body: 'b' })",
    );
    until(&engine, "/b", "b");
    assert_eq!(engine.get("/a").text(), "one!");
    project.write("steps/a.step.ts", &answering("mended"));
    until(&engine, "/a", "mended!");
}

#[test]
fn a_plugin_that_comes_later_is_loaded() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "export const config = { type: 'api', name: 'A', path: '/a/:name', method: 'GET' }
             export const handler = async (req) => {
               const { default: run } = await import(`../plugins/${req.pathParams.name}.js`)
               return { status: 200, body: run() }
             }",
        ),
        ("plugins/one.ts", "export default (): string => 'one'"),
    ]);
    let engine = project.dev();
    assert_eq!(engine.get("/a/one").text(), "one");
    assert_eq!(engine.get("/a/two").status, 500);
    engine.wait_for("Cannot find module '../plugins/two.js' imported from ");
    project.write("plugins/two.ts", "export default () => 'two");
    engine.wait_for("[RELOADED] plugins/two.ts in");
    assert_eq!(engine.get("/a/two").status, 500);
    engine.wait_for("plugins/two.ts does not compile");
    project.write("plugins/two.ts", "export default (): string => 'two'");
    until(&engine, "/a/two", "two");
    project.remove("plugins/two.ts");
    eventually("the plugin is gone", || (engine.get("/a/two").status == 500).then_some(()));
    assert_eq!(engine.get("/a/one").text(), "one");
}

#[test]
fn a_file_that_throws_at_import_keeps_its_last_good_version() {
    let project = project();
    let engine = project.dev();
    project.write("lib/suffix.ts", "throw new Error('not today')\nexport const suffix = ''");
    engine.wait_for("steps/a.step.ts (its last good version goes on): ");
    engine.wait_for("not today");
    assert_eq!(engine.get("/a").text(), "one!");
    project.write("lib/suffix.ts", "export const suffix = '#'");
    until(&engine, "/a", "one#");
}

#[test]
fn the_env_file_and_the_config_go_live() {
    let project = Project::new(&[
        (
            "steps/a.step.ts",
            "export const config = { type: 'api', name: 'A', path: '/a', method: 'POST' }
             export const handler = async () => ({ status: 200, body: process.env.COLOR ?? 'none' })",
        ),
        (".env", "COLOR=red\n"),
    ]);
    let engine = project.dev();
    let color = || engine.post("/a", "{}").text();
    assert_eq!(color(), "red");
    project.write(".env", "COLOR=blue # a comment\n");
    eventually("blue", || (color() == "blue").then_some(()));

    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(2000));
    assert_eq!(engine.post("/a", &large).status, 200);
    project.write(
        "motia.config.ts",
        "import { defineConfig } from 'motia'\nexport default defineConfig({ bodyLimit: '1kb' } as any)",
    );
    eventually("the limit holds", || (engine.post("/a", &large).status == 413).then_some(()));
}

#[test]
fn calls_in_flight_finish_on_the_old_code_and_none_is_refused() {
    let slow = |value: &str| {
        format!(
            "export const config = {{ type: 'api', name: 'S', path: '/s', method: 'GET' }}
             export const handler = async () => {{
               await new Promise((done) => setTimeout(done, 40))
               return {{ status: 200, body: '{value}' }}
             }}"
        )
    };
    let project = Project::new(&[("steps/s.step.ts", &slow("v0"))]);
    let engine = project.dev();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut newest = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = engine.get("/s");
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let version: usize = answer.text()[1..].parse().expect("a version");
                    assert!(version >= newest, "v{version} came after v{newest}");
                    newest = version;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for version in 1..=5 {
            project.write("steps/s.step.ts", &slow(&format!("v{version}")));
            until(&engine, "/s", &format!("v{version}"));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) > 20);
}

#[test]
fn a_burst_of_saves_ends_with_the_last_one() {
    let project = project();
    let engine = project.dev();
    for n in 0..100 {
        project.write("steps/a.step.ts", &answering(&format!("v{n}-")));
        thread::sleep(Duration::from_millis(3));
    }
    until(&engine, "/a", "v99-!");
    assert_eq!(engine.get("/__motia/health").json()["broken"], json!([]));
}

#[test]
fn while_something_does_not_compile_only_what_could_mend_it_reloads() {
    let project = project();
    project.write("steps/broken.step.ts", "import x from './not/here'\nexport const config = { x }");
    let engine = project.dev();
    engine.wait_for("steps/broken.step.ts does not compile");
    engine.mark();
    // The engine's own output in the project's folder, and what handlers write: a reload would write the next line.
    for n in 0..20 {
        project.write("dev.log", &format!("line {n}"));
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(400));
    assert_eq!(engine.output().matches("RELOADED").count(), 0, "{}", engine.output());
    project.write("steps/not/here.ts", "export default 1");
    engine.wait_for("[RELOADED]");
}

#[test]
fn a_file_that_holds_up_its_import_does_so_once() {
    let project = project();
    project.write(
        "steps/hangs.step.ts",
        "export const config = { type: 'noop', name: 'Hangs', virtualEmits: [], virtualSubscribes: [] }
         await new Promise((done) => setTimeout(done, 60000))",
    );
    let engine = project.dev();
    engine.wait_for("steps/hangs.step.ts: it is still being imported after 2 s");
    for text in ["two", "three"] {
        engine.mark();
        project.write("steps/a.step.ts", &answering(text));
        engine.wait_for("steps/hangs.step.ts: it held up everything the last time, so it is imported apart");
        assert_eq!(engine.get("/a").text(), format!("{text}!"));
    }
}

#[test]
fn a_reload_that_the_disk_refuses_is_tried_again() {
    let project = project();
    let engine = project.dev();
    assert_eq!(engine.get("/a").text(), "one!");
    // A stand-in for a full disk, which a test cannot make.
    let (compiled, aside) = (project.path().join(".motia/compiled"), project.path().join(".motia/aside"));
    fs::rename(&compiled, &aside).expect("moved");
    fs::write(&compiled, "").expect("written");
    project.write("steps/a.step.ts", &answering("two"));
    engine.wait_for("the project was not reloaded, what ran before goes on");
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(engine.output().matches("the project was not reloaded").count(), 1, "{}", engine.output());
    assert_eq!(engine.get("/a").text(), "one!");
    fs::remove_file(&compiled).expect("removed");
    fs::rename(&aside, &compiled).expect("moved");
    until(&engine, "/a", "two!");
    engine.wait_for("[RELOADED] steps/a.step.ts in");
}
