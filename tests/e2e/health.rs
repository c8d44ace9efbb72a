//! Workers that block, leak, exit, or go on past their timeout: the damage is done for real, and everything else goes on.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Engine, Project, eventually, send_signal};

const OK: (&str, &str) = (
    "steps/ok.step.ts",
    "export const config = { type: 'api', name: 'Ok', path: '/ok', method: 'GET' }
     export const handler = async () => ({ status: 200, body: { pid: process.pid } })",
);

const WAIT: (&str, &str) = (
    "steps/wait.step.ts",
    "export const config = { type: 'api', name: 'Wait', path: '/wait/:ms', method: 'GET' }
     export const handler = async (req) => {
       await new Promise((done) => setTimeout(done, Number(req.pathParams.ms)))
       return { status: 200, body: { pid: process.pid } }
     }",
);

/// Blocks its thread.
const BLOCK: (&str, &str) = (
    "steps/block.step.ts",
    "export const config = { type: 'api', name: 'Block', path: '/block/:ms', method: 'GET' }
     export const handler = async (req) => {
       const end = Date.now() + Number(req.pathParams.ms)
       while (Date.now() < end) {}
       return { status: 200, body: { pid: process.pid } }
     }",
);

fn pid_in(engine: &Engine, path: &str) -> i32 {
    let answer = engine.get(path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    i32::try_from(answer.json()["pid"].as_i64().expect("a pid")).expect("a pid")
}

fn config(text: &str) -> (&'static str, &str) {
    ("motia.config.mjs", text)
}

#[test]
fn a_step_that_blocks_its_worker_is_named_and_others_are_answered() {
    let project = Project::new(&[OK, WAIT, BLOCK]);
    let engine = project.dev();
    let blocked = engine.worker_pid();
    thread::scope(|scope| {
        let blocking = scope.spawn(|| pid_in(&engine, "/block/7000"));
        thread::sleep(Duration::from_millis(100));
        // Asked while nobody answers: it waits for the worker that takes over, or is in the blocked one's hands.
        let line = engine.wait_for("has not answered for 2 s, so something blocks its thread");
        assert!(line.contains("in flight, the latest first: steps/block.step.ts"), "{line}");
        let other = eventually("another serves", || engine.worker_pids("serving").first().copied());
        assert_ne!(other, blocked);
        for _ in 0..20 {
            assert_eq!(pid_in(&engine, "/ok"), other);
        }
        assert!(!blocking.is_finished(), "all of that while the other blocks");
        assert_eq!(blocking.join().expect("answered"), blocked, "what it held, it finished");
    });
    eventually("the old one is gone", || engine.worker_pids("finishing").is_empty().then_some(()));
}

#[test]
fn a_handler_that_loops_past_its_timeout_holds_nobody_up_for_longer() {
    let event = |name: &str, infrastructure: &str, body: &str| {
        format!(
            "export const config = {{ type: 'event', name: '{name}', subscribes: ['{name}'], infrastructure: {infrastructure} }}
             export const handler = async (input, {{ state }}) => {{ {body} }}"
        )
    };
    let looping = event(
        "Loop",
        "{ handler: { timeout: 1 }, queue: { maxRetries: 0 } }",
        "await new Promise((done) => setTimeout(done, 100)); for (;;) {}",
    );
    let good =
        event("Good", "{}", "await new Promise((done) => setTimeout(done, 400)); await state.set('good', input.n, 1)");
    let emit = "export const config = { type: 'api', name: 'Emit', path: '/emit', method: 'POST' }
                export const handler = async (_req, { emit }) => {
                  for (let n = 0; n < 3; n++) await emit({ topic: 'Good', data: { n: String(n) } })
                  await emit({ topic: 'Loop', data: {} })
                  return { status: 202 }
                }";
    let done = "export const config = { type: 'api', name: 'Done', path: '/done', method: 'GET' }
                export const handler = async (_req, { state }) => ({ status: 200, body: await state.listKeys('good') })";
    let project = Project::new(&[
        ("steps/loop.step.ts", &looping),
        ("steps/good.step.ts", &good),
        ("steps/emit.step.ts", emit),
        ("steps/done.step.ts", done),
    ]);
    let engine = project.dev();
    assert_eq!(engine.post("/emit", "{}").status, 202);
    // One second and five, and not the quarter of an hour that the others have.
    engine.wait_for("steps/loop.step.ts went on past its timeout and blocks everything else");
    eventually("the others are done", || {
        (engine.get("/done").json().as_array().map(Vec::len) == Some(3)).then_some(())
    });
    eventually("it is a dead letter", || {
        project.motia(&["queue", "ls", "--json"]).contains("\"dead\":1").then_some(())
    });
}

#[test]
fn calls_that_a_blocked_worker_has_never_seen_are_counted_and_not_named() {
    let project = Project::new(&[OK, WAIT, BLOCK]);
    let engine = project.dev();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pid_in(&engine, "/wait/100"));
        thread::sleep(Duration::from_millis(50));
        let blocking = scope.spawn(|| pid_in(&engine, "/block/5000"));
        // Past a ping that it leaves unanswered.
        thread::sleep(Duration::from_millis(1200));
        let innocent: Vec<_> = (0..3).map(|_| scope.spawn(|| pid_in(&engine, "/ok"))).collect();
        let line = engine.wait_for("has not answered for 2 s, so something blocks its thread");
        let (_, named) = line.split_once("in flight, ").expect("what is in flight");
        let expected = "the latest first: steps/block.step.ts, steps/wait.step.ts; and 3 calls that were sent since";
        assert_eq!(named, expected);
        for call in innocent.into_iter().chain([waiting, blocking]) {
            call.join().expect("answered");
        }
    });
}

