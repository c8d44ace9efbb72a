//! What `motia.config` sets: `cors`, `static`, `validation`.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::examples::install;
use crate::support::http::read_answer;
use crate::support::{Answer, Engine, Project, eventually};

const HELLO: &str = "
    export const config = { type: 'api', name: 'Hello', path: '/hello', method: 'GET' }
    export const handler = async () => ({ status: 200, body: 'hello' })";

/// Says with which body it was called.
const ORDER: &str = "
    export const config = {
      type: 'api', name: 'Order', path: '/orders', method: 'POST',
      bodySchema: {
        type: 'object', required: ['item', 'count'],
        properties: { item: { type: 'string', minLength: 1 }, count: { type: 'integer', minimum: 1 } },
      },
    }
    export const handler = async (req, { logger }) => {
      logger.info(`called with ${JSON.stringify(req.body)}`)
      return { status: 200, body: { got: req.body, raw: req.rawBody } }
    }";

fn config(knobs: &str) -> String {
    format!("export default {{ {knobs} }}")
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[test]
fn the_example_of_the_documentation_is_understood_whole() {
    let page = include_str!("../../docs/configuration.md");
    let example = page.split("```").nth(1).and_then(|block| block.strip_prefix("ts\n")).expect("an example");
    let project = Project::new(&[
        ("motia.config.ts", example),
        ("steps/order.step.ts", ORDER),
        ("public/index.html", "home"),
        ("dist/index.html", "app"),
    ]);
    let engine = project.start();
    assert!(!engine.output().contains("\"warn\""), "{}", engine.output());
    assert_eq!(engine.get("/").text(), "home");
    assert_eq!(engine.get("/app/any/page").text(), "app");
    assert_eq!(engine.post("/orders", "{}").status, 400);
    let answer = engine.client().request("GET", "/", &[("origin", "https://5.preview.example.com")], b"");
    assert_eq!(allowed(&answer), Some("https://5.preview.example.com"));
}

#[test]
fn the_cors_knob_holds_for_every_answer() {
    let knobs = config(
        "cors: { origin: ['https://app.example.com', 'https://*.preview.example.com'], credentials: true,
                 exposedHeaders: ['x-total'], maxAge: 60 }, bodyLimit: 10, static: { '/': 'public' }",
    );
    let project = Project::new(&[
        ("motia.config.ts", &knobs),
        ("steps/hello.step.ts", HELLO),
        ("steps/order.step.ts", ORDER),
        ("public/font.woff2", "font"),
        (
            "steps/throws.step.ts",
            "export const config = { type: 'api', name: 'Throws', path: '/throws', method: 'GET' }
             export const handler = async () => { throw new Error('no') }",
        ),
        (
            "steps/own.step.ts",
            "export const config = { type: 'api', name: 'Own', path: '/own', method: 'GET' }
             const headers = { 'Access-Control-Allow-Origin': 'https://mine.example' }
             export const handler = async () => ({ status: 200, headers, body: 'own' })",
        ),
        (
            "steps/options.step.ts",
            "export const config = { type: 'api', name: 'Options', path: '/own', method: 'OPTIONS' }
             export const handler = async () => ({ status: 200, body: 'mine' })",
        ),
    ]);
    let engine = project.start();
    let ask = |method: &str, path: &str, origin: &str, body: &str| {
        engine.client().request(method, path, &[("origin", origin)], body.as_bytes())
    };
    for origin in ["https://app.example.com", "https://pr-5.preview.example.com"] {
        for (method, path, body, status) in [
            ("GET", "/hello", "", 200),
            ("GET", "/nowhere", "", 404),
            ("DELETE", "/hello", "", 405),
            ("GET", "/throws", "", 500),
            ("POST", "/orders", "more than ten bytes", 413),
            ("GET", "/font.woff2", "", 200),
        ] {
            let answer = ask(method, path, origin, body);
            assert_eq!((answer.status, allowed(&answer)), (status, Some(origin)), "{method} {path}");
            assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
            assert_eq!(answer.header("access-control-expose-headers"), Some("x-total"));
            assert!(answer.headers.contains(&("vary".into(), "Origin".into())), "{:?}", answer.headers);
        }
    }
    let foreign = ask("GET", "/hello", "https://evil.example", "");
    assert_eq!((foreign.status, allowed(&foreign), foreign.header("vary")), (200, None, Some("Origin")));
    let own = ask("GET", "/own", "https://app.example.com", "");
    assert_eq!(allowed(&own), Some("https://mine.example"));
    assert_eq!(own.header("access-control-allow-credentials"), None);
    assert_eq!(ask("OPTIONS", "/own", "https://app.example.com", "").text(), "mine");
    let preflight = ask("OPTIONS", "/hello", "https://app.example.com", "");
    assert_eq!((preflight.status, allowed(&preflight)), (204, Some("https://app.example.com")));
    assert_eq!(preflight.header("access-control-max-age"), Some("60"));
    assert_eq!(allowed(&ask("OPTIONS", "/hello", "https://evil.example", "")), None);
}

