//! The `app` hook of motia.config, on a stand-in for express that has what the hook is about.

use serde_json::json;

use crate::support::{Project, eventually, send_signal};

/// Runs handlers in order, as express does.
const EXPRESS: &str = "
    module.exports = () => {
      const stack = []
      const app = (req, res) => {
        const path = req.url.split('?')[0]
        const turn = (n) => {
          const layer = stack[n]
          if (!layer) return
          const fits = layer.path === undefined || path === layer.path
          if (fits && (!layer.method || layer.method === req.method)) layer.handler(req, res, () => turn(n + 1))
          else turn(n + 1)
        }
        turn(0)
      }
      app.use = (...args) => { const handler = args.pop(); stack.push({ path: args[0], handler }) }
      app.get = (path, handler) => stack.push({ method: 'GET', path, handler })
      return app
    }";

const STEP: &str = "
    export const config = { type: 'api', name: 'S', path: '/step', method: 'POST' }
    export const handler = async (req) => ({ status: 200, headers: { 'x-both': 'step' }, body: { size: req.rawBody.length } })";

const CONFIG: &str = "
    export default { app: (app) => {
      app.use(function tagger(req, res, next) { res.setHeader('x-tag', '1'); res.setHeader('x-both', 'app'); next() })
      app.get('/pid', (req, res) => res.end(JSON.stringify({ pid: process.pid, version: 1 })))
      console.log('the hook has run')
    } }";

fn project(config: &str) -> Project {
    Project::new(&[("node_modules/express/index.js", EXPRESS), ("steps/s.step.js", STEP), ("motia.config.js", config)])
}

#[test]
fn middleware_without_a_path_stands_before_every_step_and_bodies_go_on() {
    let project = project(CONFIG);
    let engine = project.dev();
    engine.wait_for("the hook has run");
    engine.wait_for("app: every request passes through middleware without a path (tagger)");
    for size in [0, 10, 3 << 20] {
        let answer = engine.client().request("POST", "/step", &[], &vec![b'x'; size]);
        assert_eq!((answer.status, answer.json()), (200, json!({ "size": size })), "{size}");
        assert_eq!((answer.header("x-tag"), answer.header("x-both")), (Some("1"), Some("step")));
    }
    assert_eq!(engine.get("/nowhere").status, 404);
}

#[test]
fn a_killed_application_answers_502_and_comes_back() {
    let project = project(CONFIG);
    let engine = project.start();
    let pid = engine.get("/pid").json()["pid"].as_i64().expect("a pid");
    send_signal(pid, "KILL");
    engine.wait_for("app: the hook's process ended");
    let after = eventually("it is back", || {
        let answer = engine.get("/pid");
        assert!(matches!(answer.status, 200 | 502), "{}", answer.text());
        (answer.status == 200).then(|| answer.json()["pid"].as_i64().expect("a pid"))
    });
    assert_ne!(after, pid);
    engine.signal("TERM");
    let (status, _) = engine.wait();
    assert!(status.success(), "{status}");
    assert!(!std::path::Path::new(&format!("/proc/{after}")).exists(), "it ends with the engine");
}

#[test]
fn an_application_that_loops_is_named_and_replaced_and_costs_neither_health_nor_the_stop() {
    let looping = CONFIG.replace("console.log(", "app.get('/loop', () => { for (;;) {} }); console.log(");
    let project = project(&looping);
    let engine = project.start();
    let pid = engine.get("/pid").json()["pid"].as_i64().expect("a pid");
    std::thread::scope(|scope| {
        let looping = scope.spawn(|| engine.get("/loop"));
        std::thread::sleep(std::time::Duration::from_millis(200));
        let waiting = scope.spawn(|| engine.post("/step", "{}"));
        for path in ["/healthz", "/readyz"] {
            assert_eq!(engine.get(path).status, 200, "{path}");
        }
        assert!(!waiting.is_finished(), "all of that while others wait");
        let line = engine.wait_for("has not answered for 2 s, so something blocks its thread");
        assert!(line.contains(&format!("app: the hook's process (pid {pid})")), "{line}");
        for waiting in [looping, waiting] {
            let answer = waiting.join().expect("answered");
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{}", answer.text());
        }
    });
    let after = eventually("another answers", || {
        let answer = engine.get("/pid");
        (answer.status == 200).then(|| answer.json()["pid"].as_i64().expect("a pid"))
    });
    assert_ne!(after, pid);
    assert_eq!(engine.post("/step", "{}").status, 200);

    // The stop finds it looping again.
    std::thread::scope(|scope| {
        scope.spawn(|| engine.client().try_request("GET", "/loop", &[], b""));
        std::thread::sleep(std::time::Duration::from_millis(300));
        let began = std::time::Instant::now();
        engine.signal("TERM");
        engine.wait_for("everything that was acknowledged is stored");
        assert!(began.elapsed() < std::time::Duration::from_secs(7), "{:?} of 8 s", began.elapsed());
    });
    for pid in [pid, after] {
        let gone = || (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(());
        eventually("it ends with the engine at the latest", gone);
    }
}

#[test]
fn a_changed_hook_takes_over_and_one_that_is_gone_leaves() {
    let project = project(CONFIG);
    let engine = project.dev();
    assert_eq!(engine.get("/pid").json()["version"], 1);
    project.write("motia.config.js", &CONFIG.replace("version: 1", "version: 2"));
    eventually("the new one answers", || (engine.get("/pid").json()["version"] == 2).then_some(()));
    project.write("motia.config.js", "export default { app: () => { throw new Error('no luck') } }");
    engine.wait_for("app: the hook of motia.config failed");
    assert_eq!(engine.get("/pid").json()["version"], 2, "the last good one goes on");
    project.write("motia.config.js", "export default {}");
    eventually("no hook any more", || (engine.get("/pid").status == 404).then_some(()));
}

#[test]
fn without_express_the_warning_names_what_replaces_it() {
    let project = project(CONFIG);
    project.remove("node_modules/express/index.js");
    let engine = project.dev();
    let line = engine.wait_for("app: the hook needs the package express");
    assert!(line.contains("npm install express@4") && line.contains("`cors`") && line.contains("/healthz"), "{line}");
    assert_eq!(engine.post("/step", "{}").status, 200);
}
