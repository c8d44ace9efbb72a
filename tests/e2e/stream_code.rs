//! What a project's own code and schemas do for its streams: hooks, storage, and what an item must be like.

use serde_json::{Value, json};

use crate::support::socket::Socket;
use crate::support::{Engine, Project, eventually};

/// Calls a method of a stream: `[stream, method, ...arguments]`.
const CALL: (&str, &str) = (
    "steps/call.step.ts",
    "export const config = { type: 'api', name: 'Call', path: '/call', method: 'POST' }
     export const handler = async (req, { streams }) => {
       const [stream, method, ...rest] = req.body
       try {
         return { status: 200, body: { is: (await streams[stream][method](...rest)) ?? null } }
       } catch (error) {
         return { status: 500, body: { code: error.code, message: error.message } }
       }
     }",
);

/// Keeps each group in a file, and takes its time.
const FILED: (&str, &str) = (
    "steps/filed.stream.ts",
    "import { StreamAdapter } from 'motia'
     import { mkdir, readFile, writeFile } from 'node:fs/promises'
     import { setTimeout } from 'node:timers/promises'
     class Files extends StreamAdapter {
       async all(group) {
         await setTimeout(2)
         return JSON.parse(await readFile(`filed/${group}.json`, 'utf8').catch(() => '{}'))
       }
       async save(group, all) {
         await mkdir('filed', { recursive: true })
         await writeFile(`filed/${group}.json`, JSON.stringify(all))
       }
       async get(group, id) { return (await this.all(group))[id] ?? null }
       async set(group, id, data) {
         if (data.unlucky) throw new Error('unlucky')
         const all = await this.all(group)
         all[id] = { ...data, by: 'files' }
         await this.save(group, all)
         return all[id]
       }
       async delete(group, id) {
         const { [id]: gone = null, ...all } = await this.all(group)
         await this.save(group, all)
         return gone
       }
       async getGroup(group) { return Object.values(await this.all(group)) }
       async query(_, filter) { return [{ id: 'asked', filter }] }
     }
     export const config = { name: 'filed', schema: {}, baseConfig: { storageType: 'custom', factory: (name) => new Files(name) } }",
);

fn call(engine: &Engine, body: &Value) -> Value {
    engine.post("/call", &body.to_string()).json()
}

fn without_time(mut item: Value) -> Value {
    item.as_object_mut().expect("an item").remove("_createdAt").expect("a time");
    item
}

