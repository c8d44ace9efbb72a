//! Several workers, a process per call, a debugger.

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::thread;

use crate::support::{Engine, Project, eventually, send_signal};

/// Counts its calls in the module, and waits.
const COUNT: (&str, &str) = (
    "steps/count.step.ts",
    "let calls = 0
     export const config = { type: 'api', name: 'Count', path: '/count/:ms', method: 'GET' }
     export const handler = async (req) => {
       const count = ++calls
       await new Promise((done) => setTimeout(done, Number(req.pathParams.ms)))
       return { status: 200, body: { pid: process.pid, count } }
     }",
);

fn count(engine: &Engine, ms: u32) -> (i64, i64) {
    let answer = engine.get(&format!("/count/{ms}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    (body["pid"].as_i64().expect("a pid"), body["count"].as_i64().expect("a count"))
}

fn at_once(engine: &Engine, calls: usize, ms: u32) -> Vec<(i64, i64)> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..calls).map(|_| scope.spawn(|| count(engine, ms))).collect();
        running.into_iter().map(|call| call.join().expect("answered")).collect()
    })
}

fn with_config(config: &str) -> Project {
    Project::new(&[COUNT, ("motia.config.mjs", config)])
}

#[test]
fn several_workers_share_the_calls_and_each_is_replaced() {
    let project = with_config("export default { workers: { node: 3 } }");
    let engine = project.dev();
    eventually("three serve", || (engine.worker_pids("serving").len() == 3).then_some(()));
    let mut calls: HashMap<i64, usize> = HashMap::new();
    for (pid, _) in at_once(&engine, 12, 500) {
        *calls.entry(pid).or_default() += 1;
    }
    assert_eq!(calls.values().copied().collect::<Vec<_>>(), [4, 4, 4], "the one with the fewest gets the next");

    let killed = engine.worker_pid();
    send_signal(i64::from(killed), "KILL");
    eventually("three serve again", || {
        let now = engine.worker_pids("serving");
        (now.len() == 3 && !now.contains(&killed)).then_some(())
    });
}

#[test]
fn a_reload_replaces_all_workers() {
    let project = with_config("export default { workers: 2 }");
    let engine = project.dev();
    let before = eventually("two serve", || Some(engine.worker_pids("serving")).filter(|pids| pids.len() == 2));
    engine.mark();
    project.write("steps/count.step.ts", &COUNT.1.replace("count }", "count: count + 100 }"));
    engine.wait_for("count.step.ts in");
    eventually("two new ones serve", || {
        let now = engine.worker_pids("serving");
        (now.len() == 2 && now.iter().all(|pid| !before.contains(pid))).then_some(())
    });
    for (_, count) in at_once(&engine, 6, 50) {
        assert!(count > 100, "all have the new code");
    }
    engine.mark();
    project.write("motia.config.mjs", "export default { workers: 'auto' }");
    engine.wait_for("motia.config.mjs in");
    let cores = thread::available_parallelism().expect("cores").get();
    eventually("one per core", || (engine.worker_pids("serving").len() == cores).then_some(()));
}

#[test]
fn with_isolation_each_call_has_a_process_of_its_own() {
    let project = with_config("export default { isolation: 'process', workers: 2 }");
    let engine = project.dev();
    let calls = at_once(&engine, 6, 100);
    let pids: HashSet<_> = calls.iter().map(|(pid, _)| *pid).collect();
    assert_eq!(pids.len(), 6, "{calls:?}");
    assert!(calls.iter().all(|(_, count)| *count == 1), "no module knows of another call: {calls:?}");
    eventually("processes go with their calls", || engine.worker_pids("finishing").is_empty().then_some(()));
    assert!(engine.worker_pids("serving").len() <= 2);
}