#[test]
fn a_stopped_worker_is_replaced_and_finishes_what_it_held_when_it_goes_on() {
    let project = Project::new(&[OK, WAIT]);
    let engine = project.dev();
    let stopped = engine.worker_pid();
    thread::scope(|scope| {
        let held = scope.spawn(|| pid_in(&engine, "/wait/300"));
        thread::sleep(Duration::from_millis(100));
        send_signal(i64::from(stopped), "STOP");
        engine.wait_for("in flight, the latest first: steps/wait.step.ts");
        assert_ne!(pid_in(&engine, "/ok"), stopped);
        send_signal(i64::from(stopped), "CONT");
        assert_eq!(held.join().expect("answered"), stopped);
    });
}

#[test]
fn a_worker_that_answers_before_its_replacement_is_there_carries_on() {
    let slow = "await new Promise((done) => setTimeout(done, 1500))
                export const config = { type: 'noop', name: 'Slow', virtualEmits: [], virtualSubscribes: [] }";
    let project = Project::new(&[OK, ("steps/slow.step.ts", slow)]);
    let engine = project.dev();
    let worker = engine.worker_pid();
    send_signal(i64::from(worker), "STOP");
    engine.wait_for("no call is in flight");
    send_signal(i64::from(worker), "CONT");
    engine.wait_for("answers again and carries on");
    assert_eq!(pid_in(&engine, "/ok"), worker);
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(engine.worker_pids("serving"), [worker], "whoever was on the way is not needed");
}

#[test]
fn events_beside_one_that_blocks_their_worker_are_not_charged_for_it() {
    let subscriber = |name: &str, body: &str| {
        format!(
            "export const config = {{ type: 'event', name: '{name}', subscribes: ['go'],
               infrastructure: {{ handler: {{ timeout: 1 }}, queue: {{ maxRetries: 0 }} }} }}
             export const handler = async (input, {{ state }}) => {{ {body} }}"
        )
    };
    let pause = |ms: u32| format!("await new Promise((done) => setTimeout(done, {ms}));");
    let good = subscriber("Good", &format!("{} await state.set('good', 'done', true)", pause(300)));
    let bad = subscriber("Bad", &format!("{} for (;;) {{}}", pause(100)));
    let go = "export const config = { type: 'api', name: 'Go', path: '/go', method: 'POST', emits: ['go'] }
              export const handler = async (req, { emit }) => {
                await emit({ topic: 'go', data: {} })
                return { status: 200, body: {} }
              }";
    let done = "export const config = { type: 'api', name: 'Done', path: '/done', method: 'GET' }
                export const handler = async (req, { state }) => ({ status: 200, body: { done: await state.get('good', 'done') } })";
    let project = Project::new(&[
        ("steps/good.step.ts", &good),
        ("steps/bad.step.ts", &bad),
        ("steps/go.step.ts", go),
        ("steps/done.step.ts", done),
    ]);
    let engine = project.dev();
    assert_eq!(engine.post("/go", "{}").status, 200);
    engine
        .wait_for("its worker was blocked while the handler ran: the event goes back, uncharged, and runs alone next");
    let line = engine.wait_for("the event is a dead letter now");
    assert!(line.contains("it blocked its worker's thread"), "{line}");
    eventually("the other is handled", || (engine.get("/done").json()["done"] == true).then_some(()));
    let dead = |step: &str| {
        let queues = engine.get("/__motia/queues").json()["queues"].as_array().cloned().expect("a list");
        let of_step = queues.iter().filter(|queue| queue["step"] == step);
        of_step.filter_map(|queue| queue["dead"].as_u64()).sum::<u64>()
    };
    eventually("it is stored as that", || (dead("Bad") == 1).then_some(()));
    assert_eq!(dead("Good"), 0);
}

