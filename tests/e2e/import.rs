//! `motia import redis`, from a real Redis that was filled as Motia 0.17 fills it (behaviour-0.17.md C, E, F1).

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Project, eventually};

/// A Redis of the test's own, killed when it is dropped.
struct Redis {
    child: Child,
    folder: tempfile::TempDir,
}

impl Redis {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let started = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "s", "--appendonly", "yes", "--save", "", "--dir"])
            .arg(folder.path())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            assert!(std::env::var_os("CI").is_none(), "redis-server must be there in CI");
            println!("skipped: there is no redis-server in PATH");
            return None;
        };
        let redis = Self { child, folder };
        eventually("Redis answers", || redis::Client::open(redis.url()).ok()?.get_connection().ok().map(drop));
        Some(redis)
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.folder.path().join("s").display())
    }

    fn run(&self, commands: &[&[&str]]) {
        let mut connection =
            redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("connected");
        for command in commands {
            redis::cmd(command[0]).arg(&command[1..]).exec(&mut connection).expect("done");
        }
    }

    fn files(&self) -> std::path::PathBuf {
        self.folder.path().join("appendonlydir")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const FILES: [(&str, &str); 2] = [
    (
        "steps/charge.step.ts",
        "export const config = { type: 'event', name: 'Charge', subscribes: ['order.placed'] }
         export const handler = async (input, { state }) => { await state.set('charged', String(input.n), input) }",
    ),
    (
        "steps/look.step.ts",
        "export const config = { type: 'api', name: 'Look', path: '/look', method: 'GET' }
         export const handler = async (_, { state, streams }) => ({ status: 200, body: {
           order: await state.get('orders', 'a:1'), charged: await state.getGroup('charged'),
           todos: await streams.todo.getGroup('all') } })",
    ),
];
const STREAM: &str = "export const config = { name: 'todo', schema: {}, baseConfig: { storageType: 'default' } }";

fn fill(redis: &Redis) {
    let event =
        |n: u32| format!(r#"{{"topic":"order.placed","data":{{"n":{n}}},"traceId":"AUSDA-106074{n}","flows":["x"]}}"#);
    let (one, two, three) = (event(1), event(2), event(3));
    let dead = r#"{"originalEvent":{"topic":"order.placed","data":{"n":9},"traceId":"AUSDA-1060749"},"failureReason":"no card","failureTimestamp":1795371060963,"attemptsMade":4,"originalJobId":"9"}"#;
    let queue = "motia:events:order.placed.Charge";
    let key = |rest: &str| format!("{queue}{rest}");
    redis.run(&[
        &["SET", "motia:state:orders:a:1", r#"{"total":1.50}"#],
        &["SET", "motia:state:orders:b", "not JSON"],
        &["HSET", "motia:stream:todo:group:all", "2", r#"{"t":"second","id":"2","_createdAt":20}"#],
        &["HSET", "motia:stream:todo:group:all", "1", r#"{"t":"first","id":"1","_createdAt":10}"#],
        &["SET", "motia:cron:lock:Nightly", "{}"],
        &["HSET", &key(":meta"), "opts.maxLenEvents", "10000"],
        &["HSET", &key(":1"), "name", "order.placed", "data", &one, "timestamp", "1795371060000"],
        &["HSET", &key(":2"), "name", "order.placed", "data", &two, "timestamp", "1795371060001"],
        &["HSET", &key(":3"), "name", "order.placed", "data", &three, "timestamp", "1795371060002"],
        &["LPUSH", &key(":active"), "1"],
        &["LPUSH", &key(":wait"), "2"],
        // In the year 2100.
        &["ZADD", &key(":delayed"), "16809984000000000", "3"],
        &["HSET", &key(".dlq:meta"), "opts.maxLenEvents", "10000"],
        &["HSET", &key(".dlq:dlq-9"), "name", "order.placed", "data", dead, "timestamp", "1795371060963"],
        &["LPUSH", &key(".dlq:wait"), "dlq-9"],
    ]);
}

fn json_of(project: &Project, source: &str, more: &[&str]) -> Value {
    let mut arguments = vec!["import", "redis", source, "--json"];
    arguments.extend(more);
    serde_json::from_str(&project.motia(&arguments)).expect("JSON")
}

fn check(project: &Project, source: &str) {
    let expected = json!({
        "dryRun": true, "state": 1, "streamItems": 2, "events": 3, "deadLetters": 1, "known": 0,
        "skipped": ["motia:state:orders:b: it holds no JSON"],
    });
    assert_eq!(json_of(project, source, &["--dry-run"]), expected);
    assert!(!project.path().join(".motia/motia.db").exists(), "counting changes nothing");

    let imported = json_of(project, source, &[]);
    assert_eq!((&imported["dryRun"], &imported["events"]), (&json!(false), &json!(3)), "{imported}");
    let again = json_of(project, source, &[]);
    assert_eq!((&again["state"], &again["events"], &again["known"]), (&json!(0), &json!(0), &json!(7)), "{again}");

    let engine = project.start();
    let look = eventually("what waited is handled", || {
        let look = engine.get("/look").json();
        (look["charged"].as_array().map(Vec::len) == Some(2)).then_some(look)
    });
    assert_eq!(look["order"], json!({ "total": 1.5 }));
    let todos: Vec<&Value> = look["todos"].as_array().expect("a list").iter().map(|todo| &todo["t"]).collect();
    assert_eq!(todos, ["first", "second"]);
    let queues: Value = serde_json::from_str(&project.motia(&["queue", "ls", "--json"])).expect("JSON");
    let queue = &queues["queues"][0];
    assert_eq!(
        (&queue["step"], &queue["waiting"], &queue["dead"]),
        (&json!("Charge"), &json!(1), &json!(1)),
        "{queue}"
    );
    assert!(project.motia(&["queue", "show", "Charge"]).contains("no card"));
    project.motia(&["queue", "retry", "--step", "Charge"]);
    eventually("the dead letter is handled", || {
        (engine.get("/look").json()["charged"].as_array().map(Vec::len) == Some(3)).then_some(())
    });
    let refused = project.motia_fails(&["import", "redis", source]);
    assert!(refused.contains("another engine is running on this project"), "{refused}");
}

fn project() -> Project {
    let project = Project::new(&FILES);
    project.write("steps/todo.stream.ts", STREAM);
    project
}

#[test]
fn a_redis_of_the_original_is_imported_and_what_waited_runs() {
    let Some(redis) = Redis::start() else { return };
    fill(&redis);
    check(&project(), &redis.url());
}

#[test]
fn the_files_of_a_redis_are_imported_and_stay_as_they_are() {
    let Some(redis) = Redis::start() else { return };
    fill(&redis);
    let before = sizes(&redis.files());
    check(&project(), redis.files().to_str().expect("a path"));
    assert_eq!(sizes(&redis.files()), before);
}

fn sizes(folder: &Path) -> Vec<(String, u64)> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable"));
    let mut sizes: Vec<_> = files
        .map(|file| (file.file_name().to_string_lossy().into_owned(), file.metadata().expect("metadata").len()))
        .collect();
    sizes.sort();
    sizes
}

#[test]
fn what_cannot_be_read_is_said() {
    let project = project();
    let refused = project.motia_fails(&["import", "redis", "nowhere"]);
    assert!(refused.contains("cannot read the folder nowhere"), "{refused}");
    let refused = project.motia_fails(&["import", "redis", "steps"]);
    assert!(refused.contains("steps holds no files of Redis: a *.manifest is missing"), "{refused}");
    let refused = project.motia_fails(&["import", "redis", "redis+unix:///nowhere/s"]);
    assert!(refused.contains("cannot read from redis+unix:///nowhere/s"), "{refused}");
}