#[test]
fn with_isolation_a_call_that_dies_or_goes_on_costs_itself_alone() {
    let project = Project::new(&[
        COUNT,
        ("motia.config.mjs", "export default { isolation: 'process', workers: 2, timeouts: { api: 3 } }"),
        (
            "steps/bad.step.ts",
            "export const config = { type: 'api', name: 'Bad', path: '/bad/:how', method: 'GET' }
             export const handler = async (req) => {
               if (req.pathParams.how === 'dies') process.kill(process.pid, 'SIGKILL')
               for (;;) {}
             }",
        ),
    ]);
    let engine = project.dev();
    assert_eq!(engine.get("/bad/dies").status, 502);
    assert_eq!(engine.get("/bad/loops").status, 504);
    let line = engine.wait_for("has not answered for 2 s, so something blocks its thread");
    assert!(line.contains("ended at the timeout of its call") && line.ends_with("steps/bad.step.ts"), "{line}");
    assert_eq!(count(&engine, 1).1, 1);
    eventually("the one that loops is ended", || engine.worker_pids("finishing").is_empty().then_some(()));
}

#[test]
fn with_isolation_a_request_that_waits_for_its_turn_is_said_and_gives_up() {
    let project = with_config("export default { isolation: 'process', workers: 1 }");
    let engine = project.dev();
    thread::scope(|scope| {
        let first = scope.spawn(|| count(&engine, 7000));
        thread::sleep(std::time::Duration::from_millis(500));
        let answer = engine.get("/count/1");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert!(answer.text().contains("all workers are busy: the request waited 5 s for one"), "{}", answer.text());
        let line = engine.wait_for("a request waits for a place on a node worker");
        assert!(line.contains("1 calls run at a time (workers)"), "{line}");
        first.join().expect("answered");
    });
}

/// Holds streamed responses and unanswered requests, as many as it is told, and asks for more.
const CROWD: &str = r"
const [port, streams, waiting] = process.argv.slice(1)
const { Agent, get } = await import('node:http')
const agent = new Agent()
const ask = (path) => new Promise((done, failed) => {
  get({ port, path, agent }, (response) => { response.resume(); done(response.statusCode) }).on('error', failed)
})
const held = await Promise.all(Array.from({ length: Number(streams) }, () => ask('/hold/stream')))
for (let n = 0; n < Number(waiting); n++) ask('/hold/wait').catch(() => {})
const calls = async () => {
  const { workers } = await (await fetch(`http://127.0.0.1:${port}/__motia/health`)).json()
  return workers.node[0].calls
}
for (let n = 0; n < 50 && (await calls()) < Number(streams) + Number(waiting); n++) await new Promise((done) => setTimeout(done, 100))
console.log(held.every((status) => status === 200), await ask('/count/1'))
process.exit()
";

#[test]
fn many_streams_and_waiting_requests_leave_room_for_the_next_one() {
    let hold = "
        const never = new Promise(() => {})
        export const config = { type: 'api', name: 'Hold', path: '/hold/:what', method: 'GET' }
        async function* stream() { yield 'a'; await never }
        export const handler = async (req) => {
          if (req.pathParams.what === 'wait') await never
          return { status: 200, headers: { 'content-type': 'text/event-stream' }, body: stream() }
        }";
    let project = Project::new(&[COUNT, ("steps/hold.step.ts", hold)]);
    let engine = project.dev();
    let port = engine.port.to_string();
    let crowd = Command::new("node").args(["--input-type=module", "-e", CROWD, "--", &port, "1100", "1100"]).output();
    let crowd = crowd.expect("node runs");
    let said = String::from_utf8_lossy(&crowd.stderr);
    if said.contains("EMFILE") || engine.output().contains("may open only") {
        eprintln!("skipped: this machine allows too few open files");
        return;
    }
    assert_eq!(String::from_utf8_lossy(&crowd.stdout), "true 200\n", "{said}");
}

