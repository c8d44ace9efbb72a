//! What a new user does first.

use serde_json::json;

use crate::support::Project;

const HELLO: &str = "
    export const config = { type: 'api', name: 'Hello', path: '/hello', method: 'GET', emits: ['greeted'] }
    export const handler = async (req, { emit, traceId }) => {
      await emit({ topic: 'greeted', data: { name: 'Ada' } })
      return { status: 200, body: { hello: 'world', traceId } }
    }";

const GREETED: &str = "
    export const config = { type: 'event', name: 'Greeted', subscribes: ['greeted'] }
    export const handler = async (input, { logger, traceId }) => logger.info('greeted ' + input.name, { traceId })";

#[test]
fn a_request_emits_an_event_and_both_carry_the_trace() {
    let project = Project::new(&[("steps/hello.step.ts", HELLO), ("src/deep/er/greeted.step.js", GREETED)]);
    let engine = project.dev();
    let answer = engine.get("/hello");
    assert_eq!(answer.status, 200);
    let trace = answer.header("x-trace-id").expect("a trace id").to_owned();
    assert_eq!(answer.json(), json!({ "hello": "world", "traceId": trace }));
    let line = engine.wait_for("greeted Ada");
    assert!(line.contains(&trace) && line.contains("[INFO] Greeted"), "{line}");

    let output = engine.output();
    assert!(output.contains("[CREATED] Step (API) steps/hello.step.ts created"), "{output}");
    assert!(output.contains("[CREATED] Step (Event) src/deep/er/greeted.step.js created"), "{output}");
}

#[test]
fn start_logs_json_lines_where_no_terminal_is_and_stops_gracefully() {
    let project = Project::new(&[("steps/hello.step.ts", HELLO), ("steps/greeted.step.js", GREETED)]);
    let engine = project.start();
    let trace = engine.get("/hello").header("x-trace-id").expect("a trace id").to_owned();
    engine.wait_for("greeted Ada");
    engine.signal("TERM");
    let (status, output) = engine.wait();
    assert!(status.success(), "{status}");
    let lines: Vec<serde_json::Value> =
        output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect();
    let greeted = lines.iter().find(|line| line["msg"] == "greeted Ada").expect("the line");
    assert_eq!((&greeted["traceId"], &greeted["step"]), (&json!(trace), &json!("Greeted")));
    assert!(!project.path().join(".motia/engine.json").exists(), "it says that it is gone");
}

#[test]
fn a_port_in_use_stops_start_and_moves_dev() {
    let project = Project::new(&[("steps/hello.step.ts", HELLO)]);
    let first = project.dev();
    let port = first.port.to_string();
    let other = Project::new(&[("steps/hello.step.ts", HELLO)]);
    let (status, output) = other.launch(&["start", "-p", &port, "-H", "127.0.0.1"], &[]).wait();
    assert_eq!(status.code(), Some(1));
    assert!(output.contains(&format!("port {port} is in use on 127.0.0.1")), "{output}");
    assert!(output.contains("motia start --port"), "{output}");

    let moved = other.run(&["dev", "-p", &port]);
    assert_ne!(moved.port, first.port);
    assert!(
        moved.output().contains(&format!("port {port} is in use, using {} instead", moved.port)),
        "{}",
        moved.output()
    );
}

#[test]
fn two_engines_on_one_project_are_refused() {
    let project = Project::new(&[("steps/hello.step.ts", HELLO)]);
    let first = project.dev();
    let (status, output) = project.launch(&["dev", "-p", "0"], &[]).wait();
    assert_eq!(status.code(), Some(1));
    assert!(output.contains(&format!("another engine is running on this project (pid {}", first.pid())), "{output}");
    assert_eq!(first.get("/hello").status, 200);
}

#[test]
fn port_and_host_come_from_flags_environment_and_env_file() {
    let project = Project::new(&[("steps/hello.step.ts", HELLO), (".env", "PORT=not-a-port\n")]);
    let (status, output) = project.launch(&["start"], &[]).wait();
    assert_eq!(status.code(), Some(1));
    assert!(output.contains("PORT is 'not-a-port'"), "{output}");
    let engine = project.launch(&["start"], &[("PORT", "0"), ("HOST", "127.0.0.1")]);
    engine.wait_for("http://localhost:");
}

#[test]
fn a_project_without_steps_runs_and_says_so() {
    let engine = Project::new(&[("package.json", "{}")]).dev();
    engine.wait_for("no steps were found");
    let answer = engine.get("/");
    assert_eq!((answer.status, answer.json()), (404, json!({ "error": "Not found" })));
    assert_eq!(engine.get("/healthz").status, 200);
}

#[test]
fn without_an_interpreter_its_steps_say_so_and_the_rest_runs() {
    let project = Project::new(&[
        ("steps/hello.step.ts", HELLO),
        ("steps/a_step.py", "config = {}"),
        ("steps/sub/c.step.py", "config = {}"),
        ("steps/b.step.rb", ""),
        ("steps/c.step.tsx", "export const Node = () => null"),
    ]);
    let engine = project
        .run_with(&["dev", "--port", "0"], &[("MOTIA_PYTHON", "/nowhere/python"), ("MOTIA_RUBY", "/nowhere/ruby")]);
    engine.wait_for(
        "steps/sub/c.step.py and 1 more python files do not run: MOTIA_PYTHON names /nowhere/python, which is not there",
    );
    engine.wait_for("steps/b.step.rb does not run: MOTIA_RUBY names /nowhere/ruby, which is not there");
    assert_eq!(engine.get("/hello").status, 200);
    assert!(!engine.output().contains("c.step.tsx"), "{}", engine.output());
    // It is said once, not at each reload.
    project.write("steps/hello.step.ts", &HELLO.replace("hello", "hello2"));
    engine.wait_for("RELOADED");
    assert_eq!(engine.output().matches("does not run").count(), 1, "{}", engine.output());
}

#[test]
fn the_admin_api_answers_this_machine_alone() {
    let project = Project::new(&[("steps/hello.step.ts", HELLO)]);
    let engine = project.dev();
    let steps = engine.get("/__motia/steps").json();
    assert_eq!(steps["steps"][0]["path"], "/hello");
    let client = engine.client();
    let foreign = client.request("GET", "/__motia/steps", &[("origin", "https://evil.example")], b"");
    assert_eq!(foreign.status, 403);
    // The name of another host that points here (DNS rebinding).
    let mut stream = client.connect();
    std::io::Write::write_all(
        &mut stream,
        b"GET /__motia/steps HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    )
    .expect("sent");
    let answer = crate::support::http::read_answer(&mut std::io::BufReader::new(stream), false).expect("an answer");
    assert_eq!(answer.status, 403);

    let socket = {
        let file = std::fs::read_to_string(project.path().join(".motia/engine.json")).expect("engine.json");
        let file: serde_json::Value = serde_json::from_str(&file).expect("JSON");
        assert_eq!(file["port"], engine.port);
        file["socket"].as_str().expect("a path").to_owned()
    };
    let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("the engine's socket");
    std::io::Write::write_all(&mut stream, b"GET /__motia/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .expect("sent");
    let health =
        crate::support::http::read_answer(&mut std::io::BufReader::new(stream), false).expect("an answer").json();
    assert_eq!((&health["status"], &health["pid"]), (&json!("ok"), &json!(engine.pid())));

    let started = Project::new(&[("steps/hello.step.ts", HELLO)]).start();
    assert_eq!(started.get("/__motia/steps").status, 404, "start shows nothing of its own");
}