#[test]
fn an_adapter_of_the_projects_own_keeps_a_streams_items() {
    let project = Project::new(&[FILED, CALL]);
    let engine = project.start();
    let mut watcher = Socket::open(engine.port);
    watcher.join("filed", "g", None);
    assert_eq!(watcher.event(), json!({ "type": "sync", "data": [] }));
    let item = |n: u32| json!({ "n": n, "id": "1", "by": "files" });
    let set = call(&engine, &json!(["filed", "set", "g", "1", { "n": 1, "id": "other" }]));
    let is = |answer: Value| without_time(answer["is"].clone());
    let bare = |mut item: Value| {
        item.as_object_mut().expect("an item").remove("__motia");
        item
    };
    assert_eq!(bare(is(set)), item(1), "what the adapter made of it");
    let changes = json!([{ "type": "increment", "path": "n", "by": 4 }]);
    assert_eq!(bare(is(call(&engine, &json!(["filed", "update", "g", "1", changes])))), item(5));
    assert_eq!(bare(is(call(&engine, &json!(["filed", "get", "g", "1"])))), item(5));
    call(&engine, &json!(["filed", "set", "g", "2", { "n": 2 }]));
    let few = call(&engine, &json!(["filed", "query", "g", { "where": { "n": { "gt": 2 } } }]));
    assert_eq!(few["is"].as_array().expect("a list").len(), 1, "its filters know no comparisons");
    let asked = call(&engine, &json!(["filed", "query", "g", { "where": { "n": 2 }, "order": "-n" }]));
    let filter = json!({ "where": { "n": 2 }, "orderBy": "n", "orderDirection": "desc" });
    assert_eq!(asked["is"][0]["filter"], filter, "a query of its own");
    assert_eq!(
        bare(is(call(&engine, &json!(["filed", "delete", "g", "2"])))),
        json!({ "n": 2, "id": "2", "by": "files" })
    );
    assert_eq!(call(&engine, &json!(["filed", "delete", "g", "2"]))["is"], Value::Null);
    call(&engine, &json!(["filed", "send", { "groupId": "g" }, { "type": "hello", "data": 1 }]));
    for kind in ["create", "update", "create", "delete"] {
        assert_eq!(watcher.event()["type"], kind);
    }
    assert_eq!(watcher.event()["event"], json!({ "type": "hello", "data": 1 }));

    let failed = call(&engine, &json!(["filed", "set", "g", "1", { "unlucky": true }]));
    assert_eq!(failed["code"], "storage-failed");
    let message = failed["message"].as_str().expect("a text");
    assert!(
        message.starts_with("the storage of the stream 'filed' (steps/filed.stream.ts) failed: Error: unlucky"),
        "{message}"
    );
    assert!(watcher.is_quiet());

    engine.signal("KILL");
    engine.wait();
    let engine = project.start();
    let mut watcher = Socket::open(engine.port);
    watcher.join("filed", "g", Some("1"));
    assert_eq!(without_time(watcher.event()["data"].clone()), item(5), "it is not the engine that keeps it");
    assert_eq!(engine.get("/api/streams/filed/g").json().as_array().expect("a list").len(), 1);
    let whole = engine.get("/api/streams/filed");
    assert_eq!(whole.status, 403);
    assert!(whole.text().contains("lists groups only"), "{}", whole.text());
    let long = call(&engine, &json!(["filed", "set", "g", "2", { "text": "x".repeat(600 << 10) }]));
    assert_eq!(long["is"]["text"].as_str().map(str::len), Some(600 << 10), "answers may come in parts");
    let mut whole = Socket::open(engine.port);
    whole.join("filed", "g", None);
    assert_eq!(whole.event()["data"].as_array().expect("a list").len(), 2);
    assert_eq!(call(&engine, &json!(["filed", "clear", "g"]))["is"], 2);
    assert_eq!(watcher.event()["type"], "delete");
    assert_eq!((&whole.event()["type"], &whole.event()["type"]), (&json!("delete"), &json!("delete")));
    assert_eq!(engine.get("/api/streams/filed/g").json(), json!([]));
}

#[test]
fn those_who_wait_for_storage_do_not_starve_it_and_lose_no_update() {
    let count = (
        "steps/count.step.ts",
        "export const config = { type: 'event', name: 'Count', subscribes: ['count'], queue: { concurrency: 1000 } }
         export const handler = async (input, { streams }) => {
           await streams.filed.update('g', 'sum', [{ type: 'increment', path: 'n' }])
         }",
    );
    let emit = (
        "steps/emit.step.ts",
        "export const config = { type: 'api', name: 'Emit', path: '/emit', method: 'POST', emits: ['count'] }
         export const handler = async (_, { emit }) => {
           await Promise.all(Array.from({ length: 500 }, () => emit({ topic: 'count', data: {} })))
           return { status: 200, body: {} }
         }",
    );
    let project = Project::new(&[FILED, CALL, count, emit]);
    let engine = project.start();
    assert_eq!(engine.post("/emit", "{}").status, 200);
    eventually("all counted", || {
        let sum = engine.get("/api/streams/filed/g/sum");
        (sum.status == 200 && sum.json()["n"] == 500).then_some(())
    });
}

#[test]
fn a_stream_without_a_factory_is_refused_and_the_rest_runs() {
    let odd = ("steps/odd.stream.ts", "export const config = { name: 'odd', baseConfig: { storageType: 'custom' } }");
    let project = Project::new(&[odd, FILED, CALL]);
    let engine = project.dev();
    let output = engine.output();
    assert!(output.contains("steps/odd.stream.ts") && output.contains("factory"), "{output}");
    assert_eq!(call(&engine, &json!(["filed", "set", "g", "1", { "n": 1 }]))["is"]["n"], 1);
}

