//! Ruby steps in the real binary. What the SDK does by itself is tested in `sdk/ruby/test`.

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::{Engine, Project, eventually, send_signal};

/// Whether this machine has Ruby. In CI it must.
pub(crate) fn is_here() -> bool {
    let here = Command::new("ruby").arg("--version").output().is_ok_and(|output| output.status.success());
    if !here {
        assert!(std::env::var_os("CI").is_none(), "CI must have Ruby");
        eprintln!("skipped: ruby is not on PATH");
    }
    here
}

const OK: (&str, &str) = (
    "steps/ok.step.rb",
    "def config
  { type: 'api', name: 'Ok', path: '/ok/:id', method: 'POST', emits: ['made'] }
end
def handler(req, context)
  context.state.set('things', req.pathParams.id, req.body)
  context.emit(topic: 'made', data: { id: req.path_params['id'] })
  { status: 201, body: { trace: context.trace_id, pid: Process.pid, n: req.body[:n] }, headers: { 'x-by' => 'ruby' } }
end
",
);

const MADE: (&str, &str) = (
    "steps/made_step.rb",
    "def config
  { 'type' => 'event', 'name' => 'Made', 'subscribes' => ['made'], 'emits' => [] }
end
def handler(input, context)
  thing = context.state.get('things', input.id)
  context.logger.info('made in ruby', { n: thing.n, trace: context.traceId })
end
",
);

fn ruby_pid(engine: &Engine) -> i32 {
    eventually("a Ruby worker serves", || engine.worker_pids_of("ruby", "serving").first().copied())
}

#[test]
fn a_request_and_its_event_run_in_one_trace() {
    if !is_here() {
        return;
    }
    let project = Project::new(&[OK, MADE]);
    let engine = project.dev();
    let made = engine.post("/ok/a", r#"{"n":1}"#);
    assert_eq!((made.status, made.header("x-by")), (201, Some("ruby")), "{}", made.text());
    let body = made.json();
    assert_eq!(body["n"], json!(1));
    let line = engine.wait_for("made in ruby");
    let trace = body["trace"].as_str().expect("a trace");
    assert!(line.contains(trace) || engine.output().contains(trace), "{line}");
}

#[test]
fn saves_are_taken_over_and_broken_files_keep_their_last_good_version() {
    if !is_here() {
        return;
    }
    let project = Project::new(&[OK, MADE]);
    let engine = project.dev();
    project.write(OK.0, &OK.1.replace("status: 201", "status: 202"));
    eventually("the new code answers", || (engine.post("/ok/a", "{}").status == 202).then_some(()));
    project.write(OK.0, "def config\n  {\n");
    engine.wait_for("steps/ok.step.rb (its last good version goes on)");
    assert_eq!(engine.post("/ok/a", "{}").status, 202);
    project.write("steps/exits_step.rb", "exit 3");
    engine.wait_for("steps/exits_step.rb");
    assert_eq!(engine.post("/ok/a", "{}").status, 202);
}

#[test]
fn what_fails_fails_alone_and_a_killed_worker_is_replaced() {
    if !is_here() {
        return;
    }
    let failing = "def config
  { type: 'api', name: 'Fail', path: '/fail/:how', method: 'GET', emits: [] }
end
def handler(req, _context)
  case req.pathParams.how
  when 'raise' then raise ArgumentError, 'on purpose'
  when 'exit' then exit 3
  when 'nan' then { status: 200, body: { x: Float::NAN } }
  when 'sleep' then sleep 30
  end
end
";
    let project = Project::new(&[OK, ("steps/fail_step.rb", failing)]);
    let engine = project.dev();
    for (how, expected) in
        [("raise", "on purpose"), ("exit", "exit"), ("nan", "NaN"), ("nothing", "a handler must return")]
    {
        assert_eq!(engine.get(&format!("/fail/{how}")).status, 500, "{how}");
        engine.wait_for(expected);
        eventually("the rest runs", || (engine.post("/ok/a", "{}").status == 201).then_some(()));
    }
    engine.wait_for("steps/fail_step.rb:6");
    let worker = ruby_pid(&engine);
    thread::scope(|scope| {
        let held = scope.spawn(|| engine.get("/fail/sleep").status);
        thread::sleep(Duration::from_millis(300));
        send_signal(i64::from(worker), "KILL");
        assert_eq!(held.join().expect("answered"), 502);
    });
    eventually("another serves", || (engine.post("/ok/a", "{}").status == 201).then_some(()));
}
