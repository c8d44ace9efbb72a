//! Queues as their users see them: order, time, priority, groups, dead letters, and `motia queue`, `motia emit`.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Engine, Project, eventually};

/// Emits what it is sent, one after the other; answers with what `emit` gave.
const EMIT: &str = "
    export const config = { type: 'api', name: 'Emit', path: '/emit-all', method: 'POST' }
    export const handler = async (req, { emit }) => {
      const events = []
      for (const event of req.body) events.push(await emit(event))
      return { status: 200, body: events }
    }";

const SEEN: &str = "
    export const config = { type: 'api', name: 'Seen', path: '/seen', method: 'GET' }
    export const handler = async (_, { state }) => ({ status: 200, body: (await state.get('seen', 'list')) ?? [] })";

/// A step that notes its input in the order of the calls. `queue`: members of `infrastructure.queue`.
fn noting(name: &str, topic: &str, queue: &str, before: &str) -> String {
    format!(
        "export const config = {{ type: 'event', name: '{name}', subscribes: ['{topic}'], infrastructure: {{ queue: {{ {queue} }} }} }}
         export const handler = async (input, {{ state, events, emit, traceId }}) => {{
           {before}
           await state.update('seen', 'list', [{{ type: 'append', value: input }}])
         }}"
    )
}

fn project(step: &str) -> Project {
    Project::new(&[("steps/emit.step.ts", EMIT), ("steps/seen.step.ts", SEEN), ("steps/note.step.ts", step)])
}