#[test]
fn cors_off_is_off_and_credentials_need_named_pages() {
    let project = Project::new(&[("motia.config.ts", &config("cors: false")), ("steps/hello.step.ts", HELLO)]);
    let engine = project.start();
    let ask = |engine: &Engine, method: &str| {
        engine.client().request(method, "/hello", &[("origin", "https://a.example")], b"")
    };
    assert_eq!(allowed(&ask(&engine, "GET")), None);
    let preflight = ask(&engine, "OPTIONS");
    assert_eq!((preflight.status, preflight.header("allow"), allowed(&preflight)), (405, Some("GET"), None));
    drop(engine);

    let project = Project::new(&[
        ("motia.config.ts", &config("cors: { origin: '*', credentials: true }")),
        ("steps/hello.step.ts", HELLO),
    ]);
    let engine = project.dev();
    engine.wait_for(
        "motia.config.ts: cors.credentials: is not used, since any page could act as its visitor; name the pages",
    );
    let answer = ask(&engine, "GET");
    assert_eq!((allowed(&answer), answer.header("access-control-allow-credentials")), (Some("*"), None));
    // The knob goes live.
    project.write("motia.config.ts", &config("cors: { origin: 'https://a.example', credentials: true }"));
    eventually("credentials are allowed", || {
        (ask(&engine, "GET").header("access-control-allow-credentials") == Some("true")).then_some(())
    });
}

#[test]
fn files_are_served_beside_steps() {
    let project = Project::new(&[
        ("motia.config.ts", &config("static: { '/': 'public', '/later': { folder: 'dist', fallback: 'index.html' } }")),
        ("steps/hello.step.ts", HELLO),
        ("public/index.html", "<h1>home</h1>"),
        ("public/hello", "never served"),
        ("public/orders", "a file"),
        ("steps/order.step.ts", ORDER),
    ]);
    let engine = project.dev();
    engine.wait_for("static[\"/later\"]: the folder 'dist' is not there; its files are served as soon as it is");
    assert_eq!(engine.get("/").text(), "<h1>home</h1>");
    assert_eq!(engine.get("/").header("cache-control"), Some("no-cache"));
    assert_eq!(engine.get("/hello").text(), "hello", "steps win");
    assert_eq!(engine.get("/orders").text(), "a file", "for another method than the step's");
    assert_eq!(engine.get("/healthz").json(), json!({ "status": "ok" }));
    assert_eq!(engine.get("/nothing").json(), json!({ "error": "Not found" }));
    let tag = engine.get("/").header("etag").expect("a tag").to_owned();
    assert_eq!(engine.client().request("GET", "/", &[("if-none-match", &tag)], b"").status, 304);

    assert_eq!(engine.get("/later/users/5").status, 404);
    project.write("dist/index.html", "<h1>app</h1>");
    assert_eq!(engine.get("/later/users/5").text(), "<h1>app</h1>");
    assert_eq!(engine.get("/later").header("location"), Some("/later/"));

    // The knob goes live; what it cannot serve is named.
    project.write("motia.config.ts", &config("static: { '/files': 'public', '/all': '.' }"));
    eventually("the files move", || (engine.get("/files/").text() == "<h1>home</h1>").then_some(()));
    assert_eq!(engine.get("/").status, 404);
    engine.wait_for("static[\"/all\"]: the folder is the project itself, and its sources would be served");
    assert_eq!(engine.get("/all/motia.config.ts").status, 404);
}

