//! What comes in, what goes out.

use std::io::{BufReader, Write};

use serde_json::{Value, json};

use crate::support::http::read_answer;
use crate::support::{Engine, Project};

/// Answers with the request as the handler sees it.
const ECHO: &str = "
    const show = (value) => Buffer.isBuffer(value) ? { buffer: value.toString('hex') } : value
    export const config = { type: 'api', name: 'Echo', path: '/echo/:a?', method: 'POST' }
    export const handler = async (req) => ({
      status: 200,
      body: { ...req, body: show(req.body), rawBody: show(req.rawBody), keys: Object.keys(req) },
    })";

fn echo() -> Engine {
    Project::new(&[("steps/echo.step.ts", ECHO)]).into_dev()
}

trait IntoDev {
    fn into_dev(self) -> Engine;
}

impl IntoDev for Project {
    /// The folder stays until the process of the test ends.
    fn into_dev(self) -> Engine {
        let engine = self.dev();
        std::mem::forget(self);
        engine
    }
}

fn send(engine: &Engine, content_type: &str, body: &[u8]) -> Value {
    let headers = if content_type.is_empty() { vec![] } else { vec![("content-type", content_type)] };
    let answer = engine.client().request("POST", "/echo", &headers, body);
    assert_eq!(answer.status, 200, "{content_type}: {}", answer.text());
    answer.json()
}

