//! Python steps in the real binary. What the SDK does by itself is tested in `sdk/python/tests`.

use std::fs;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Engine, Project, eventually, send_signal};

const OK: (&str, &str) = (
    "steps/ok_step.py",
    "import os
config = {'type': 'api', 'name': 'Ok', 'path': '/ok', 'method': 'GET', 'emits': []}
async def handler(req, ctx):
    return {'status': 200, 'body': {'pid': os.getpid()}}
",
);

const NODE: (&str, &str) = (
    "steps/node.step.ts",
    "let calls = 0
     export const config = { type: 'api', name: 'Node', path: '/node', method: 'GET' }
     export const handler = async () => ({ status: 200, body: { calls: ++calls } })",
);

/// A step at GET `path`, with this handler.
fn api(path: &str, handler: &str) -> String {
    format!(
        "config = {{'type': 'api', 'name': '{path}', 'path': '/{path}', 'method': 'GET', 'emits': []}}\n{handler}\n"
    )
}

fn answering(path: &str, value: &str) -> String {
    api(path, &format!("async def handler(req, ctx):\n    return {{'status': 200, 'body': {{'value': {value}}}}}"))
}

fn until(engine: &Engine, path: &str, text: &str) {
    eventually(text, || engine.get(path).text().contains(text).then_some(()));
}

fn python_pid(engine: &Engine) -> i32 {
    eventually("a Python worker serves", || engine.worker_pids_of("python", "serving").first().copied())
}

