//! Emits, deliveries, retries, ticks; state and streams.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Engine, Project, eventually};

/// Reads a state group: what handlers of these tests leave behind.
const SEEN: &str = "
    export const config = { type: 'api', name: 'Seen', path: '/seen/:group', method: 'GET' }
    export const handler = async (req, { state }) => ({ status: 200, body: await state.getGroup(req.pathParams.group) })";

fn seen(engine: &Engine, group: &str) -> Vec<Value> {
    engine.get(&format!("/seen/{group}")).json().as_array().expect("a list").clone()
}

fn until_seen(engine: &Engine, group: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} in {group}"), || Some(seen(engine, group)).filter(|list| list.len() >= count))
}

fn emitter(body: &str) -> String {
    format!(
        "export const config = {{ type: 'api', name: 'Emit', path: '/emit', method: 'POST' }}
         export const handler = async (req, {{ emit, state, logger, traceId }}) => {{ {body}; return {{ status: 200, body: {{ traceId }} }} }}"
    )
}

#[test]
fn every_subscriber_gets_its_own_delivery_with_the_chains_trace() {
    let subscriber = |name: &str, topics: &str| {
        format!(
            "export const config = {{ type: 'event', name: '{name}', subscribes: {topics}, flows: ['f'] }}
             export const handler = async (input, {{ state, traceId, flows }}) =>
               {{ await state.set('got', '{name}' + Math.random(), {{ by: '{name}', input, traceId, flows }}) }}"
        )
    };
    let project = Project::new(&[
        ("steps/seen.step.ts", SEEN),
        (
            "steps/emit.step.ts",
            &emitter("await emit({ topic: 'a:b/c.d', data: req.body }); await emit('second', [1, null])"),
        ),
        ("steps/one.step.ts", &subscriber("One", "['a:b/c.d']")),
        ("steps/two.step.ts", &subscriber("Two", "['a:b/c.d', 'second']")),
    ]);
    let engine = project.dev();
    let trace = engine.post("/emit", r#"{"n":1,"text":"ü🐾"}"#).json()["traceId"].clone();
    let mut got = until_seen(&engine, "got", 3);
    got.sort_by_key(|entry| (entry["by"].to_string(), entry["input"].to_string()));
    let entry = |by: &str, input: Value| json!({ "by": by, "input": input, "traceId": trace, "flows": ["f"] });
    let first = json!({ "n": 1, "text": "ü🐾" });
    assert_eq!(got, [entry("One", first.clone()), entry("Two", json!([1, null])), entry("Two", first)]);
}

#[test]
fn data_of_any_kind_arrives_as_it_was() {
    let project = Project::new(&[
        ("steps/seen.step.ts", SEEN),
        (
            "steps/emit.step.ts",
            &emitter("for (const data of [null, 'text', 5, true, [], { u: undefined, n: null }, undefined, 'x'.repeat(20_000_000)]) await emit({ topic: 't', data })"),
        ),
        (
            "steps/get.step.ts",
            "export const config = { type: 'event', name: 'Get', subscribes: ['t'] }
             export const handler = async (input, { state }) => {
               await state.set('got', String(Math.random()), { kind: typeof input, input: typeof input === 'string' ? input.length : input })
             }",
        ),
    ]);
    let engine = project.dev();
    assert_eq!(engine.post("/emit", "{}").status, 200);
    let mut got: Vec<String> = until_seen(&engine, "got", 8).iter().map(ToString::to_string).collect();
    got.sort();
    assert_eq!(
        got,
        [
            r#"{"kind":"boolean","input":true}"#,
            r#"{"kind":"number","input":5}"#,
            r#"{"kind":"object","input":[]}"#,
            r#"{"kind":"object","input":null}"#,
            r#"{"kind":"object","input":{"n":null}}"#,
            r#"{"kind":"string","input":20000000}"#,
            r#"{"kind":"string","input":4}"#,
            r#"{"kind":"undefined"}"#,
        ]
    );
}

#[test]
fn a_failing_delivery_is_retried_then_kept_as_a_dead_letter() {
    let project = Project::new(&[
        ("steps/seen.step.ts", SEEN),
        ("steps/emit.step.ts", &emitter("await emit({ topic: 't', data: req.body })")),
        (
            "steps/fails.step.ts",
            "export const config = { type: 'event', name: 'Fails', subscribes: ['t'],
               infrastructure: { queue: { maxRetries: 1 } } }
             export const handler = async (input, { state }) => {
               await state.set('tries', String(Date.now() + Math.random()), input)
               throw new Error('no luck')
             }",
        ),
    ]);
    let engine = project.dev();
    engine.post("/emit", r#"{"n":1}"#);
    engine.wait_for("failed (attempt 1 of 2), next attempt in");
    let line = engine.wait_for("the event is a dead letter now: Error: no luck");
    assert!(line.contains("failed for the last time (attempt 2 of 2)"), "{line}");
    engine.wait_for("steps/fails.step.ts:5:");
    assert_eq!(seen(&engine, "tries").len(), 2);
    let queue = eventually("it is kept", || {
        let queues = engine.get("/__motia/queues").json();
        queues["queues"].as_array().expect("a list").first().cloned().filter(|queue| queue["dead"] == 1)
    });
    assert_eq!(
        queue,
        json!({ "step": "Fails", "waiting": 0, "running": 0, "dead": 1, "paused": false, "orphan": false })
    );
}

#[test]
fn emits_that_nobody_awaits_are_not_lost_and_one_that_fails_fails_its_call() {
    let project = Project::new(&[
        ("steps/seen.step.ts", SEEN),
        (
            "steps/emit.step.ts",
            &emitter(
                "if (req.body.bad) { streams_missing(emit) } else { for (let n = 0; n < 20; n++) emit({ topic: 't', data: n }) }",
            ),
        ),
        (
            "steps/floating.step.ts",
            "export const config = { type: 'api', name: 'Floating', path: '/floating', method: 'GET' }
             export const handler = async (req, { streams }) => {
               streams.s.set('g', 'id', 'no object')
               return { status: 200, body: 'fine' }
             }",
        ),
        (
            "steps/s.stream.ts",
            "export const config = { name: 's', schema: {}, baseConfig: { storageType: 'default' } }",
        ),
        (
            "steps/get.step.ts",
            "export const config = { type: 'event', name: 'Get', subscribes: ['t'] }
             export const handler = async (input, { state }) => { state.set('got', String(input), input) }",
        ),
    ]);
    let engine = project.dev();
    assert_eq!(engine.post("/emit", "{}").status, 200);
    assert_eq!(until_seen(&engine, "got", 20).len(), 20);
    assert_eq!(engine.get("/floating").status, 500);
    engine.wait_for("a stream item must be an object");
}

#[test]
fn an_undeclared_topic_is_said_and_dropped_and_one_without_subscriber_is_fine() {
    let project = Project::new(&[
        ("steps/seen.step.ts", SEEN),
        (
            "steps/emit.step.ts",
            "export const config = { type: 'api', name: 'Emit', path: '/emit', method: 'POST', emits: ['declared', { topic: 'lonely', label: 'L' }] }
             export const handler = async (req, { emit }) => {
               await emit({ topic: 'undeclared', data: 1 })
               await emit({ topic: 'lonely', data: 1 })
               await emit({ topic: 'declared', data: 1 })
               return { status: 200, body: {} }
             }",
        ),
        (
            "steps/get.step.ts",
            "export const config = { type: 'event', name: 'Get', subscribes: ['declared', 'undeclared'] }
             export const handler = async (input, { state }) => { await state.set('got', String(Math.random()), input) }",
        ),
    ]);
    let engine = project.dev();
    engine.wait_for("Step (API) steps/emit.step.ts emits lonely, but no step subscribes to it");
    assert_eq!(engine.post("/emit", "{}").status, 200);
    engine.wait_for("emitted 'undeclared', which its config does not list in 'emits': the event was dropped");
    until_seen(&engine, "got", 1);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(seen(&engine, "got").len(), 1);
}

#[test]
fn fifo_groups_keep_their_order_and_run_beside_each_other() {
    let project = Project::new(&[
        ("steps/seen.step.ts", SEEN),
        (
            "steps/emit.step.ts",
            &emitter("for (let n = 0; n < 12; n++) await emit({ topic: 't', data: { g: n % 3, n }, messageGroupId: 'g' + (n % 3) })"),
        ),
        (
            "steps/get.step.ts",
            "const running = new Map<number, number>()
             let most = 0
             export const config = { type: 'event', name: 'Get', subscribes: ['t'], infrastructure: { queue: { type: 'fifo' } } }
             export const handler = async ({ g, n }, { state }) => {
               running.set(g, (running.get(g) ?? 0) + 1)
               most = Math.max(most, [...running.values()].filter((count) => count > 0).length)
               if (running.get(g)! > 1) await state.set('overlap', String(n), n)
               await new Promise((done) => setTimeout(done, 20 * Math.random()))
               await state.set('order' + g, String(n), n)
               running.set(g, running.get(g)! - 1)
               await state.set('most', 'most', most)
             }",
        ),
    ]);
    let engine = project.dev();
    engine.post("/emit", "{}");
    for group in 0..3 {
        let order = until_seen(&engine, &format!("order{group}"), 4);
        assert_eq!(order, [0, 3, 6, 9].map(|n| json!(n + group)), "group {group}");
    }
    assert_eq!(seen(&engine, "overlap"), Vec::<Value>::new());
    assert!(seen(&engine, "most")[0].as_i64() > Some(1), "groups run beside each other");
}

#[test]
fn schedules_tick() {
    let project = Project::new(&[
        ("steps/seen.step.ts", SEEN),
        (
            "lib/when.ts",
            "export const when = process.env.WHEN ?? '*/1 * * * * *'",
        ),
        (
            "steps/tick.step.ts",
            "import { when } from '../lib/when'
             export const config = { type: 'cron', name: 'Tick', cron: when, emits: ['ticked'] }
             export const handler = async ({ emit, state, traceId }) => { await emit({ topic: 'ticked', data: { traceId } }) }",
        ),
        (
            "steps/ticked.step.ts",
            "export const config = { type: 'event', name: 'Ticked', subscribes: ['ticked'] }
             export const handler = async (input, { state, traceId }) => { await state.set('ticks', traceId, input.traceId === traceId) }",
        ),
        ("steps/bad.step.ts", "export const config = { type: 'cron', name: 'Bad', cron: 'now and then' }\nexport const handler = async () => {}"),
    ]);
    let engine = project.dev();
    engine.wait_for("cron: 'now and then' is not understood");
    let ticks = until_seen(&engine, "ticks", 2);
    assert!(ticks.iter().all(|same| *same == json!(true)), "{ticks:?}");
}

#[test]
fn state_does_what_the_guide_says() {
    let project = Project::new(&[(
        "steps/state.step.ts",
        "export const config = { type: 'api', name: 'State', path: '/state', method: 'GET' }
         export const handler = async (req, { state }) => {
           const log: unknown[] = []
           log.push(await state.get('orders', 'o'))
           log.push(await state.set('orders', 'o:1', { total: 99.99, gone: undefined, list: [1] }))
           log.push(await state.get('orders', 'o:1'))
           await state.set('orders', 'o2', 'text'); await state.set('orders:o', '1', 'another place')
           log.push(await state.getGroup('orders'))
           log.push(await state.delete('orders', 'o2'), await state.delete('orders', 'o2'))
           state.set('orders', 'late', 1)
           log.push(await state.get('orders', 'late'))
           const before = state.get('orders', 'late')
           state.set('orders', 'late', 2)
           log.push(await before, await state.get('orders', 'late'))
           await state.clear('orders')
           log.push(await state.getGroup('orders'), await state.getGroup('orders:o'))
           return { status: 200, body: log }
         }",
    )]);
    let engine = project.dev();
    let order = json!({ "total": 99.99, "list": [1] });
    assert_eq!(
        engine.get("/state").json(),
        json!([null, order, order, [order, "text"], "text", null, 1, 1, 2, [], ["another place"]])
    );
}

#[test]
fn streams_store_items_with_their_marks() {
    let project = Project::new(&[
        (
            "steps/chat.stream.ts",
            "import { StreamConfig } from 'motia'
             export const config: StreamConfig = { name: 'chat', schema: {} as any, baseConfig: { storageType: 'default' } }",
        ),
        (
            "steps/streams.step.ts",
            "export const config = { type: 'api', name: 'Streams', path: '/streams', method: 'GET' }
             export const handler = async (req, { streams }) => {
               const first = await streams.chat.set('room', 'm1', { text: 'hi', id: 'other' })
               const again = await streams.chat.set('room', 'm1', { ...first, text: 'edited' })
               await streams.chat.set('room', 'm2', { text: 'two' })
               const group = await streams.chat.getGroup('room')
               await streams.chat.send({ groupId: 'room' }, { type: 'typing', data: { by: 'ada' } })
               return { status: 200, body: {
                 first, again, group,
                 missing: await streams.chat.get('room', 'nope'),
                 deleted: await streams.chat.delete('room', 'm2'),
                 unknown: typeof (streams as any).nope,
               } }
             }",
        ),
    ]);
    let engine = project.dev();
    let body = engine.get("/streams").json();
    let marker = json!({ "type": "state-stream", "streamName": "chat", "groupId": "room", "id": "m1" });
    let created = body["first"]["_createdAt"].clone();
    assert!(created.as_i64() > Some(1_700_000_000_000), "{body}");
    let item = |text: &str| json!({ "text": text, "id": "m1", "_createdAt": created, "__motia": marker });
    assert_eq!(body["first"], item("hi"));
    assert_eq!(body["again"], item("edited"), "an item that is written back keeps its creation time");
    assert_eq!(body["group"][0], item("edited"));
    assert_eq!(body["group"][1]["text"], "two");
    assert_eq!(
        (&body["missing"], &body["deleted"]["text"], &body["unknown"]),
        (&json!(null), &json!("two"), &json!("undefined"))
    );
}

#[test]
fn log_lines_survive_whatever_is_logged() {
    let project = Project::new(&[(
        "steps/log.step.ts",
        "export const config = { type: 'api', name: 'Log', path: '/log', method: 'GET' }
         export const handler = async (req, { logger }) => {
           const cycle: any = { a: 1 }; cycle.self = cycle
           logger.info('cycle 🐾', cycle)
           logger.error('nested', { error: new TypeError('deep trouble'), big: 10n, u: undefined, f() {} })
           logger.warn('bare', new Error('as second argument'))
           logger.info('string', 'just text')
           logger.debug('too quiet')
           console.log('console', { x: 1 }, [2])
           console.error('console error')
           process.stdout.write('raw stdout\\n')
           return { status: 200, body: {} }
         }",
    )]);
    let engine = project.dev();
    let trace = engine.get("/log").header("x-trace-id").expect("a trace").to_owned();
    for (text, level) in [
        ("cycle 🐾", "INFO"),
        ("nested", "ERROR"),
        ("bare", "WARN"),
        ("string", "INFO"),
        ("console { x: 1 } [ 2 ]", "INFO"),
        ("console error", "ERROR"),
    ] {
        let line = engine.wait_for(text);
        assert!(line.contains(&trace) && line.contains(&format!("[{level}] Log")), "{line}");
    }
    engine.wait_for("deep trouble");
    engine.wait_for("as second argument");
    engine.wait_for("just text");
    engine.wait_for("raw stdout");
    assert!(!engine.output().contains("too quiet"), "{}", engine.output());

    let loud = project.launch(&["dev", "-p", "0", "--debug", "--motia-dir", ".other"], &[]);
    loud.wait_for("[READY]");
}