#[test]
fn an_event_whose_worker_is_silent_past_its_visibility_timeout_runs_alone_and_ends_as_a_dead_letter() {
    let stop = "export const config = { type: 'event', name: 'Stop', subscribes: ['go'],
                  infrastructure: { queue: { visibilityTimeout: 3, maxRetries: 0 } } }
                export const handler = async () => {
                  // The request that emitted it has its answer by then.
                  await new Promise((done) => setTimeout(done, 100))
                  for (;;) {}
                }";
    let emit = "export const config = { type: 'api', name: 'Go', path: '/go', method: 'POST', emits: ['go'] }
                export const handler = async (req, { emit }) => {
                  await emit({ topic: 'go', data: {} })
                  return { status: 200, body: {} }
                }";
    let project = Project::new(&[OK, ("steps/stop.step.ts", stop), ("steps/go.step.ts", emit)]);
    let engine = project.dev();
    assert_eq!(engine.post("/go", "{}").status, 200);
    engine.wait_for("the event goes back, uncharged, and runs alone next");
    assert_eq!(engine.get("/ok").status, 200);
    engine.wait_for("failed for the last time (attempt 1 of 1)");
    engine.wait_for("it was silent for 3 s while steps/stop.step.ts ran");
    let buried = json!([{ "step": "Stop", "waiting": 0, "running": 0, "dead": 1, "paused": false, "orphan": false }]);
    eventually("it is stored as that", || (engine.get("/__motia/queues").json()["queues"] == buried).then_some(()));
}

#[test]
fn a_rejection_that_nobody_handles_costs_nobody_anything() {
    let step = "export const config = { type: 'api', name: 'Float', path: '/float', method: 'GET' }
                export const handler = async () => {
                  Promise.reject(new Error('adrift'))
                  return { status: 200, body: { pid: process.pid } }
                }";
    let project = Project::new(&[OK, ("steps/float.step.ts", step)]);
    let engine = project.dev();
    let worker = engine.worker_pid();
    assert_eq!(pid_in(&engine, "/float"), worker);
    let line = engine.wait_for("unhandled rejection: adrift");
    assert!(line.contains("Float"), "{line}");
    assert_eq!(pid_in(&engine, "/ok"), worker);
    assert_eq!(engine.worker_pids("finishing"), [0; 0]);
}