fn emit(engine: &Engine, events: &Value) -> Value {
    let answer = engine.post("/emit-all", &events.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn seen(engine: &Engine) -> Vec<Value> {
    engine.get("/seen").json().as_array().expect("a list").clone()
}

fn until_seen(engine: &Engine, count: usize) -> Vec<Value> {
    eventually(&format!("{count} seen"), || Some(seen(engine)).filter(|list| list.len() >= count))
}

#[test]
fn an_event_waits_for_its_time_and_can_be_taken_back() {
    let project = project(&noting("Note", "t", "", ""));
    let engine = project.dev();
    let events = emit(
        &engine,
        &json!([
            { "topic": "t", "data": "later", "delay": 0.8 },
            { "topic": "t", "data": "never", "delay": "1h" },
            { "topic": "t", "data": "now", "at": 1000 },
        ]),
    );
    assert_eq!(until_seen(&engine, 1), ["now"]);
    assert_eq!(until_seen(&engine, 2), ["now", "later"]);
    let id = events[1]["id"].as_str().expect("an id").to_owned();
    project.write(
        "steps/cancel.step.ts",
        "export const config = { type: 'api', name: 'Cancel', path: '/cancel/:id', method: 'POST' }
         export const handler = async (req, { events }) =>
           ({ status: 200, body: [await events.cancel(req.pathParams.id), await events.cancel(req.pathParams.id)] })",
    );
    engine.wait_for("[RELOADED]");
    assert_eq!(engine.post(&format!("/cancel/{id}"), "").json(), json!([true, false]), "once, from another handler");
    assert_eq!(engine.get("/__motia/queues").json()["queues"], json!([]), "nothing waits any more");
    for (event, problem) in [
        (json!({ "topic": "t", "delay": -1 }), "emit: delay should be a number of seconds"),
        (json!({ "topic": "t", "delay": 1, "at": 1 }), "emit: give either 'delay' or 'at', not both"),
        (json!({ "topic": "t", "priority": 1000 }), "emit: priority should be a whole number from -100 to 100"),
    ] {
        engine.mark();
        assert_eq!(engine.post("/emit-all", &json!([event]).to_string()).status, 500);
        engine.wait_for(problem);
    }
}

#[test]
fn an_idempotency_key_emits_once() {
    let project = project(&noting("Note", "t", "", ""));
    let engine = project.dev();
    let event = json!({ "topic": "t", "data": 1, "idempotencyKey": "order/1:\u{e9}" });
    let events = emit(&engine, &json!([event, event, { "topic": "t", "data": 2, "idempotencyKey": "other" }]));
    assert_eq!(events[0]["id"], events[1]["id"]);
    assert_eq!((&events[0]["repeated"], &events[1]["repeated"]), (&json!(false), &json!(true)));
    until_seen(&engine, 2);
    thread::sleep(Duration::from_millis(200));
    let mut all: Vec<String> = seen(&engine).iter().map(Value::to_string).collect();
    all.sort();
    assert_eq!(all, ["1", "2"]);
}

#[test]
fn the_more_urgent_come_first_and_a_fifo_queue_warns() {
    let slow = "await new Promise((done) => setTimeout(done, 50))";
    let project = project(&noting("Note", "t", "concurrency: 1", slow));
    project.write("steps/fifo.step.ts", &noting("Ordered", "f", "type: 'fifo'", ""));
    let engine = project.dev();
    let of = |data: &str, priority: i32| json!({ "topic": "t", "data": data, "priority": priority });
    emit(&engine, &json!([of("first", 0), of("low", -1), of("high", 9), of("middle", 1), of("high too", 9)]));
    let all = until_seen(&engine, 5);
    // The first may have begun before the others were there.
    let rest: Vec<_> = all.into_iter().filter(|data| *data != "first").collect();
    assert_eq!(rest, ["high", "high too", "middle", "low"]);
    emit(&engine, &json!([{ "topic": "f", "data": 1, "priority": 5 }]));
    engine.wait_for("a fifo queue keeps its order");
}

#[test]
fn a_group_is_limited_and_the_others_are_not_held_up() {
    let step = "
        let running = {}
        export const most = {}
        export const config = { type: 'event', name: 'Note', subscribes: ['t'],
          infrastructure: { queue: { groupConcurrency: 2, concurrency: 20 } } }
        export const handler = async (input, { state }) => {
          running[input.g] = (running[input.g] ?? 0) + 1
          const now = running[input.g]
          await new Promise((done) => setTimeout(done, 60))
          running[input.g]--
          await state.update('seen', 'list', [{ type: 'append', value: [input.g, now] }])
        }";
    let project = project(step);
    let engine = project.dev();
    let events: Vec<_> = (0..12)
        .map(|n| {
            let group = if n < 8 { "busy" } else { "calm" };
            json!({ "topic": "t", "data": { "g": group }, "messageGroupId": group })
        })
        .collect();
    emit(&engine, &json!(events));
    let all = until_seen(&engine, 12);
    let most =
        |group: &str| all.iter().filter(|seen| seen[0] == group).map(|seen| seen[1].as_u64().expect("a number")).max();
    assert_eq!((most("busy"), most("calm")), (Some(2), Some(2)));
    let calm = all.iter().position(|seen| seen[0] == "calm").expect("there");
    assert!(calm < 6, "the calm group does not wait for the busy one: {all:?}");
}

#[test]
fn a_fixed_backoff_waits_as_long_as_it_says() {
    let step = noting(
        "Note",
        "t",
        "maxRetries: 2, backoff: { type: 'fixed', delay: 0.3 }",
        "await state.update('tries', 'at', [{ type: 'append', value: Date.now() }]); if ((await state.get('tries', 'at')).length < 3) throw new Error('not yet')",
    );
    let project = project(&step);
    project.write(
        "steps/tries.step.ts",
        "export const config = { type: 'api', name: 'Tries', path: '/tries', method: 'GET' }
         export const handler = async (_, { state }) => ({ status: 200, body: await state.get('tries', 'at') })",
    );
    let engine = project.dev();
    emit(&engine, &json!([{ "topic": "t", "data": 1 }]));
    until_seen(&engine, 1);
    let at: Vec<i64> = serde_json::from_value(engine.get("/tries").json()).expect("times");
    assert!(at.windows(2).all(|pair| (290..1500).contains(&(pair[1] - pair[0]))), "{at:?}");
}

#[test]
fn dead_letters_are_listed_shown_delivered_again_and_discarded() {
    let project = project(&noting(
        "Note",
        "t",
        "maxRetries: 0",
        "if (input.bad && !globalThis.mended) throw new Error('boom ' + input.n)",
    ));
    project.write(
        "steps/mend.step.ts",
        "export const config = { type: 'api', name: 'Mend', path: '/mend', method: 'POST' }
         export const handler = async () => { globalThis.mended = true; return { status: 200, body: {} } }",
    );
    let engine = project.start();
    let bad = |n: u32| json!({ "topic": "t", "data": { "bad": true, "n": n } });
    emit(&engine, &json!([bad(1), bad(2), bad(3)]));
    for n in 1..=3 {
        engine.wait_for(&format!("boom {n}"));
    }
    eventually("three dead letters", || {
        let ls = project.motia(&["queue", "ls"]);
        ls.lines().any(|line| line.split_whitespace().eq(["Note", "0", "0", "3"])).then_some(())
    });
    let list: Value = serde_json::from_str(&project.motia(&["queue", "show", "Note", "--json"])).expect("JSON");
    let ids: Vec<u64> =
        list["deliveries"].as_array().expect("a list").iter().map(|dead| dead["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), 3);
    let shown = project.motia(&["queue", "show", &ids[0].to_string()]);
    assert!(
        shown.contains("Error: boom 1") && shown.contains("note.step.ts:") && shown.contains("\"bad\": true"),
        "{shown}"
    );

    assert_eq!(engine.post("/mend", "").status, 200);
    assert_eq!(project.motia(&["queue", "retry", &ids[0].to_string()]), "1 delivery goes out again\n");
    assert_eq!(until_seen(&engine, 1)[0]["n"], 1, "with the whole input");
    assert_eq!(project.motia(&["queue", "discard", &ids[1].to_string()]), "1 delivery is gone\n");
    assert_eq!(project.motia(&["queue", "retry", "--step", "Note"]), "1 delivery goes out again\n");
    assert_eq!(until_seen(&engine, 2)[1]["n"], 3);
    let replayed: Value =
        serde_json::from_str(&project.motia(&["queue", "show", "Note", "--state", "replayed", "--json"]))
            .expect("JSON");
    assert_eq!(replayed["deliveries"].as_array().map(Vec::len), Some(2), "what was delivered again is kept");
    // A handler has noted its event before its delivery is over.
    eventually("nothing waits or runs", || {
        (project.motia(&["queue", "ls"]) == "nothing waits or runs, and there are no dead letters\n").then_some(())
    });
    let refused = project.motia_fails(&["queue", "show", &ids[1].to_string()]);
    assert!(refused.contains(&format!("there is no delivery {}: it was handled, or discarded", ids[1])), "{refused}");
}

#[test]
fn a_queue_is_paused_over_a_restart_and_resumed() {
    let project = project(&noting("Note it", "t", "", ""));
    let engine = project.start();
    assert!(project.motia(&["queue", "pause", "Note it"]).starts_with("Note it is paused"));
    emit(&engine, &json!([{ "topic": "t", "data": 1 }]));
    thread::sleep(Duration::from_millis(200));
    assert!(seen(&engine).is_empty());
    engine.signal("TERM");
    engine.wait();
    let engine = project.start();
    thread::sleep(Duration::from_millis(200));
    assert!(seen(&engine).is_empty(), "it is still paused");
    assert!(project.motia(&["queue", "ls"]).contains("paused"));
    assert_eq!(project.motia(&["queue", "resume", "Note it"]), "Note it goes on\n");
    assert_eq!(until_seen(&engine, 1), [1]);
    let refused = project.motia_fails(&["queue", "pause", "Nobody"]);
    assert!(refused.contains("there is no step 'Nobody' and no queue of that name"), "{refused}");
}

#[test]
fn what_a_renamed_step_left_behind_is_shown_and_handed_over() {
    let project = project(&noting("Old", "t", "", ""));
    let engine = project.dev();
    project.motia(&["queue", "pause", "Old"]);
    emit(&engine, &json!([{ "topic": "t", "data": 1 }, { "topic": "t", "data": 2 }]));
    engine.mark();
    project.write("steps/note.step.ts", &noting("New", "t", "", ""));
    engine.wait_for("[RELOADED]");
    let ls = project.motia(&["queue", "ls"]);
    assert!(ls.contains("Old") && ls.contains("no step of the project has this name"), "{ls}");
    let refused = project.motia_fails(&["queue", "move", "Old", "Nobody"]);
    assert!(refused.contains("there is no event step 'Nobody'"), "{refused}");
    let refused = project.motia_fails(&["queue", "move", "New", "New"]);
    assert!(refused.contains("'New' is a step of the project"), "{refused}");
    assert_eq!(project.motia(&["queue", "move", "Old", "New"]), "2 deliveries are handed over to New\n");
    let mut all = until_seen(&engine, 2);
    all.sort_by_key(Value::to_string);
    assert_eq!(all, [1, 2]);
}

#[test]
fn events_are_emitted_by_hand() {
    let project = project(&noting("Note", "t", "", ""));
    let engine = project.dev();
    let told = project.motia(&["emit", "t", "--message", r#"{"by":"hand"}"#]);
    assert!(told.starts_with("emitted to 1 step: event "), "{told}");
    assert_eq!(until_seen(&engine, 1), [json!({ "by": "hand" })]);
    // As the original had it.
    project.motia(&["emit", "--topic", "t", "--message", "5", "--port", "3000"]);
    let answer = engine.post("/emit", r#"{"topic":"t","data":"over HTTP"}"#);
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "success": true, "emitted": { "topic": "t", "data": "over HTTP" } }))
    );
    let mut all = until_seen(&engine, 3);
    all.sort_by_key(Value::to_string);
    assert_eq!(all, [json!("over HTTP"), json!(5), json!({ "by": "hand" })]);
    let foreign = engine.client().request("POST", "/emit", &[("origin", "https://evil.example")], br#"{"topic":"t"}"#);
    assert_eq!(foreign.status, 403);
    assert_eq!(project.motia(&["emit", "nobody"]), "emitted, but no step subscribes to this topic\n");
    assert!(project.motia_fails(&["emit", "t", "--message", "{"]).contains("--message is not JSON"));
    engine.signal("TERM");
    engine.wait();
    assert!(project.motia_fails(&["emit", "t"]).contains("no engine runs here"));
    let engine = project.start();
    assert_eq!(engine.post("/emit", r#"{"topic":"t"}"#).status, 404, "in production there is no such route");
}