#[test]
fn the_project_hears_of_those_who_come_and_go() {
    let room = (
        "steps/room.stream.ts",
        "export const config = {
           name: 'room', schema: {},
           onJoin: async ({ groupId, id }, auth, { streams, logger }) => {
             logger.info(`came: ${groupId} ${id} ${auth.name}`)
             await streams.seen.update(groupId, 'count', [{ type: 'increment', path: 'here' }])
           },
           onLeave: async ({ groupId }, auth, { streams }) => {
             await streams.seen.update(groupId, 'count', [{ type: 'increment', path: 'here', by: -1 }])
             throw new Error('too late for ' + auth.name)
           },
         }",
    );
    let seen = ("steps/seen.stream.ts", "export const config = { name: 'seen', schema: {} }");
    let config = (
        "motia.config.ts",
        "export default { streamAuth: { authenticate: (req) => ({ name: new URL(req.url, 'http://x').searchParams.get('name') }) } }",
    );
    let project = Project::new(&[room, seen, CALL, config]);
    let engine = project.start();
    let mut witness = Socket::open(engine.port);
    witness.join("seen", "g", Some("count"));
    assert_eq!(witness.event()["data"], Value::Null);
    let here = |witness: &mut Socket| witness.event()["data"]["here"].clone();
    let mut ada = Socket::try_open(engine.port, "/?name=ada", &[]).expect("open");
    ada.join("room", "g", Some("i"));
    assert_eq!(here(&mut witness), 1);
    engine.wait_for("came: g i ada");
    let mut bob = Socket::try_open(engine.port, "/?name=bob", &[]).expect("open");
    bob.join("room", "g", None);
    assert_eq!(here(&mut witness), 2);
    bob.leave("room", "g", None);
    assert_eq!(here(&mut witness), 1);
    engine.wait_for("onLeave failed: Error: too late for bob");
    drop(ada);
    assert_eq!(here(&mut witness), 0, "who hangs up leaves too");
    bob.join("room", "g", None);
    assert_eq!(here(&mut witness), 1);
    engine.signal("TERM");
    let (status, output) = engine.wait();
    assert!(status.success(), "{output}");
    let engine = project.start();
    assert_eq!(engine.get("/api/streams/seen/g/count").json()["here"], 0, "a stop tells it too");
}

#[test]
fn python_hears_of_it_too() {
    let room = (
        "steps/room_stream.py",
        "async def on_join(subscription, auth, ctx):\n    await ctx.state.set('came', subscription['groupId'], {'id': subscription.get('id')})\n\nconfig = {'name': 'room', 'schema': {}, 'on_join': on_join}\n",
    );
    let came = (
        "steps/came.step.ts",
        "export const config = { type: 'api', name: 'Came', path: '/came', method: 'GET' }
         export const handler = async (_, { state }) => ({ status: 200, body: { is: (await state.get('came', 'g')) ?? null } })",
    );
    let project = Project::new(&[room, came]);
    let engine = project.start();
    let mut ada = Socket::open(engine.port);
    ada.join("room", "g", None);
    assert_eq!(ada.event()["type"], "sync");
    eventually("it came", || (engine.get("/came").json()["is"] == json!({ "id": null })).then_some(()));
}

#[test]
fn items_are_compared_with_the_schema_as_the_project_wishes() {
    let stream = |name: &str, more: &str| {
        format!(
            "export const config = {{ name: '{name}', {more} schema: {{ type: 'object', additionalProperties: false,
               required: ['n'], properties: {{ n: {{ type: 'number' }} }} }} }}"
        )
    };
    let project = Project::new(&[
        ("steps/loose.stream.ts", stream("loose", "").as_str()),
        ("steps/strict.stream.ts", stream("strict", "validation: 'enforce',").as_str()),
        CALL,
    ]);
    let engine = project.start();
    assert_eq!(call(&engine, &json!(["loose", "set", "g", "1", { "n": "one" }]))["is"]["n"], "one");
    engine.wait_for("the data does not match schema: item.n: expected number, got string. It is stored all the same");
    let refused = call(&engine, &json!(["strict", "set", "g", "1", { "n": "one" }]));
    assert_eq!(refused["code"], "validation-failed");
    assert_eq!(
        refused["message"],
        "streams.strict.set: the item does not match the stream's schema: item.n: expected number, got string"
    );
    assert_eq!(engine.get("/api/streams/strict/g/1").status, 404);
    let item = call(&engine, &json!(["strict", "set", "g", "1", { "n": 1 }]))["is"].clone();
    assert_eq!(item["n"], 1);
    assert_eq!(call(&engine, &json!(["strict", "set", "g", "1", item]))["is"]["n"], 1, "what was read can be written");
    let changes = json!([{ "type": "set", "path": "m", "value": 1 }]);
    let refused = call(&engine, &json!(["strict", "update", "g", "1", changes]));
    let message = refused["message"].as_str().expect("a text");
    assert!(
        message.contains("the item does not match the stream's schema: item: has the unexpected member"),
        "{message}"
    );
    assert_eq!(engine.get("/api/streams/strict/g/1").json()["n"], 1);
}