/// Whoever is to blame fails; what runs beside it is finished by the same worker; the next request meets another one.
fn the_culprit_alone_fails(handler: &str, said: &str) {
    let culprit = format!(
        "export const config = {{ type: 'api', name: 'Culprit', path: '/culprit', method: 'GET' }}
         export const handler = async () => {handler}"
    );
    let project = Project::new(&[OK, WAIT, ("steps/culprit.step.ts", &culprit)]);
    let engine = project.dev();
    let worker = engine.worker_pid();
    thread::scope(|scope| {
        let beside = scope.spawn(|| pid_in(&engine, "/wait/1500"));
        thread::sleep(Duration::from_millis(200));
        let answer = engine.get("/culprit");
        assert_eq!((answer.status, answer.text()), (500, r#"{"error":"Internal server error"}"#.to_owned()));
        engine.wait_for(said);
        let next = pid_in(&engine, "/ok");
        assert_ne!(next, worker, "it gets no new calls");
        assert_eq!(engine.worker_pids("finishing"), [worker]);
        assert_eq!(beside.join().expect("answered"), worker);
        eventually("the old one is gone", || engine.worker_pids("finishing").is_empty().then_some(()));
    });
}

#[test]
fn an_uncaught_exception_fails_its_call_and_replaces_the_worker() {
    the_culprit_alone_fails(
        "new Promise(() => setTimeout(() => { throw new Error('out of nowhere') }, 10))",
        "the node worker is replaced: uncaught exception in steps/culprit.step.ts",
    );
}

#[test]
fn process_exit_fails_its_call_and_replaces_the_worker() {
    the_culprit_alone_fails(
        "process.exit(1)",
        "the node worker is replaced: process.exit was called in steps/culprit.step.ts",
    );
}

#[test]
fn a_step_that_throws_into_the_void_at_every_call_does_not_take_the_others_down() {
    let project = Project::new(&[
        OK,
        (
            "steps/void.step.ts",
            "export const config = { type: 'api', name: 'Void', path: '/void', method: 'GET' }
             export const handler = () => new Promise(() => setTimeout(() => { throw new Error('void') }, 1))",
        ),
    ]);
    let engine = project.dev();
    for _ in 0..15 {
        assert_eq!(engine.get("/void").status, 500);
        let began = Instant::now();
        assert_eq!(engine.get("/ok").status, 200);
        assert!(began.elapsed() < Duration::from_secs(4), "nobody waits for long: {:?}", began.elapsed());
    }
}

#[test]
fn a_worker_that_runs_out_of_memory_costs_the_calls_in_flight() {
    let project = Project::new(&[
        OK,
        (
            "steps/eat.step.ts",
            "export const config = { type: 'api', name: 'Eat', path: '/eat', method: 'GET' }
             export const handler = async () => { const all = []; for (;;) all.push(new Array(1e5).fill({ a: 1 })) }",
        ),
    ]);
    let engine = project.run_with(&["dev", "--port", "0"], &[("NODE_OPTIONS", "--max-old-space-size=48")]);
    let worker = engine.worker_pid();
    let answer = engine.get("/eat");
    assert_eq!((answer.status, answer.text().contains("The worker ended")), (502, true));
    engine.wait_for("the node worker ended (signal: 6 (SIGABRT)");
    assert_ne!(pid_in(&engine, "/ok"), worker);
}

#[test]
fn a_handler_that_ignores_its_cancellation_loses_its_worker_and_its_voice() {
    let deaf = "export const config = { type: 'api', name: 'Deaf', path: '/deaf', method: 'GET' }
                export const handler = async (req, { state }) => {
                  await new Promise((done) => setTimeout(done, 6500))
                  await state.set('deaf', 'late', 1).catch((error) => console.log('refused: ' + error.code))
                  await new Promise((done) => setTimeout(done, 60000))
                }";
    let project =
        Project::new(&[OK, WAIT, config("export default { timeouts: { api: 0.3 } }"), ("steps/deaf.step.ts", deaf)]);
    let engine = project.dev();
    let worker = engine.worker_pid();
    let answer = engine.get("/deaf");
    assert_eq!(answer.status, 504);
    assert_eq!(pid_in(&engine, "/ok"), worker, "it has 5 s to stop");
    let line = engine.wait_for("was cancelled at its timeout and did not stop");
    assert!(line.contains("the node worker is replaced: steps/deaf.step.ts"), "{line}");
    assert_ne!(pid_in(&engine, "/ok"), worker);
    eventually("a process that only such a handler keeps is ended", || {
        engine.worker_pids("finishing").is_empty().then_some(())
    });
}

#[test]
fn the_next_event_of_a_group_waits_until_the_one_before_can_do_nothing_more() {
    let deaf = "export const config = { type: 'event', name: 'Deaf', subscribes: ['go'],
                  infrastructure: { handler: { timeout: 0.3 }, queue: { type: 'fifo', maxRetries: 0 } } }
                export const handler = async (input, { state, logger }) => {
                  logger.info(`began ${input.n}`)
                  if (input.n > 1) return
                  await new Promise((done) => setTimeout(done, 6500))
                  await state.set('deaf', 'late', 1).catch((error) => logger.info(`refused: ${error.code}`))
                  await new Promise((done) => setTimeout(done, 1500))
                  logger.info('ended 1')
                }";
    let emit = "export const config = { type: 'api', name: 'Go', path: '/go', method: 'POST', emits: ['go'] }
                export const handler = async (req, { emit }) => {
                  for (const n of [1, 2]) await emit({ topic: 'go', data: { n }, messageGroupId: 'one' })
                  return { status: 200, body: {} }
                }";
    let project = Project::new(&[WAIT, ("steps/deaf.step.ts", deaf), ("steps/go.step.ts", emit)]);
    let engine = project.dev();
    thread::scope(|scope| {
        // Another call keeps the worker, so that the handler is not ended with it.
        let beside = scope.spawn(|| pid_in(&engine, "/wait/10000"));
        assert_eq!(engine.post("/go", "{}").status, 200);
        engine.wait_for("refused: call-expired");
        assert!(!engine.output().contains("began 2"), "{}", engine.output());
        engine.wait_for("began 2");
        let output = engine.output();
        assert!(output.find("ended 1") < output.find("began 2"), "{output}");
        beside.join().expect("answered");
    });
}

#[test]
fn a_worker_above_its_memory_limit_is_replaced_without_a_gap() {
    let leak = "const kept: unknown[] = []
                export const config = { type: 'api', name: 'Leak', path: '/leak', method: 'GET' }
                export const handler = async () => {
                  kept.push(Buffer.alloc(200 << 20, 1))
                  return { status: 200, body: { pid: process.pid } }
                }";
    let project =
        Project::new(&[OK, config("export default { workers: { memory: '200mb' } }"), ("steps/leak.step.ts", leak)]);
    let engine = project.dev();
    // Each of them leaks soon after its start.
    for _ in 0..3 {
        engine.mark();
        let worker = pid_in(&engine, "/leak");
        engine.wait_for("MB, which is above workers.memory (200 MB)");
        eventually("another serves", || (pid_in(&engine, "/ok") != worker).then_some(()));
    }
}

#[test]
fn a_project_above_its_memory_limit_is_replaced_for_what_its_calls_leave_alone() {
    let leak = "const kept = [Buffer.alloc(60 << 20, 1)]
                export const config = { type: 'api', name: 'Leak', path: '/leak', method: 'GET' }
                export const handler = async () => {
                  kept.push(Buffer.alloc(120 << 20, 1))
                  return { status: 200, body: { pid: process.pid } }
                }";
    let project =
        Project::new(&[OK, config("export default { workers: { memory: '1' } }"), ("steps/leak.step.ts", leak)]);
    let engine = project.dev();
    engine.wait_for("before its first call, which is above workers.memory (1 byte): it is not replaced until it has");
    let worker = engine.worker_pid();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(pid_in(&engine, "/leak"), worker);
    engine.wait_for("half as much again as at its start");
    eventually("another serves", || (pid_in(&engine, "/ok") != worker).then_some(()));
}

#[test]
fn a_killed_engine_leaves_no_worker_even_a_busy_one() {
    let project = Project::new(&[OK, WAIT, BLOCK]);
    let engine = project.dev();
    let worker = engine.worker_pid();
    thread::scope(|scope| {
        scope.spawn(|| engine.client().try_request("GET", "/block/60000", &[], b""));
        thread::sleep(Duration::from_millis(300));
        engine.signal("KILL");
        eventually("no worker is left", || (!alive(worker)).then_some(()));
    });
}

/// Whether a process runs; a zombie does not.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[test]
fn ctrl_c_in_a_terminal_lets_what_runs_finish() {
    let project = Project::new(&[OK, WAIT]);
    let Some((engine, mut keyboard)) = project.dev_in_a_terminal() else {
        eprintln!("skipped: `script` (util-linux) is not installed, so there is no terminal");
        return;
    };
    let worker = engine.worker_pid();
    thread::scope(|scope| {
        let held = scope.spawn(|| pid_in(&engine, "/wait/1000"));
        thread::sleep(Duration::from_millis(300));
        keyboard.write_all(b"\x03").expect("typed");
        assert_eq!(held.join().expect("answered"), worker, "the worker did not take the Ctrl-C for itself");
    });
    engine.wait_for("everything that was acknowledged is stored");
    assert!(!alive(worker));
}