#[test]
fn a_request_has_the_original_shape() {
    let engine = echo();
    let answer = engine.client().request(
        "POST",
        "/Echo/x%20y/?q=1&q=2&arr[]=a&obj[k]=v&empty=&flag&p%20q=%26",
        &[("Content-Type", "application/json"), ("X-Multi", "a"), ("X-Multi", "b"), ("Cookie", "a=1; b=2")],
        br#"{"b": {"z": 1, "a": [1]}, "n": 1.50}"#,
    );
    let request = answer.json();
    assert_eq!(request["keys"], json!(["body", "headers", "pathParams", "queryParams", "rawBody"]));
    assert_eq!(request["pathParams"], json!({ "a": "x y" }));
    assert_eq!(
        request["queryParams"],
        json!({ "q": ["1", "2"], "arr": ["a"], "obj": { "k": "v" }, "empty": "", "flag": "", "p q": "&" })
    );
    assert_eq!(request["rawBody"], r#"{"b": {"z": 1, "a": [1]}, "n": 1.50}"#);
    assert_eq!((&request["headers"]["x-multi"], &request["headers"]["cookie"]), (&json!("a, b"), &json!("a=1; b=2")));
}

#[test]
fn every_kind_of_body_reaches_the_handler() {
    let engine = echo();
    assert_eq!(send(&engine, "", b"")["body"], json!({}));
    assert_eq!(send(&engine, "application/json", b"")["body"], json!({}));
    assert_eq!(send(&engine, "application/vnd.api+json", b"[1]")["body"], json!([1]));
    let form = send(&engine, "application/x-www-form-urlencoded", b"a=1&b[c]=x+y&payload=%7B%22k%22%3A1%7D");
    assert_eq!(form["body"], json!({ "a": "1", "b": { "c": "x y" }, "payload": "{\"k\":1}" }));
    assert_eq!(form["rawBody"], "a=1&b[c]=x+y&payload=%7B%22k%22%3A1%7D");
    assert_eq!(send(&engine, "text/plain", "grüße 🐾".as_bytes())["body"], "grüße 🐾");
    assert_eq!(send(&engine, "text/plain; charset=iso-8859-1", b"gr\xfc\xdfe")["body"], "grüße");
    let binary = send(&engine, "application/octet-stream", b"\x00\xff\x01");
    assert_eq!((&binary["body"], &binary["rawBody"]), (&json!({ "buffer": "00ff01" }), &json!({ "buffer": "00ff01" })));
    assert_eq!(send(&engine, "image/png", b"text")["rawBody"], "text");
    let multipart = "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n2\r\n--x--\r\n";
    assert_eq!(
        send(&engine, "multipart/form-data; boundary=x", multipart.as_bytes())["body"],
        json!({ "a": ["1", "2"] })
    );
}

#[test]
fn files_of_a_form_are_files() {
    let engine = Project::new(&[(
        "steps/upload.step.ts",
        "export const config = { type: 'api', name: 'Upload', path: '/upload', method: 'POST' }
         export const handler = async (req) => {
           const { file, note } = req.body
           return { status: 200, body: { name: file.name, type: file.type, size: file.size, text: await file.text(), note } }
         }",
    )])
    .into_dev();
    let body = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a b.txt\"\r\ncontent-type: text/plain\r\n\r\nhello\r\n--b\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nn\r\n--b--\r\n";
    let answer = engine.client().request(
        "POST",
        "/upload",
        &[("content-type", "multipart/form-data; boundary=b")],
        body.as_bytes(),
    );
    assert_eq!(
        answer.json(),
        json!({ "name": "a b.txt", "type": "text/plain", "size": 5, "text": "hello", "note": "n" })
    );
}

#[test]
fn a_signature_over_the_parsed_body_equals_one_over_the_wire() {
    let engine = Project::new(&[(
        "steps/hook.step.ts",
        "import { createHmac } from 'crypto'
         export const config = { type: 'api', name: 'Hook', path: '/hook', method: 'POST',
           bodySchema: { type: 'object', properties: { a: { type: 'number' } }, additionalProperties: false } }
         const sign = (text) => createHmac('sha256', 'secret').update(text).digest('hex')
         export const handler = async (req) => ({
           status: 200, body: { parsed: sign(JSON.stringify(req.body)), raw: sign(req.rawBody) } })",
    )])
    .into_dev();
    let body = r#"{"zeta":1,"alpha":{"y":[1,2,{"b":null}],"x":"ü🐾"},"10":"ten","unknown":true,"a":"not a number"}"#;
    // Numeric keys come first in JavaScript: a sender in JavaScript has them first too.
    let body = body.replace("\"10\":\"ten\",", "").replacen('{', "{\"10\":\"ten\",", 1);
    let answer = engine.post("/hook", &body).json();
    assert_eq!(answer["parsed"], answer["raw"]);
}

#[test]
fn compressed_bodies_are_unpacked() {
    let engine = echo();
    let json = br#"{"hello":"compressed"}"#;
    for (encoding, script) in
        [("gzip", "zlib.gzipSync"), ("deflate", "zlib.deflateSync"), ("br", "zlib.brotliCompressSync")]
    {
        let script = format!("process.stdout.write({script}(Buffer.from(process.argv[1])))");
        let packed = std::process::Command::new("node")
            .args(["-e", &script, std::str::from_utf8(json).expect("text")])
            .output()
            .expect("node runs")
            .stdout;
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        let answer = engine.client().request("POST", "/echo", &headers, &packed);
        assert_eq!(answer.json()["body"], json!({ "hello": "compressed" }), "{encoding}");
        let broken = engine.client().request("POST", "/echo", &headers, b"not compressed");
        assert_eq!(broken.status, 400, "{encoding}: {}", broken.text());
    }
    let unknown = [("content-type", "application/json"), ("content-encoding", "zstd")];
    assert_eq!(engine.client().request("POST", "/echo", &unknown, json).status, 415);
}

#[test]
fn bad_requests_have_clear_answers_and_the_next_one_works() {
    let engine = echo();
    let client = engine.client();
    let json = [("content-type", "application/json")];
    let malformed = client.request("POST", "/echo", &json, b"{\"a\":");
    assert_eq!(malformed.status, 400);
    assert!(
        malformed.json()["error"].as_str().expect("text").starts_with("the body is not valid JSON"),
        "{}",
        malformed.text()
    );
    assert!(malformed.header("x-trace-id").is_some());
    assert!(!malformed.text().contains("at "), "no stack: {}", malformed.text());
    assert_eq!(client.request("POST", "/echo", &json, b"5").status, 400);
    assert_eq!(
        client.request("POST", "/echo", &[("content-type", "application/json; charset=utf-7")], b"{}").status,
        415
    );
    assert_eq!(client.request("POST", "/echo", &[("content-type", "text/plain; charset=klingon")], b"x").status, 415);
    assert_eq!(client.request("POST", "/echo/%ff", &json, b"{}").status, 400);
    assert_eq!(client.request("POST", "/echo/%00", &json, b"{}").json()["pathParams"]["a"], "\0");
    assert_eq!(client.request("POST", "/echo/..", &json, b"{}").json()["pathParams"]["a"], "..");
    assert_eq!(client.request("GET", "/../../etc/passwd", &[], b"").status, 404);
    for answer in [
        client.request("POST", "/echo", &[("content-type", "text/plain; charset=klingon")], b"x"),
        client.request("POST", "/echo/%ff", &json, b"{}"),
        client.request("GET", "/nowhere", &[], b""),
    ] {
        assert!(answer.header("x-trace-id").is_some(), "{answer:?}");
    }
    engine.wait_for("a request was refused: unsupported charset \"klingon\"");
    let names: Vec<String> = (0..200).map(|n| format!("x-{n}")).collect();
    let some: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(client.request("POST", "/echo", &some, b"").status, 200);
    let wrong = client.request("GET", "/echo", &[], b"");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    assert_eq!(client.request("BREW", "/echo", &[], b"").status, 404);

    let names: Vec<String> = (0..10_000).map(|n| format!("x-{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(client.request("POST", "/echo", &many, b"").status, 431);
    assert_eq!(client.request("POST", "/echo", &[("x-large", &"x".repeat(2_000_000))], b"").status, 431);

    let mut cut = client.connect();
    cut.write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nonly this").expect("sent");
    drop(cut);
    assert_eq!(client.request("POST", "/echo", &json, b"{}").status, 200);
}

#[test]
fn bodies_over_the_limit_are_refused_and_large_ones_pass() {
    let engine = echo();
    let text = [("content-type", "text/plain")];
    let large = "x".repeat(9 << 20);
    let answer = engine.client().request("POST", "/echo", &text, large.as_bytes());
    assert_eq!(answer.json()["body"].as_str().expect("text").len(), large.len());
    let too_large = vec![b'x'; 11 << 20];
    let refused = engine.client().request("POST", "/echo", &text, &too_large);
    assert_eq!(refused.status, 413);
    assert!(
        refused.json()["error"].as_str().expect("text").contains("10485760 bytes (bodyLimit"),
        "{}",
        refused.text()
    );

    let project =
        Project::new(&[("steps/echo.step.ts", ECHO), ("motia.config.js", "module.exports = { bodyLimit: '30mb' }")]);
    let engine = project.dev();
    let large = "y".repeat(20 << 20);
    let answer = engine.client().request("POST", "/echo", &text, large.as_bytes());
    assert_eq!(answer.json()["rawBody"].as_str().expect("text").len(), large.len());
}

const ANSWERS: &str = "
    export const config = { type: 'api', name: 'Answers', path: '/answer/:kind', method: 'GET' }
    const circular: any = {}; circular.self = circular
    const answers: Record<string, () => any> = {
      throws: () => { throw new Error('no') },
      throwsText: () => { throw 'just text' },
      nothing: () => undefined,
      null: () => null,
      number: () => 5,
      string: () => 'text',
      noStatus: () => ({ body: {} }),
      status99: () => ({ status: 99, body: {} }),
      status100: () => ({ status: 100, body: {} }),
      status1000: () => ({ status: 1000, body: {} }),
      statusText: () => ({ status: 'abc', body: {} }),
      circular: () => ({ status: 200, body: circular }),
      bigint: () => ({ status: 200, body: { n: 1n } }),
      badHeader: () => ({ status: 200, headers: { 'bad name': 'x' }, body: {} }),
      splitHeader: () => ({ status: 200, headers: { 'x-a': 'a\\r\\nx-b: b' }, body: {} }),
      lies: () => ({ status: 200, headers: { 'content-length': '1', 'transfer-encoding': 'chunked' }, body: { all: 'of it' } }),
      noBody: () => ({ status: 201 }),
      textStatus: () => ({ status: '202', body: { a: undefined, d: new Date(0), n: NaN, m: new Map() } }),
      textBody: () => ({ status: 200, body: '<p>hi</p>' }),
      ownType: () => ({ status: 200, headers: { 'Content-Type': 'text/csv' }, body: 'a,b' }),
      buffer: () => ({ status: 200, headers: { 'content-type': 'image/png' }, body: Buffer.from([0, 255, 1]) }),
      bytes: () => ({ status: 200, body: new Uint8Array([1, 2]) }),
      nullBody: () => ({ status: 200, body: null }),
      list: () => ({ status: 200, body: [1, 'a'] }),
      cookies: () => ({ status: 200, headers: { 'Set-Cookie': ['a=1', 'b=2'], 'x-n': 5 }, body: {} }),
      empty204: () => ({ status: 204, body: { no: 'body' } }),
      empty304: () => ({ status: 304, body: 'no' }),
      redirect: () => ({ status: 302, headers: { location: '/elsewhere' }, body: null }),
      large: () => ({ status: 200, body: 'x'.repeat(5_000_000) }),
      response: () => new Response('web', { status: 203, headers: { 'x-web': '1' } }),
    }
    export const handler = async (req) => answers[req.pathParams.kind]()";

#[test]
fn every_answer_of_a_handler_has_its_response() {
    let engine = Project::new(&[("steps/answers.step.ts", ANSWERS)]).into_dev();
    for kind in [
        "throws",
        "throwsText",
        "nothing",
        "null",
        "number",
        "string",
        "noStatus",
        "status99",
        "status100",
        "status1000",
        "statusText",
        "circular",
        "bigint",
        "badHeader",
        "splitHeader",
    ] {
        engine.mark();
        let answer = engine.get(&format!("/answer/{kind}"));
        assert_eq!((answer.status, answer.text().as_str()), (500, r#"{"error":"Internal server error"}"#), "{kind}");
        let trace = answer.header("x-trace-id").expect("a trace id");
        let line = engine.wait_for(trace);
        assert!(line.contains("[ERROR] Answers"), "{kind}: {line}");
    }
    let get = |kind: &str| engine.get(&format!("/answer/{kind}"));
    assert_eq!((get("lies").status, get("lies").json()), (200, json!({ "all": "of it" })));
    assert_eq!((get("noBody").status, get("noBody").body.len()), (201, 0));
    assert_eq!(
        (get("textStatus").status, get("textStatus").text()),
        (202, r#"{"d":"1970-01-01T00:00:00.000Z","n":null,"m":{}}"#.into())
    );
    assert_eq!(
        (get("textBody").text().as_str(), get("textBody").header("content-type")),
        ("<p>hi</p>", Some("text/html; charset=utf-8"))
    );
    assert_eq!((get("ownType").text().as_str(), get("ownType").header("content-type")), ("a,b", Some("text/csv")));
    assert_eq!((get("buffer").body, get("buffer").header("content-type")), (vec![0, 255, 1], Some("image/png")));
    assert_eq!(get("bytes").body, [1, 2]);
    assert_eq!((get("nullBody").text().as_str(), get("list").text().as_str()), ("null", r#"[1,"a"]"#));
    let cookies = get("cookies");
    let set: Vec<_> =
        cookies.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str()).collect();
    assert_eq!((set, cookies.header("x-n")), (vec!["a=1", "b=2"], Some("5")));
    for status in [204, 304] {
        let answer = get(&format!("empty{status}"));
        assert_eq!((answer.status, answer.body.len(), answer.header("content-type")), (status, 0, None));
    }
    assert_eq!((get("redirect").status, get("redirect").header("location")), (302, Some("/elsewhere")));
    assert_eq!(get("large").body.len(), 5_000_000);
    let web = get("response");
    assert_eq!((web.status, web.text().as_str(), web.header("x-web")), (203, "web", Some("1")));
}

#[test]
fn a_kept_connection_serves_many_requests_and_head_has_no_body() {
    let engine = Project::new(&[("steps/answers.step.ts", ANSWERS)]).into_dev();
    let mut stream = BufReader::new(engine.client().connect());
    for _ in 0..3 {
        // Two at once: pipelined.
        stream
            .get_mut()
            .write_all(b"GET /answer/list HTTP/1.1\r\nhost: x\r\n\r\nHEAD /answer/list HTTP/1.1\r\nhost: x\r\n\r\n")
            .expect("sent");
        assert_eq!(read_answer(&mut stream, false).expect("an answer").text(), r#"[1,"a"]"#);
        let head = read_answer(&mut stream, true).expect("an answer");
        assert_eq!((head.status, head.header("content-length")), (200, Some("7")));
    }
}

#[test]
fn middleware_runs_around_the_handler() {
    let engine = Project::new(&[
        (
            "middlewares/all.ts",
            "import type { ApiMiddleware } from 'motia'
             export const auth = ({ required }: { required: boolean }): ApiMiddleware => async (req, ctx, next) => {
               if (required && !req.headers.authorization) return { status: 401, body: { error: 'Unauthorized' } };
               (req as any).user = req.headers.authorization;
               (ctx as any).extra = 'ctx'
               return next()
             }
             export const stamp: ApiMiddleware = async (req, ctx, next) => {
               const response = await next()
               return { ...response, headers: { ...response.headers, 'x-stamp': ctx.traceId }, body: { ...(response.body as any), stamped: true } }
             }
             export const guard: ApiMiddleware = async (req, ctx, next) => {
               try { return await next() } catch (error) { return { status: 418, body: { caught: (error as Error).message } } }
             }",
        ),
        (
            "steps/me.step.ts",
            "import { auth, stamp, guard } from '../middlewares/all'
             export const config = { type: 'api', name: 'Me', path: '/me', method: 'GET', middleware: [stamp, guard, auth({ required: true })] }
             export const handler = async (req, ctx) => {
               if (req.queryParams.fail) throw new Error('inside')
               return { status: 200, body: { user: req.user, extra: ctx.extra } }
             }",
        ),
    ])
    .into_dev();
    let denied = engine.get("/me");
    assert_eq!((denied.status, denied.json()), (401, json!({ "error": "Unauthorized", "stamped": true })));
    let asked = |path| engine.client().request("GET", path, &[("authorization", "ada")], b"");
    let allowed = asked("/me");
    assert_eq!(allowed.json(), json!({ "user": "ada", "extra": "ctx", "stamped": true }));
    assert_eq!(allowed.header("x-stamp"), allowed.header("x-trace-id"));
    assert_eq!(
        (asked("/me?fail=1").status, asked("/me?fail=1").json()),
        (418, json!({ "caught": "inside", "stamped": true }))
    );
}

#[test]
fn traceparent_comes_in_and_goes_out() {
    let engine = echo();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = engine.client().request("POST", "/echo", &[("traceparent", parent)], b"");
    assert_eq!(answer.header("traceparent").expect("one")[..35], parent[..35]);
    let own = engine.client().request("POST", "/echo", &[("traceparent", "nonsense")], b"");
    assert!(own.header("traceparent").expect("one").starts_with("00-"));
}

#[test]
fn browsers_of_this_machine_may_read_in_dev_and_all_may_in_start() {
    let project = Project::new(&[
        ("steps/answers.step.ts", ANSWERS),
        (
            "steps/options.step.ts",
            "export const config = { type: 'api', name: 'Options', path: '/own', method: 'OPTIONS' }
             export const handler = async () => ({ status: 200, body: 'mine' })",
        ),
    ]);
    let ask = |engine: &Engine, method: &str, path: &str, origin: &str| {
        let answer = engine.client().request(method, path, &[("origin", origin)], b"");
        (answer.status, answer.header("access-control-allow-origin").map(str::to_owned))
    };
    let engine = project.dev();
    assert_eq!(
        ask(&engine, "GET", "/answer/list", "http://localhost:5173"),
        (200, Some("http://localhost:5173".into()))
    );
    assert_eq!(ask(&engine, "GET", "/answer/list", "https://a.example"), (200, None));
    assert_eq!(ask(&engine, "OPTIONS", "/answer/list", "http://localhost:5173").0, 204);
    assert_eq!(engine.client().request("OPTIONS", "/own", &[], b"").text(), "mine");
    drop(engine);
    let engine = project.start();
    assert_eq!(ask(&engine, "GET", "/answer/throws", "https://a.example"), (500, Some("*".into())));
    assert_eq!(ask(&engine, "OPTIONS", "/nowhere", "https://a.example"), (204, Some("*".into())));
}

#[test]
fn a_large_upload_is_held_once_by_its_worker() {
    let held = "
        export const config = { type: 'api', name: 'Held', path: '/held', method: 'POST' }
        export const handler = async (req) => {
          const { length } = req.body
          return { status: 200, body: { length, held: process.memoryUsage().arrayBuffers, raw: req.rawBody === req.body } }
        }";
    let limit = ("motia.config.ts", "export default { bodyLimit: '100mb' }");
    let project = Project::new(&[("steps/held.step.ts", held), limit]);
    let engine = project.dev();
    let length = 64 << 20;
    let answer = engine.client().request("POST", "/held", &[], &vec![0xff; length]);
    let seen = answer.json();
    assert_eq!((&seen["length"], &seen["raw"]), (&length.into(), &true.into()), "{seen}");
    // Beside it there are only frames that have been read and not yet collected.
    assert!(seen["held"].as_u64().expect("bytes") < 2 * length as u64, "{seen}");
}