/// Attaches, sets a breakpoint in the `.ts`, and tells where it stops.
const DEBUG: &str = r"
const [port, source, line] = process.argv.slice(1)
const [{ webSocketDebuggerUrl }] = await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()
const socket = new WebSocket(webSocketDebuggerUrl)
await new Promise((open) => { socket.onopen = open })
let id = 0
const answers = new Map(), scripts = [], stops = []
let stopped
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data)
  if (message.id) answers.get(message.id)(message.result)
  if (message.method === 'Debugger.scriptParsed') scripts.push(message.params)
  if (message.method === 'Debugger.paused') stopped(message.params)
}
const send = (method, params) => new Promise((done) => {
  answers.set(++id, done)
  socket.send(JSON.stringify({ id, method, params }))
})
await send('Debugger.enable')
// As editors do: the compiled file that has the source in its map, and where its line went.
const { SourceMap } = await import('node:module')
const { readFileSync } = await import('node:fs')
const script = scripts.find(({ url, sourceMapURL }) => url.includes('count.step') && sourceMapURL)
const folder = new URL('.', script.url)
const map = new SourceMap(JSON.parse(script.sourceMapURL.startsWith('data:')
  ? Buffer.from(script.sourceMapURL.split(',')[1], 'base64').toString()
  : readFileSync(new URL(script.sourceMapURL, folder), 'utf8')))
const text = readFileSync(new URL(script.url), 'utf8').split('\n')
let at
for (let row = 0; row < text.length && !at; row++) {
  for (let column = 0; column < text[row].length; column++) {
    const origin = map.findEntry(row, column)
    if (origin.originalLine === Number(line) && String(origin.originalSource).endsWith(source)) { at = row; break }
  }
}
await send('Debugger.setBreakpointByUrl', { lineNumber: at, url: script.url })
const paused = new Promise((done) => { stopped = done })
console.log('READY')
const { callFrames: [frame] } = await paused
const value = await send('Debugger.evaluateOnCallFrame', { callFrameId: frame.callFrameId, expression: 'req.pathParams.ms' })
await new Promise((done) => setTimeout(done, 4000))
await send('Debugger.resume')
console.log('STOPPED', frame.functionName, value.result.value)
socket.close()
";

#[test]
fn a_debugger_stops_in_the_source_and_nobody_takes_that_for_a_fault() {
    let port = free_port();
    let project = Project::new(&[COUNT]);
    let engine = project.run(&["dev", "--port", "0", &format!("--inspect={port}")]);
    engine.wait_for(&format!("Debugger listening on ws://127.0.0.1:{port}/"));
    let worker = engine.worker_pid();
    let mut debugger = Command::new("node")
        .args(["--experimental-websocket", "--input-type=module", "-e", DEBUG, "--", &port.to_string()])
        .args(["steps/count.step.ts", "4"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut output = std::io::BufReader::new(debugger.stdout.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut output, &mut line).expect("a line");
    assert_eq!(line, "READY\n");
    assert_eq!(count(&engine, 7).1, 1);
    line.clear();
    std::io::BufRead::read_line(&mut output, &mut line).expect("a line");
    assert_eq!(line, "STOPPED handler 7\n");
    assert!(debugger.wait().expect("ended").success());
    assert_eq!(engine.worker_pid(), worker, "it stood still for 4 s and was not replaced");

    // After a reload the debugger finds the worker that serves now, on the same port.
    engine.mark();
    project.write("steps/count.step.ts", &COUNT.1.replace("count }", "count: 5 }"));
    engine.wait_for(&format!("Debugger listening on ws://127.0.0.1:{port}/"));
    assert_eq!(count(&engine, 1).1, 5);
}

#[test]
fn a_debugger_port_that_is_taken_is_said_and_used_once_it_is_free() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let project = Project::new(&[COUNT]);
    let engine = project.run(&["dev", "--port", "0", &format!("--inspect={port}")]);
    let line = engine.wait_for(&format!("no debugger can attach: port {port} is taken"));
    assert!(line.contains("ERROR") && line.contains("--inspect=PORT"), "{line}");
    assert_eq!(count(&engine, 1).1, 1);
    drop(taken);
    engine.wait_for(&format!("Debugger listening on ws://127.0.0.1:{port}/"));
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