/// Its adapter never answers for the group `hang`, breaks for `break`, and takes its worker with it for `die` once it has stored.
const ODD: (&str, &str) = (
    "steps/odd.stream.ts",
    "import { StreamAdapter } from 'motia'
     import { readFileSync, writeFileSync } from 'node:fs'
     const read = (group) => { try { return JSON.parse(readFileSync(`${group}.json`, 'utf8')) } catch { return [] } }
     class Odd extends StreamAdapter {
       async get(group, id) { return read(group).find((item) => item.id === id) ?? null }
       async set(group, id, data) {
         writeFileSync(`${group}.json`, JSON.stringify([{ ...data, id }]))
         if (group === 'die') process.kill(process.pid, 'SIGKILL')
         return data
       }
       async delete() { return null }
       async getGroup(group) {
         if (group === 'hang') await new Promise(() => {})
         if (group === 'break') throw new Error('postgres://user:secret@db is down')
         return read(group)
       }
     }
     export const config = { name: 'odd', schema: {}, baseConfig: { storageType: 'custom', factory: () => new Odd('odd') } }",
);

#[test]
fn an_adapter_that_hangs_or_breaks_costs_others_nothing_and_tells_nobody_why() {
    let config = ("motia.config.ts", "export default { timeouts: { storage: 2 } }");
    let project = Project::new(&[ODD, FILED, CALL, config]);
    let engine = project.start();
    let mut hanging: Vec<_> = (0..100).map(|_| Socket::open(engine.port)).collect();
    for socket in &mut hanging {
        socket.join("odd", "hang", None);
    }
    let mut other = Socket::open(engine.port);
    other.join("filed", "g", None);
    assert_eq!(other.event(), json!({ "type": "sync", "data": [] }), "while they hang");
    let failed = json!({ "code": "STREAM_READ_FAILED", "message": "the stream cannot be read now" });
    for socket in &mut hanging {
        assert_eq!(socket.event()["event"]["data"], failed, "all wait for one read, and for the next");
    }
    other.join("odd", "break", None);
    assert_eq!(other.event()["event"]["data"], failed);
    let read = engine.get("/api/streams/odd/break");
    assert_eq!((read.status, read.json()), (500, json!({ "error": "the stream cannot be read now" })));
    let accepts = [("accept", "text/event-stream")];
    assert_eq!(engine.client().request("GET", "/api/streams/odd/break", &accepts, b"").status, 503);
    engine.wait_for("postgres://user:secret@db is down");
}

#[test]
fn storage_of_the_projects_own_does_not_run_with_a_process_for_each_call() {
    let config = ("motia.config.ts", "export default { isolation: 'process' }");
    let project = Project::new(&[FILED, CALL, config]);
    let engine = project.start();
    engine.wait_for("steps/filed.stream.ts: its storage does not run with isolation");
    let failed = call(&engine, &json!(["filed", "set", "g", "1", { "n": 1 }]));
    assert_eq!(failed["code"], "storage-failed");
    assert!(failed["message"].as_str().expect("a text").contains("isolation"), "{failed}");
}

#[test]
fn who_watches_comes_back_where_it_is_not_known_what_was_stored() {
    let project = Project::new(&[ODD, CALL]);
    let engine = project.start();
    let mut watcher = Socket::open(engine.port);
    watcher.join("odd", "die", None);
    assert_eq!(watcher.event(), json!({ "type": "sync", "data": [] }));
    let body = json!(["odd", "set", "die", "1", { "n": 1 }]).to_string();
    assert!(engine.post("/call", &body).status >= 500);
    assert_eq!(watcher.closed().map(|(code, _)| code), Some(4008));
    let mut again = Socket::open(engine.port);
    again.join("odd", "die", None);
    assert_eq!(again.event()["data"][0]["n"], 1, "it was stored");
}
