//! Killed workers, killed engines, bad files.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Engine, Project, eventually, send_signal};

const SLOW: &str = "
    export const config = { type: 'api', name: 'Slow', path: '/slow/:ms', method: 'GET' }
    export const handler = async (req) => {
      await new Promise((done) => setTimeout(done, Number(req.pathParams.ms)))
      return { status: 200, body: { waited: req.pathParams.ms } }
    }";

const KEEP: &str = "
    export const config = { type: 'api', name: 'Keep', path: '/keep/:id', method: 'POST' }
    export const handler = async (req, { state, emit }) => {
      await state.set('kept', req.pathParams.id, { id: req.pathParams.id })
      await emit({ topic: 'kept', data: { id: req.pathParams.id } })
      return { status: 201, body: { id: req.pathParams.id } }
    }";

const KEPT: &str = "
    export const config = { type: 'event', name: 'Kept', subscribes: ['kept'] }
    export const handler = async (input, { state }) => { await state.set('handled', input.id, input.id) }";

const IDS: &str = "
    export const config = { type: 'api', name: 'Ids', path: '/ids/:group', method: 'GET' }
    export const handler = async (req, { state }) => {
      const all = await state.getGroup<any>(req.pathParams.group)
      return { status: 200, body: all.map((entry) => entry.id ?? entry) }
    }";

fn ids(engine: &Engine, group: &str) -> HashSet<String> {
    serde_json::from_value(engine.get(&format!("/ids/{group}")).json()).expect("ids")
}

#[test]
fn a_worker_killed_among_a_hundred_requests_costs_only_those() {
    let project = Project::new(&[("steps/slow.step.ts", SLOW)]);
    let engine = project.dev();
    let worker = engine.worker_pid();
    let statuses = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let answer = engine.get("/slow/300");
                let trace = answer.header("x-trace-id").expect("a trace id").to_owned();
                statuses.lock().expect("statuses").push((answer.status, answer.text(), trace));
            });
        }
        thread::sleep(Duration::from_millis(150));
        send_signal(i64::from(worker), "KILL");
    });
    let statuses = statuses.into_inner().expect("statuses");
    assert_eq!(statuses.len(), 100, "each has an answer");
    assert!(statuses.iter().all(|(status, ..)| matches!(status, 200 | 502)), "{statuses:?}");
    let lost = statuses.iter().find(|(status, ..)| *status == 502).expect("some were in flight");
    assert_eq!(lost.1, r#"{"error":"The worker ended while it handled the request"}"#);
    let line = engine.wait_for(&lost.2);
    assert!(line.contains("the node worker ended while the handler ran"), "{line}");
    assert_eq!(engine.get("/slow/1").status, 200, "the next request works");
    assert_ne!(engine.worker_pid(), worker);
}

#[test]
fn events_in_a_killed_worker_run_again_uncharged() {
    let project = Project::new(&[
        ("steps/keep.step.ts", KEEP),
        ("steps/ids.step.ts", IDS),
        (
            "steps/kept.step.ts",
            "export const config = { type: 'event', name: 'Kept', subscribes: ['kept'], infrastructure: { queue: { maxRetries: 0 } } }
             export const handler = async (input, { state }) => {
               await new Promise((done) => setTimeout(done, 400))
               await state.set('handled', input.id, input.id)
             }",
        ),
    ]);
    let engine = project.dev();
    for id in 0..5 {
        assert_eq!(engine.post(&format!("/keep/{id}"), "{}").status, 201);
    }
    send_signal(i64::from(engine.worker_pid()), "KILL");
    engine.wait_for("the event goes back, uncharged, and runs alone next");
    eventually("all are handled", || (ids(&engine, "handled").len() == 5).then_some(()));
    assert!(!engine.output().contains("dead letter"), "{}", engine.output());
}