#[test]
fn a_request_an_event_and_a_tick_run_with_state_streams_and_one_trace() {
    let project = Project::new(&[
        (
            "steps/create_step.py",
            "from pydantic_free import schema
config = {'type': 'api', 'name': 'Create', 'path': '/things/:id', 'method': 'POST', 'emits': ['thing.made'],
          'bodySchema': schema, 'responseSchema': {201: schema}, 'validation': 'enforce'}
async def handler(req, context):
    await context.state.set('things', req.path_params.id, req.body)
    await context.emit({'topic': 'thing.made', 'data': {'id': req['pathParams']['id'], 'q': req.get('queryParams').get('q')}})
    return {'status': 201, 'body': {'trace': context.trace_id}}
",
        ),
        ("pydantic_free.py", "schema = {'type': 'object', 'properties': {'n': {'type': 'number'}}, 'required': ['n']}\n"),
        (
            "steps/made-thing.step.py",
            "config = {'type': 'event', 'name': 'Made', 'subscribes': ['thing.made'], 'emits': []}
def handler(input, context):
    thing = context['state'].get('things', input['id']).result()
    context['streams'].log.set('all', input.id, {'n': thing.n + 1, 'q': input.q, 'trace': context.traceId}).result()
",
        ),
        ("steps/log.stream.py", "config = {'name': 'log', 'schema': {'type': 'object'}, 'baseConfig': {'storageType': 'default'}}\n"),
        (
            "steps/read_step.py",
            "config = {'type': 'api', 'name': 'Read', 'path': '/things', 'method': 'GET', 'emits': []}
async def handler(req, ctx=None):
    return {'status': 200, 'body': await ctx.streams['log'].get_group('all')}
",
        ),
        (
            "steps/tick_step.py",
            "config = {'type': 'cron', 'name': 'Tick', 'cron': '* * * * * *', 'emits': []}
async def handler(ctx):
    ctx.logger.info('tick of python')
",
        ),
    ]);
    let engine = project.dev();
    let refused = engine.post("/things/a", r#"{"n":"one"}"#);
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (400, Some("Validation failed")),
        "{}",
        refused.text()
    );
    let made = engine.post("/things/a?q=x", r#"{"n":1}"#);
    assert_eq!(made.status, 201, "{}", made.text());
    let trace = made.json()["trace"].as_str().expect("a trace").to_owned();
    assert_eq!(made.header("x-trace-id"), Some(trace.as_str()));
    let things = eventually("the event ran", || {
        let things = engine.get("/things").json();
        (things.as_array().is_some_and(|things| !things.is_empty())).then_some(things)
    });
    let mark = json!({ "type": "state-stream", "streamName": "log", "groupId": "all", "id": "a" });
    let mut thing = things[0].clone();
    assert!(
        thing.as_object_mut().expect("an object").remove("_createdAt").is_some() || thing.get("_createdAt").is_none()
    );
    assert_eq!(thing, json!({ "n": 2, "q": "x", "trace": trace, "id": "a", "__motia": mark }));
    engine.wait_for("tick of python");
}

#[test]
fn a_save_replaces_the_python_worker_alone_and_helpers_count() {
    let project = Project::new(&[
        NODE,
        ("steps/a_step.py", &answering("a", "'one'")),
        ("steps/b_step.py", &format!("from services.words import word\n{}", answering("b", "word()"))),
        ("services/words.py", "def word():\n    return 'first'\n"),
    ]);
    let engine = project.dev();
    assert_eq!(engine.get("/node").json()["calls"], 1);
    project.write("steps/a_step.py", &answering("a", "'two'"));
    until(&engine, "/a", "two");
    project.write("services/words.py", "def word():\n    return 'second'\n");
    until(&engine, "/b", "second");
    engine.wait_for("[RELOADED] services/words.py");
    assert_eq!(engine.get("/node").json()["calls"], 2, "the Node worker is the same");
    // And the other way round.
    let python = python_pid(&engine);
    project.write("steps/node.step.ts", &NODE.1.replace("calls: ++calls", "value: 'new'"));
    until(&engine, "/node", "new");
    assert_eq!(python_pid(&engine), python);
}

#[test]
fn a_broken_save_keeps_the_last_good_version_and_files_come_and_go() {
    let project = Project::new(&[OK, ("steps/a_step.py", &answering("a", "'good'"))]);
    let engine = project.dev();
    project.write("steps/a_step.py", "def handler(:\n");
    let error = engine.wait_for("steps/a_step.py (its last good version goes on)");
    assert!(error.contains("SyntaxError") || engine.output().contains("SyntaxError"), "{error}");
    assert_eq!(engine.get("/a").json()["value"], "good");
    project.write("steps/a_step.py", &answering("a", "'better'"));
    until(&engine, "/a", "better");
    project.write("steps/deep/c.step.py", &answering("c", "'new'"));
    until(&engine, "/c", "new");
    project.remove("steps/deep/c.step.py");
    eventually("it is gone", || (engine.get("/c").status == 404).then_some(()));
    assert_eq!(engine.get("/ok").status, 200);
}

#[test]
fn a_broken_helper_takes_nothing_down() {
    let value = api(
        "value",
        "from services.value import value\nasync def handler(req, ctx):\n    return {'status': 200, 'body': {'value': value}}",
    );
    let project = Project::new(&[("steps/value_step.py", &value), ("services/value.py", "value = 'first'\n")]);
    let engine = project.dev();
    until(&engine, "/value", "first");
    let pid = python_pid(&engine);
    engine.mark();
    project.write("services/value.py", "value = (\n");
    engine.wait_for("steps/value_step.py: ");
    engine.wait_for("the python that ran before goes on, with all of its files as they were");
    until(&engine, "/value", "first");
    assert_eq!(python_pid(&engine), pid);
    project.write("services/value.py", "value = 'second'\n");
    until(&engine, "/value", "second");
    fs::remove_file(project.path().join("steps/value_step.py")).expect("removed");
    eventually("it is gone", || (engine.get("/value").status == 404).then_some(()));
}

#[test]
fn the_first_python_step_of_a_project_starts_its_workers() {
    let project = Project::new(&[NODE]);
    let engine = project.dev();
    assert!(engine.get("/__motia/health").json()["workers"]["python"].is_null());
    project.write(OK.0, OK.1);
    eventually("it runs", || (engine.get("/ok").status == 200).then_some(()));
}

#[test]
fn a_project_without_node_files_needs_no_node() {
    let project = Project::new(&[OK, ("motia.config.ts", "export default { validation: 'enforce' }")]);
    for command in ["dev", "start"] {
        let engine =
            project.run_with(&[command, "--port", "0", "--host", "127.0.0.1"], &[("MOTIA_NODE", "/nowhere/node")]);
        engine.wait_for("motia.config is not read, since node was not found");
        assert_eq!(engine.get("/ok").status, 200);
        assert_eq!(engine.get("/readyz").status, 200);
        engine.signal("TERM");
        assert!(engine.wait().0.success());
    }
}

#[test]
fn files_that_fail_at_import_are_named_with_their_lines_and_the_rest_runs() {
    let project = Project::new(&[
        OK,
        ("steps/exits_step.py", "import sys\nprint('before')\nsys.exit(3)\n"),
        ("steps/crashes_step.py", "import ctypes\nctypes.string_at(0)\n"),
        ("steps/raises_step.py", "config = {}\n\n\nraise RuntimeError('at import')\n"),
        ("steps/list_step.py", "\nconfig = ['no dict']\n"),
        ("steps/missing_step.py", "import surely_not_installed\nconfig = {}\n"),
        ("steps/no_handler_step.py", "config = {'type': 'event', 'name': 'N', 'subscribes': ['x'], 'emits': []}\n"),
        ("steps/types.py", "raise RuntimeError('the standard library is shadowed')\n"),
    ]);
    let engine = project.dev();
    assert_eq!(engine.get("/ok").status, 200);
    for expected in [
        "steps/exits_step.py",
        "steps/crashes_step.py: the process ended while the file was imported",
        "steps/raises_step.py\", line 4",
        "config is a list (line 2)",
        "surely_not_installed",
        "motia install",
        "steps/no_handler_step.py: it has no handler function: add `async def handler(...):`",
    ] {
        engine.wait_for(expected);
    }
    assert!(!engine.output().contains("is shadowed"), "{}", engine.output());
}

#[test]
fn a_slow_import_holds_up_nobody() {
    let project = Project::new(&[
        OK,
        ("steps/slow_step.py", &format!("import time\ntime.sleep(6)\n{}", answering("slow", "'there'"))),
    ]);
    let engine = project.dev();
    engine.wait_for("steps/slow_step.py: it is still being imported after 2 s");
    assert_eq!(engine.get("/ok").status, 200);
    until(&engine, "/slow", "there");
}

#[test]
fn handlers_that_fail_in_every_way_fail_alone() {
    let project = Project::new(&[
        OK,
        ("steps/exit_step.py", &api("exit", "import sys\nasync def handler(req, ctx):\n    sys.exit(2)")),
        ("steps/raise_step.py", &api("raise", "async def handler(req, ctx):\n    {}['missing']")),
        (
            "steps/deep_step.py",
            &api("deep", "def deep():\n    return deep()\nasync def handler(req, ctx):\n    return deep()"),
        ),
        (
            "steps/nan_step.py",
            &api("nan", "async def handler(req, ctx):\n    return {'status': 200, 'body': {'x': [float('nan')]}}"),
        ),
        (
            "steps/bytes_step.py",
            &api("bytes", "def handler(req, ctx):\n    return {'status': 200, 'body': {'x': b'raw'}}"),
        ),
        ("steps/nothing_step.py", &api("nothing", "async def handler(req, ctx):\n    pass")),
        (
            "steps/prints_step.py",
            &api(
                "prints",
                "import sys, os\nasync def handler(req, ctx):\n    print('printed 🐾')\n    sys.stdout.buffer.write(bytes(range(256)))\n    sys.stdout.buffer.flush()\n    os.write(2, b'raw line\\n')\n    return {'status': 200, 'body': 'ok'}",
            ),
        ),
    ]);
    let engine = project.dev();
    for (path, expected) in [
        ("exit", "sys.exit(2) was called"),
        ("raise", "steps/raise_step.py\", line 3"),
        ("deep", "RecursionError"),
        ("nan", "x[0] is nan"),
        ("bytes", "x is bytes"),
        ("nothing", "a handler must return"),
    ] {
        let answer = engine.get(&format!("/{path}"));
        assert_eq!((answer.status, answer.text()), (500, r#"{"error":"Internal server error"}"#.to_owned()), "{path}");
        engine.wait_for(expected);
        eventually("the rest runs", || (engine.get("/ok").status == 200).then_some(()));
    }
    assert_eq!(engine.get("/prints").status, 200);
    engine.wait_for("printed 🐾");
    engine.wait_for("raw line");
}

#[test]
fn a_hundred_megabytes_of_output_take_nothing_down() {
    let project = Project::new(&[
        OK,
        (
            "steps/loud_step.py",
            &api(
                "loud",
                "async def handler(req, ctx):\n    for _ in range(1600):\n        print('x' * 65000)\n    return {'status': 200, 'body': 'done'}",
            ),
        ),
    ]);
    let engine = project.dev();
    let worker = python_pid(&engine);
    let answer = engine.get("/loud");
    assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
    assert_eq!(engine.get("/ok").json()["pid"], worker);
}

#[test]
fn a_loop_that_never_ends_is_named_with_its_line_and_others_are_answered() {
    let project = Project::new(&[
        OK,
        ("steps/loop_step.py", &api("loop", "async def handler(req, ctx):\n    while True:\n        pass")),
        (
            "steps/busy_step.py",
            &api(
                "busy",
                "import time\ndef handler(req, ctx):\n    end = time.time() + 4\n    while time.time() < end:\n        pass\n    return {'status': 200, 'body': 'done'}",
            ),
        ),
    ]);
    let engine = project.dev();
    let worker = python_pid(&engine);
    thread::scope(|scope| {
        // A handler that is not async has a thread of its own: nobody else waits for it.
        let busy = scope.spawn(|| engine.get("/busy").status);
        thread::sleep(Duration::from_millis(200));
        for _ in 0..10 {
            assert_eq!(engine.get("/ok").json()["pid"], worker);
        }
        assert_eq!(busy.join().expect("answered"), 200);
    });
    let client = engine.client();
    // Nobody waits for an answer.
    let _stream = {
        let mut stream = client.connect();
        std::io::Write::write_all(&mut stream, b"GET /loop HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
        stream
    };
    engine.wait_for("steps/loop_step.py:");
    let line = engine.wait_for("the python worker (pid");
    assert!(line.contains("has not answered for 2 s"), "{line}");
    eventually("another serves", || {
        engine.worker_pids_of("python", "serving").first().filter(|pid| **pid != worker).copied()
    });
    assert_eq!(engine.get("/ok").status, 200);
}

#[test]
fn a_segfault_is_shown_with_its_line_and_costs_no_other_event_an_attempt() {
    let project = Project::new(&[
        (
            "steps/emit_step.py",
            "config = {'type': 'api', 'name': 'Emit', 'path': '/emit', 'method': 'POST', 'emits': ['work']}
async def handler(req, ctx):
    for n in range(20):
        await ctx.emit({'topic': 'work', 'data': {'n': n, 'poison': n == 7}})
    return {'status': 202}
",
        ),
        (
            "steps/work_step.py",
            "import asyncio, ctypes
config = {'type': 'event', 'name': 'Work', 'subscribes': ['work'], 'emits': [],
          'infrastructure': {'handler': {'timeout': 30}, 'queue': {'maxRetries': 1}}}
async def handler(input, ctx):
    # Until the request that emits them has been answered.
    await asyncio.sleep(1)
    if input.poison:
        ctypes.string_at(0)
    await ctx.state.set('done', str(input.n), True)
",
        ),
        (
            "steps/done_step.py",
            "config = {'type': 'api', 'name': 'Done', 'path': '/done', 'method': 'GET', 'emits': []}
async def handler(req, ctx):
    return {'status': 200, 'body': await ctx.state.list_keys('done')}
",
        ),
    ]);
    let engine = project.dev();
    assert_eq!(engine.post("/emit", "{}").status, 202);
    engine.wait_for("Segmentation fault");
    engine.wait_for("steps/work_step.py\", line 8 in handler");
    eventually("the others are done", || {
        (engine.get("/done").json().as_array().map(Vec::len) == Some(19)).then_some(())
    });
    eventually("the poison is a dead letter", || {
        let listed = project.motia(&["queue", "ls", "--json"]);
        listed.contains("\"dead\":1").then_some(())
    });
}

#[test]
fn a_killed_python_worker_is_replaced_and_its_calls_get_502() {
    let project = Project::new(&[
        OK,
        NODE,
        (
            "steps/wait_step.py",
            &api("wait", "import asyncio\nasync def handler(req, ctx):\n    await asyncio.sleep(30)"),
        ),
    ]);
    let engine = project.dev();
    let worker = python_pid(&engine);
    thread::scope(|scope| {
        let held = scope.spawn(|| engine.get("/wait").status);
        thread::sleep(Duration::from_millis(200));
        send_signal(i64::from(worker), "KILL");
        assert_eq!(held.join().expect("answered"), 502);
    });
    assert_eq!(engine.get("/node").status, 200);
    eventually("another serves", || (engine.get("/ok").status == 200).then_some(()));
}

#[test]
fn as_many_workers_serve_as_the_config_says() {
    let project = Project::new(&[OK, ("motia.config.mjs", "export default { workers: { python: 2 } }")]);
    let engine = project.dev();
    eventually("two serve", || (engine.worker_pids_of("python", "serving").len() == 2).then_some(()));
    project.write("motia.config.mjs", "export default { workers: { python: 1 } }");
    eventually("one serves", || (engine.worker_pids_of("python", "serving").len() == 1).then_some(()));
    assert_eq!(engine.get("/ok").status, 200);
}

#[test]
fn sigterm_lets_python_handlers_finish() {
    let project = Project::new(&[(
        "steps/wait_step.py",
        &api(
            "wait",
            "import asyncio\nasync def handler(req, ctx):\n    await asyncio.sleep(1)\n    await ctx.state.set('a', 'b', 1)\n    return {'status': 200, 'body': 'finished'}",
        ),
    )]);
    let engine = project.start();
    let client = engine.client();
    let waiting = thread::spawn(move || client.request("GET", "/wait", &[], b"").text());
    thread::sleep(Duration::from_millis(300));
    engine.signal("TERM");
    assert_eq!(waiting.join().expect("answered"), "finished");
    assert!(engine.wait().0.success());
}

fn install(project: &Project, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_motia"));
    command.arg("install").current_dir(project.path()).env_remove("VIRTUAL_ENV").env_remove("npm_lifecycle_event");
    command.env("PIP_NO_INDEX", "1").envs(environment.iter().copied()).output().expect("it runs")
}

/// A package that needs no registry: a wheel is a zip file.
fn wheel(project: &Project) {
    let script = "import zipfile
with zipfile.ZipFile('left-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('left.py', 'VALUE = 41\\n')
    wheel.writestr('left-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: left\\nVersion: 1.0\\n')
    wheel.writestr('left-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('left-1.0.dist-info/RECORD', 'left.py,,\\nleft-1.0.dist-info/METADATA,,\\nleft-1.0.dist-info/WHEEL,,\\nleft-1.0.dist-info/RECORD,,\\n')
";
    let made = Command::new("python3").args(["-c", script]).current_dir(project.path()).status().expect("python3 runs");
    assert!(made.success());
}

#[test]
fn install_makes_python_modules_and_a_rename_does_not_break_it() {
    let step = format!("from left import VALUE\n{}", answering("left", "VALUE + 1"));
    let requirements = "# ours\nmotia==0.17.0\n./left-1.0-py3-none-any.whl\n";
    let project = Project::new(&[("app/steps/left_step.py", &step), ("app/requirements.txt", requirements)]);
    let app = project.path().join("app");
    let here = |folder: &str| project.within(folder);
    wheel(&here("app"));
    let engine = here("app").dev();
    engine.wait_for("run `motia install`");
    let output = install(&here("app"), &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        said.contains("making python_modules") && said.contains("its line in requirements.txt is passed over"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(app.join("requirements.txt")).expect("there"), requirements);
    assert!(
        !fs::read_dir(&app)
            .expect("a folder")
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with(".requirements"))
    );
    // The engine that runs takes it over.
    eventually("it is imported", || (engine.get("/left").status == 200).then_some(()));
    drop(engine);
    fs::rename(&app, project.path().join("renamed")).expect("renamed");
    let renamed = here("renamed");
    let engine = renamed.dev();
    assert_eq!(engine.get("/left").json()["value"], 42);
    drop(engine);
    let again = install(&renamed, &[]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    // Test runners find the package of the binary.
    let python = renamed.path().join("python_modules/bin/python");
    let import = Command::new(python).args(["-c", "import motia; print(motia.__file__)"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&import.stdout).contains("python_modules"), "{import:?}");
    let doctor = renamed.motia(&["doctor"]);
    assert!(doctor.contains("python_modules, the project's environment"), "{doctor}");
}

#[test]
fn install_says_what_the_installer_says_and_passes_over_what_is_not_there() {
    let project = Project::new(&[("requirements.txt", "surely-not-there==1.0\n"), OK]);
    let failed = install(&project, &[]);
    assert!(!failed.status.success());
    let said = format!("{}{}", String::from_utf8_lossy(&failed.stdout), String::from_utf8_lossy(&failed.stderr));
    assert!(said.contains("surely-not-there") && said.contains("ended with"), "{said}");
    // As a postinstall on a machine without Python.
    let nothing = [("PATH", "/nowhere"), ("npm_lifecycle_event", "postinstall")];
    fs::remove_dir_all(project.path().join("python_modules")).expect("removed");
    let output = install(&project, &nothing);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("requirements.txt is left out: python was not found"));
    // And in a project without Python.
    let project = Project::new(&[("package.json", "{}"), NODE]);
    let output = install(&project, &nothing);
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("python"), "{output:?}");
}

#[test]
fn a_missing_python_is_what_the_doctor_finds() {
    let project = Project::new(&[OK]);
    let output = Command::new(env!("CARGO_BIN_EXE_motia"))
        .arg("doctor")
        .current_dir(project.path())
        .env("MOTIA_PYTHON", "/nowhere/python")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("python   MISSING: MOTIA_PYTHON names /nowhere/python, which is not there"), "{said}");
    assert!(said.contains("1 python step"), "{said}");
}