#[test]
fn nobody_gets_out_of_a_served_folder() {
    let project = Project::new(&[
        ("motia.config.ts", &config("static: { '/': 'public' }")),
        ("steps/hello.step.ts", HELLO),
        (".env", "SECRET=hidden-value"),
        ("public/page.html", "page"),
        ("public/.env", "SECRET=hidden-value"),
        ("public/deep/er/page.html", "page"),
    ]);
    symlink(project.path().join(".env"), project.path().join("public/link.txt")).expect("linked");
    symlink("..", project.path().join("public/up")).expect("linked");
    let engine = project.start();
    assert_eq!(engine.get("/deep/er/page.html").text(), "page");
    for path in [
        "/../.env",
        "/../steps/hello.step.ts",
        "/deep/../../.env",
        "/deep/er/../../../steps/hello.step.ts",
        "/%2e%2e/steps/hello.step.ts",
        "/%2e%2e%2fsteps%2fhello.step.ts",
        "/..%2fsteps/hello.step.ts",
        "/..%5c..%5csteps/hello.step.ts",
        "/..\\steps\\hello.step.ts",
        "/%252e%252e/steps/hello.step.ts",
        "/%c0%ae%c0%ae/steps/hello.step.ts",
        "//steps/hello.step.ts",
        "/./../steps/hello.step.ts",
        "/.env",
        "/%2eenv",
        "/deep/%2e./%2e./.env",
        "/page.html%00",
        "/page.html/",
        "/page.html/../../.env",
        "/link.txt",
        "/up/steps/hello.step.ts",
        "/up/.env",
        "/etc/passwd",
        "/%2fetc/passwd",
        "http://localhost/../.env",
    ] {
        // A socket of its own: clients tidy paths up before they send them.
        let mut socket = engine.client().connect();
        write!(socket, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("sent");
        let answer = read_answer(&mut BufReader::new(socket), false).expect("an answer");
        assert!(matches!(answer.status, 400 | 404), "{path}: {} {}", answer.status, answer.text());
    }
}

#[test]
fn a_large_file_streams_in_little_memory() {
    let project = Project::new(&[
        ("motia.config.ts", &config("static: { '/': 'public' }")),
        ("steps/hello.step.ts", HELLO),
        ("public/large.bin", ""),
    ]);
    let length = 400 << 20;
    let file = fs::OpenOptions::new().write(true).open(project.path().join("public/large.bin")).expect("opened");
    file.set_len(length).expect("stretched");
    let engine = project.start();
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{}/status", engine.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    engine.get("/hello");
    let before = memory();
    let mut socket = engine.client().connect();
    write!(socket, "GET /large.bin HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("sent");
    let (mut buffer, mut read, mut most) = (vec![0; 1 << 20], 0, 0);
    loop {
        let n = socket.read(&mut buffer).expect("read");
        if n == 0 {
            break;
        }
        read += n as u64;
        most = most.max(memory());
    }
    assert!(read > length, "the whole file and its head: {read}");
    assert!(most < before + (40 << 10), "{before} kB before, {most} kB at most");
    let end = engine.client().request("GET", "/large.bin", &[("range", "bytes=-3")], b"");
    assert_eq!((end.status, end.body), (206, vec![0; 3]));
}

fn details(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]), (400, &json!("Validation failed")), "{body}");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let details = body["details"].as_array().expect("details").iter();
    details.map(|detail| format!("{}: {}", text(&detail["path"]), text(&detail["message"]))).collect()
}