#[test]
fn an_event_that_kills_its_worker_ends_as_a_dead_letter_and_costs_nobody_else() {
    let project = Project::new(&[
        (
            "steps/all.step.ts",
            "export const config = { type: 'api', name: 'All', path: '/all', method: 'POST' }
             export const handler = async (req, { emit }) => {
               await Promise.all(req.body.map((id) => emit({ topic: 'kept', data: { id } })))
               return { status: 200, body: {} }
             }",
        ),
        ("steps/ids.step.ts", IDS),
        (
            "steps/kept.step.ts",
            "export const config = { type: 'event', name: 'Kept', subscribes: ['kept'], infrastructure: { queue: { maxRetries: 0 } } }
             export const handler = async (input, { state }) => {
               await new Promise((done) => setTimeout(done, 50))
               if (input.id === 'poison') process.kill(process.pid, 'SIGKILL')
               await new Promise((done) => setTimeout(done, 200))
               await state.set('handled', input.id, input.id)
             }",
        ),
    ]);
    let engine = project.dev();
    assert_eq!(engine.post("/all", r#"["a", "b", "poison", "c"]"#).status, 200);
    engine.wait_for("failed for the last time (attempt 1 of 1), the event is a dead letter now");
    eventually("the others are handled", || (ids(&engine, "handled").len() == 3).then_some(()));
    let queues = engine.get("/__motia/queues").json();
    assert_eq!(
        queues["queues"],
        json!([{ "step": "Kept", "waiting": 0, "running": 0, "dead": 1, "paused": false, "orphan": false }])
    );
}

#[test]
fn a_killed_engine_keeps_what_it_acknowledged_and_leaves_no_worker() {
    let project =
        Project::new(&[("steps/keep.step.ts", KEEP), ("steps/kept.step.ts", KEPT), ("steps/ids.step.ts", IDS)]);
    let mut acknowledged = HashSet::new();
    for round in 0..3 {
        let engine = project.dev();
        let worker = engine.worker_pid();
        let (stop, next, done) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let id = format!("{round}-{}", next.fetch_add(1, Ordering::Relaxed));
                        let json = [("content-type", "application/json")];
                        let answer = engine.client().try_request("POST", &format!("/keep/{id}"), &json, b"{}");
                        if answer.is_ok_and(|answer| answer.status == 201) {
                            done.lock().expect("ids").push(id);
                        }
                    }
                });
            }
            thread::sleep(Duration::from_millis(400));
            engine.signal("KILL");
            thread::sleep(Duration::from_millis(50));
            stop.store(true, Ordering::Relaxed);
        });
        acknowledged.extend(done.into_inner().expect("ids"));
        eventually("the worker is gone", || (!std::path::Path::new(&format!("/proc/{worker}")).exists()).then_some(()));
    }
    assert!(acknowledged.len() > 50, "{} were acknowledged", acknowledged.len());
    let engine = project.dev();
    let missing: Vec<_> = acknowledged.difference(&ids(&engine, "kept")).cloned().collect();
    assert!(missing.is_empty(), "state lost: {missing:?}");
    eventually("every event is handled", || acknowledged.is_subset(&ids(&engine, "handled")).then_some(()));
}

#[test]
fn a_stop_lets_what_runs_finish() {
    let project = Project::new(&[("steps/slow.step.ts", SLOW)]);
    let engine = project.start();
    let client = engine.client();
    let running = thread::spawn(move || client.request("GET", "/slow/700", &[], b"").status);
    thread::sleep(Duration::from_millis(200));
    engine.signal("TERM");
    thread::sleep(Duration::from_millis(100));
    let refused = client.request("GET", "/slow/1", &[], b"");
    assert_eq!((refused.status, &*refused.text()), (503, r#"{"error":"the engine is stopping"}"#));
    assert_eq!((refused.header("retry-after"), refused.header("connection")), (Some("1"), Some("close")));
    let ready = client.request("GET", "/readyz", &[], b"");
    assert_eq!((ready.status, &*ready.text()), (503, r#"{"status":"stopping"}"#));
    assert_eq!(client.request("GET", "/healthz", &[], b"").status, 200);
    assert_eq!(running.join().expect("an answer"), 200);
    let (status, output) = engine.wait();
    assert!(status.success(), "{status} {output}");
}

#[test]
fn a_signal_that_comes_twice_at_once_is_one_wish_and_a_later_one_ends_everything() {
    let project = Project::new(&[("steps/slow.step.ts", SLOW)]);
    let engine = project.start();
    thread::scope(|scope| {
        let held = scope.spawn(|| engine.get("/slow/1500"));
        thread::sleep(Duration::from_millis(300));
        for _ in 0..2 {
            engine.signal("TERM");
            thread::sleep(Duration::from_millis(20));
        }
        engine.signal("INT");
        assert_eq!(held.join().expect("answered").status, 200);
    });
    let (status, output) = engine.wait();
    assert!(status.success() && !output.contains("at once"), "{output}");

    let engine = project.start();
    thread::scope(|scope| {
        scope.spawn(|| engine.client().try_request("GET", "/slow/5000", &[], b""));
        thread::sleep(Duration::from_millis(300));
        engine.signal("TERM");
        thread::sleep(Duration::from_millis(800));
        engine.signal("TERM");
        engine.wait_for("stopped at once; what was running is cut off");
    });
}

#[test]
fn what_outlives_the_deadline_is_cut_off_and_events_run_again() {
    let project = Project::new(&[
        ("steps/keep.step.ts", KEEP),
        ("steps/ids.step.ts", IDS),
        (
            "steps/kept.step.ts",
            "export const config = { type: 'event', name: 'Kept', subscribes: ['kept'], infrastructure: { queue: { maxRetries: 0 } } }
             export const handler = async (input, { state }) => {
               const runs = ((await state.get<number>('runs', input.id)) ?? 0) + 1
               await state.set('runs', input.id, runs)
               if (runs === 1) await new Promise(() => {})
               await state.set('handled', input.id, input.id)
             }",
        ),
        ("motia.config.ts", "export default { shutdownTimeout: 0.3 }"),
    ]);
    let engine = project.start();
    assert_eq!(engine.post("/keep/x", "{}").status, 201);
    thread::sleep(Duration::from_millis(200));
    engine.signal("TERM");
    let (status, output) = engine.wait();
    assert!(status.success(), "{status}");
    assert!(output.contains("calls were still running 0.3 s after the stop"), "{output}");
    let engine = project.start();
    eventually("it ran again", || ids(&engine, "handled").contains("x").then_some(()));
}

#[test]
fn bad_files_are_named_and_everything_else_runs() {
    let project = Project::new(&[
        ("steps/good.step.ts", SLOW),
        (
            "steps/throws.step.ts",
            "export const config = { type: 'api', name: 'T', path: '/t', method: 'GET' }\nthrow new Error('at import')",
        ),
        ("steps/exits.step.ts", "export const config = {}\nprocess.exit(3)"),
        ("steps/dies.step.ts", "export const config = {}\nprocess.kill(process.pid, 'SIGKILL')\nfor (;;) {}"),
        ("steps/noconfig.step.ts", "export const handler = async () => {}"),
        ("steps/syntax.step.ts", "export const config = {\n  type: 'api',,\n}"),
        ("steps/missing.step.ts", "import x from 'not-installed'\nexport const config = { x }"),
        (
            "steps/wrong.step.ts",
            "export const config = { type: 'api', name: 'W', path: 5, method: 'GET' }\nexport const handler = async () => {}",
        ),
        ("steps/nohandler.step.ts", "export const config = { type: 'api', name: 'N', path: '/n', method: 'GET' }"),
        ("steps/hangs.step.ts", "await new Promise(() => {})\nexport const config = {}"),
        ("motia.config.ts", "export default { timeouts: { import: 3 } }"),
    ]);
    let engine = project.dev();
    assert_eq!(engine.get("/slow/1").status, 200);
    for said in [
        "steps/throws.step.ts: Error: at import",
        "steps/throws.step.ts:2:",
        "steps/exits.step.ts: ProcessExit: process.exit(3) was called",
        "steps/dies.step.ts: the process ended while the file was imported: signal: 9 (SIGKILL)",
        "steps/noconfig.step.ts:",
        "steps/syntax.step.ts does not compile",
        "steps/syntax.step.ts:2:",
        "not-installed",
        "steps/wrong.step.ts: path: should be a string, but is the number 5",
        "steps/nohandler.step.ts: it exports no handler function",
        "steps/hangs.step.ts: it is still being imported after 2 s",
        "steps/hangs.step.ts: it was not imported within 3 s",
    ] {
        engine.wait_for(said);
    }
    assert_eq!(engine.get("/slow/1").status, 200);
    let broken = engine.get("/__motia/health").json()["broken"].as_array().expect("a list").len();
    assert_eq!(broken, 9, "{}", engine.output());
}

#[test]
fn a_config_that_throws_is_reported_and_the_rest_runs() {
    let project =
        Project::new(&[("steps/slow.step.ts", SLOW), ("motia.config.ts", "throw new Error('no config today')")]);
    let engine = project.dev();
    engine.wait_for("motia.config.ts: Error: no config today");
    engine.wait_for("UNTIL IT DOES, THE DEFAULTS HOLD, for validation and cors too");
    assert_eq!(engine.get("/slow/1").status, 200);

    let project = Project::new(&[
        ("steps/slow.step.ts", SLOW),
        (
            "motia.config.ts",
            "import { config } from '@motiadev/core'
             import observability from '@motiadev/plugin-observability/plugin'
             import { RedisStateAdapter } from '@motiadev/adapter-redis-state'
             import helper from 'a-package-that-is-not-there'
             import * as all from 'a-package-that-is-not-there'
             import { Foo } from 'another-that-is-not-there'
             const { lost } = require('a-third-that-is-not-there')
             helper.configure({ deep: all.makePlugin({}) }); new Foo().use('x'); lost()
             export default config({
               plugins: [observability, helper()],
               adapters: { state: new RedisStateAdapter({ host: 'localhost', socket: { reconnectStrategy: (n) => n } }) },
               redis: { useMemoryServer: true }, nonsense: 5, bodyLimit: 10,
             })",
        ),
    ]);
    let engine = project.dev();
    engine.wait_for("a-package-that-is-not-there");
    engine.wait_for("adapters (state) are not supported yet: THE EMBEDDED STORE IN .motia IS USED");
    engine.wait_for("redis is not needed and not used");
    engine.wait_for("unknown member 'nonsense' is ignored");
    let answer = engine.client().request("POST", "/slow/1", &[], b"12345678901");
    assert_eq!(answer.status, 405);
}

#[test]
fn start_refuses_a_project_whose_config_cannot_be_used() {
    for (config, why) in [
        ("throw new Error('no config today')", "Error: no config today"),
        ("export default {", "motia.config.ts:1"),
        ("export default 5", "motia.config.ts"),
        ("process.exit(0)", "motia.config.ts"),
    ] {
        let project = Project::new(&[("steps/slow.step.ts", SLOW), ("motia.config.ts", config)]);
        let engine = project.launch(&["start", "--port", "0", "--host", "127.0.0.1"], &[]);
        let (status, output) = engine.wait();
        assert_eq!(status.code(), Some(1), "{config}: {output}");
        let said = "motia: motia.config.ts cannot be used, and without it the project does not start";
        assert!(output.contains(said) && output.contains(why) && !output.contains("http://"), "{config}: {output}");
    }
    // One that takes long is waited for.
    let slow = "await new Promise((done) => setTimeout(done, 3000)); export default { bodyLimit: 10 }";
    let project = Project::new(&[("steps/keep.step.ts", KEEP), ("motia.config.ts", slow)]);
    let engine = project.start();
    assert_eq!(engine.client().request("POST", "/keep/a", &[], b"12345678901").status, 413);
}

#[test]
fn a_config_that_breaks_while_it_runs_holds_as_it_was() {
    let good = "export default { bodyLimit: 10 }";
    let project = Project::new(&[("steps/keep.step.ts", KEEP), ("motia.config.ts", good)]);
    let engine = project.dev();
    for bad in ["throw new Error('no config today')", "export default {", "export default 5"] {
        engine.mark();
        project.write("motia.config.ts", bad);
        engine.wait_for("motia.config.ts in");
        assert_eq!(engine.client().request("POST", "/keep/a", &[], b"12345678901").status, 413, "{bad}");
    }
    project.write("motia.config.ts", "export default { bodyLimit: 20 }");
    eventually("the new one holds", || {
        (engine.client().request("POST", "/keep/a", &[], b"12345678901").status != 413).then_some(())
    });
}

#[test]
fn a_step_with_subscriptions_that_breaks_keeps_its_events() {
    let project =
        Project::new(&[("steps/keep.step.ts", KEEP), ("steps/kept.step.ts", KEPT), ("steps/ids.step.ts", IDS)]);
    let engine = project.dev();
    engine.post("/keep/first", "{}");
    eventually("it runs", || ids(&engine, "handled").contains("first").then_some(()));
    engine.signal("TERM");
    engine.wait();

    project.write("steps/kept.step.ts", "this is not code");
    let engine = project.dev();
    engine.wait_for("steps/kept.step.ts does not compile");
    assert_eq!(engine.post("/keep/second", "{}").status, 201);
    let queues = engine.get("/__motia/queues").json();
    assert_eq!(
        queues["queues"],
        json!([{ "step": "Kept", "waiting": 1, "running": 0, "dead": 0, "paused": false, "orphan": false }])
    );
    project.write("steps/kept.step.ts", KEPT);
    eventually("it waited", || ids(&engine, "handled").contains("second").then_some(()));

    project.remove("steps/kept.step.ts");
    engine.wait_for("[REMOVED] Step (Event) steps/kept.step.ts removed");
    assert_eq!(engine.post("/keep/third", "{}").status, 201);
    assert_eq!(engine.get("/__motia/queues").json()["queues"], json!([]));
}

#[test]
fn the_standby_is_a_knob() {
    let children = |engine: &Engine| {
        let list =
            std::process::Command::new("pgrep").args(["-P", &engine.pid().to_string()]).output().expect("pgrep runs");
        String::from_utf8_lossy(&list.stdout).lines().count()
    };
    let project = Project::new(&[("steps/slow.step.ts", SLOW)]);
    let engine = project.dev();
    eventually("a worker and its standby", || (children(&engine) == 2).then_some(()));
    let files = [("steps/slow.step.ts", SLOW), ("motia.config.ts", "export default { standby: false }")];
    let project = Project::new(&files);
    let engine = project.dev();
    assert_eq!(children(&engine), 1);
    send_signal(i64::from(engine.worker_pid()), "KILL");
    eventually("a crash is mended all the same", || (engine.get("/slow/1").status == 200).then_some(()));
}

#[test]
fn durability_is_a_knob() {
    let files = [
        ("steps/keep.step.ts", KEEP),
        ("steps/kept.step.ts", KEPT),
        ("steps/ids.step.ts", IDS),
        ("motia.config.ts", "export default { durability: 'os' }"),
    ];
    let project = Project::new(&files);
    let engine = project.dev();
    for id in 0..20 {
        assert_eq!(engine.post(&format!("/keep/{id}"), "{}").status, 201);
    }
    engine.signal("KILL");
    engine.wait();
    let engine = project.dev();
    assert_eq!(ids(&engine, "kept").len(), 20, "a crash of the process costs nothing even so");
}

#[test]
fn a_worker_that_cannot_start_for_a_while_is_replaced_once_it_can() {
    let project =
        Project::new(&[("steps/slow.step.ts", SLOW), ("motia.config.ts", "export default { standby: false }")]);
    let fork = "#!/bin/sh\n[ -f \"$(dirname \"$0\")/no-fork\" ] && exit 1\nexec node \"$@\"\n";
    project.write("fake/node", fork);
    let node = project.path().join("fake/node");
    let executable = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(&node, executable).expect("executable");
    let environment = [("MOTIA_NODE", node.to_str().expect("a path"))];
    let engine = project.run_with(&["dev", "--port", "0"], &environment);
    project.write("fake/no-fork", "");
    send_signal(i64::from(engine.worker_pid()), "KILL");
    engine.wait_for("did not start");
    project.remove("fake/no-fork");
    eventually("another worker serves", || (engine.get("/slow/1").status == 200).then_some(()));
}

#[test]
fn output_that_nobody_reads_holds_up_no_stop() {
    let project = Project::new(&[(
        "steps/loud.step.ts",
        "export const config = { type: 'api', name: 'Loud', path: '/loud', method: 'GET' }
         export const handler = async (req, { logger }) => {
           for (let n = 0; n < 2000; n++) logger.info('x'.repeat(500))
           return { status: 200, body: {} }
         }",
    )]);
    let port = free_port();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_motia"))
        .args(["dev", "-p", &port.to_string()])
        .current_dir(project.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let client = crate::support::Client::new(port);
    eventually("it answers", || {
        client.try_request("GET", "/loud", &[], b"").ok().filter(|answer| answer.status == 200)
    });
    client.request("GET", "/loud", &[], b"");
    send_signal(i64::from(child.id()), "TERM");
    eventually("it ends", || child.try_wait().expect("waited"));
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

#[test]
fn a_project_whose_files_kill_every_worker_does_not_keep_the_machine_busy() {
    let project = Project::new(&[
        ("steps/slow.step.ts", SLOW),
        (
            "steps/dies.step.ts",
            "setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20)\nexport const config = { type: 'noop', name: 'Dies', virtualEmits: [], virtualSubscribes: [] }",
        ),
    ]);
    let engine = project.dev();
    thread::sleep(Duration::from_secs(4));
    let deaths = engine.output().matches("another takes over").count();
    assert!((3..12).contains(&deaths), "{deaths} workers died in 4 s");
}