#[test]
fn enforced_schemas_refuse_what_does_not_match() {
    let lax = ORDER
        .replace("'Order'", "'Lax'")
        .replace("'/orders'", "'/lax'")
        .replace("method: 'POST',", "method: 'POST', validation: 'off',");
    let project = Project::new(&[
        ("motia.config.ts", &config("validation: 'enforce'")),
        ("steps/order.step.ts", ORDER),
        ("steps/lax.step.ts", &lax),
    ]);
    let engine = project.start();
    let good = engine.post("/orders", r#"{"count": 10000000000000000000, "item": "tea", "more": 1.50}"#);
    assert_eq!(good.json()["raw"], r#"{"count": 10000000000000000000, "item": "tea", "more": 1.50}"#);
    assert_eq!(
        details(&engine.post("/orders", r#"{"item": "", "count": "many"}"#)),
        ["body.item: expected at least 1 character", "body.count: expected integer, got string"]
    );
    engine.wait_for("a request was refused: its body does not match bodySchema: body.item: expected at least 1 character; body.count: expected integer, got string");
    let send = |content_type: &str, body: &str| {
        engine.client().request("POST", "/orders", &[("content-type", content_type)], body.as_bytes())
    };
    // A form has texts only; what is no object is none, whatever it calls itself.
    assert_eq!(
        details(&send("application/x-www-form-urlencoded", "item=tea&count=2")),
        ["body.count: expected integer, got string"]
    );
    assert_eq!(details(&send("text/plain", r#"{"item": "tea", "count": 2}"#)), ["body: expected object, got string"]);
    assert_eq!(details(&engine.client().request("POST", "/orders", &[], b"")).len(), 2);
    // Bytes have no JSON form, and are no way around the schema.
    let opaque = "body: is a multipart form or bytes, which cannot be compared with the schema: send JSON (content-type: application/json)";
    assert_eq!(details(&send("application/octet-stream", "\u{1}")), [opaque]);
    assert_eq!(details(&send("multipart/form-data; boundary=x", "--x--")), [opaque]);
    let deep = format!("{{\"item\":\"tea\",\"count\":1,\"more\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    for broken in ["{\"item\"", deep.as_str(), r#"{"item":"\ud800","count":1}"#] {
        let answer = engine.post("/orders", broken);
        assert_eq!(answer.status, 400);
        assert!(answer.text().starts_with(r#"{"error":"the body is not valid JSON: "#), "{}", answer.text());
    }
    // A body that is long is checked too.
    let long = format!("{{\"item\": {}, \"count\": 1}}", "5".repeat(200_000));
    assert_eq!(engine.post("/orders", &long).status, 400);
    let long = json!({ "item": vec!["x"; 50_000], "count": 1 }).to_string();
    assert_eq!(details(&engine.post("/orders", &long)), ["body.item: expected string, got array"]);
    let list = json!({ "item": "x".repeat(200_000), "count": 1 }).to_string();
    assert_eq!(engine.post("/orders", &list).status, 200);
    assert_eq!(engine.post("/lax", r#"{"item": 5}"#).status, 200, "its own knob wins");
    // Nobody was called with anything else.
    assert!(!engine.output().contains("called with {\"item\":\"\""), "{}", engine.output());
}

#[test]
fn by_default_what_does_not_match_is_said_once_and_handled() {
    let broken = "
        export const config = {
          type: 'api', name: 'Broken', path: '/broken', method: 'POST', bodySchema: { $ref: '#/definitions/none' },
        }
        export const handler = async () => ({ status: 200, body: 'handled' })";
    let project = Project::new(&[("steps/order.step.ts", ORDER), ("steps/broken.step.ts", broken)]);
    let engine = project.dev();
    for count in ["\"many\"", "\"few\"", "true"] {
        let body = format!("{{\"item\": \"tea\", \"count\": {count}}}");
        assert_eq!(engine.post("/orders", &body).json()["raw"], body);
    }
    let said = "the data does not match bodySchema: body.count: expected integer, got string. \
                It is handled all the same; this is said once (validation: \"warn\")";
    engine.wait_for(said);
    // Another shape is said for itself.
    engine.wait_for("body.count: expected integer, got boolean. It is handled");
    assert_eq!(engine.output().matches("got string. It is handled").count(), 1, "{}", engine.output());
    assert_eq!(engine.post("/broken", "{}").text(), "handled");
    engine.wait_for("bodySchema cannot be used, so nothing is checked: Pointer '/definitions/none' does not exist");
}

#[test]
fn an_event_that_is_refused_is_a_dead_letter_at_once() {
    let project = Project::new(&[
        (
            "steps/emit.step.ts",
            "export const config = { type: 'api', name: 'Emit', path: '/emit', method: 'POST', emits: ['order'] }
             export const handler = async (req, { emit }) => {
               await emit({ topic: 'order', data: req.body })
               return { status: 200, body: 'emitted' }
             }",
        ),
        (
            "steps/strict.step.ts",
            "export const config = {
               type: 'event', name: 'Strict', subscribes: ['order'], validation: 'enforce',
               input: { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] },
             }
             export const handler = async ({ id }, { logger }) => logger.info(`strict got ${id}`)",
        ),
        (
            "steps/lenient.step.ts",
            "export const config = {
               type: 'event', name: 'Lenient', subscribes: ['order'], input: { type: 'object', required: ['name'] },
             }
             export const handler = async ({ id }, { logger }) => logger.info(`lenient got ${id}`)",
        ),
    ]);
    let engine = project.dev();
    assert_eq!(engine.post("/emit", r#"{"id": "x"}"#).text(), "emitted");
    engine.wait_for("the event is a dead letter at once, since trying again cannot help: its data does not match input: input.id: expected number, got string");
    engine.wait_for("lenient got x");
    engine.wait_for("the data does not match input: input.name: is missing");
    eventually("a dead letter is kept", || {
        let queues = engine.get("/__motia/queues").json();
        let strict = queues["queues"].as_array()?.iter().find(|queue| queue["step"] == "Strict")?.clone();
        (strict["dead"] == 1 && strict["waiting"] == 0).then_some(())
    });
    engine.post("/emit", r#"{"id": 5}"#);
    engine.wait_for("strict got 5");
    assert!(!engine.output().contains("strict got x"), "{}", engine.output());
}

#[test]
fn schemas_of_zod_are_enforced() {
    install("petstore");
    let project = Project::example("petstore");
    project.write("motia.config.ts", &config("validation: 'enforce'"));
    project.write(
        "steps/tree.step.ts",
        "import { z } from 'zod'
         const node = z.object({ name: z.string().email(), children: z.lazy(() => z.array(node)).optional() })
         const kinds = z.discriminatedUnion('kind', [
           z.object({ kind: z.literal('circle'), radius: z.number() }),
           z.object({ kind: z.literal('square'), side: z.number().nullable() }),
         ])
         export const config = {
           type: 'api', name: 'Tree', path: '/tree', method: 'POST',
           bodySchema: z.object({ node, shape: kinds.optional(), at: z.iso.datetime().optional() }).strict(),
         }
         export const handler = async () => ({ status: 200, body: 'ok' })",
    );
    let engine = project.start();
    let post = |body: Value| engine.post("/tree", &body.to_string());
    let leaf = json!({ "name": "ada@example.com", "children": [{ "name": "bob@example.com" }] });
    let at = "2026-01-01T00:00:00Z";
    let shape = json!({ "kind": "square", "side": null });
    assert_eq!(post(json!({ "node": leaf, "shape": shape, "at": at })).text(), "ok");
    let bad =
        json!({ "name": "ada@example.com", "children": [{ "name": "bob@example.com", "children": [{ "name": 5 }] }] });
    assert_eq!(
        details(&post(json!({ "node": bad }))),
        ["body.node.children[0].children[0].name: expected string, got number"]
    );
    assert_eq!(
        details(&post(json!({ "node": leaf, "shape": { "kind": "square", "side": "x" } }))),
        ["body.shape.side: expected number or null, got string"]
    );
    assert_eq!(details(&post(json!({ "node": leaf, "extra": 1 }))), ["body: has the unexpected member \"extra\""]);
    let nobody = json!({ "name": "no..body@example.com" });
    assert!(details(&post(json!({ "node": nobody })))[0].starts_with("body.node.name: does not match the pattern ^"));
    let pet = engine.client().request("POST", "/pets", &[("content-type", "application/json")], br#"{"name": "Max"}"#);
    assert_eq!(details(&pet), ["body.species: is missing", "body.ageMonths: is missing"]);
}
