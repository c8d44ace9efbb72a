//! The API reference, the guides and the example pages.

use serde_json::json;

use super::documentation::Part::{Own, Printed};
use super::documentation::documentation;
use super::{emit, pydantic, steps, until, write_printed};
use crate::support::Project;

/// Shows and sets what is in the state.
const STATE: (&str, &str) = (
    "steps/state_step.py",
    "config = {'type': 'api', 'name': 'State', 'path': '/state/:group', 'method': 'GET'}

async def handler(req, ctx):
    return {'status': 200, 'body': await ctx.state.get_group(req.path_params.group)}
",
);

const SET_STATE: (&str, &str) = (
    "steps/set_state_step.py",
    "config = {'type': 'api', 'name': 'SetState', 'path': '/state/:group', 'method': 'POST'}

async def handler(req, ctx):
    for item in req.body:
        await ctx.state.set(req.path_params.group, item.id, item)
    return {'status': 204}
",
);

/// A step that says which events of a topic it saw.
fn listener(topic: &str) -> String {
    format!(
        "config = {{'type': 'event', 'name': 'Saw {topic}', 'subscribes': ['{topic}']}}

async def handler(input, ctx):
    ctx.logger.info('saw {topic}', {{'input': input}})
    await ctx.state.set('{topic}', 'last', input)
"
    )
}

#[test]
fn concepts() {
    let Some(documentation) = documentation() else { return };
    let project = Project::new(&[STATE]);
    write_printed(&project, &documentation, &[2172, 2457, 2544, 5325, 5400]);
    // These have no titles.
    for line in [2676, 2754, 2826] {
        project.write(&format!("steps/l{line}_step.py"), documentation.code(line));
    }
    for topic in ["task.done", "message.processed"] {
        project.write(&format!("steps/{topic}_step.py"), &listener(topic));
    }
    let engine = project.dev();
    let answer = engine.post("/endpoint", "{}");
    assert_eq!((answer.status, answer.json()), (200, json!({ "success": true })));
    engine.wait_for("saw task.done");
    assert_eq!(engine.get("/hello").json(), json!({ "message": "Hello world!" }));
    engine.wait_for("Hello endpoint called");
    assert_eq!(engine.get("/users/7").json(), json!({ "id": "7", "name": "John" }));
    assert_eq!(engine.post("/messages", r#"{"text":"Hi"}"#).json(), json!({ "ok": true }));
    engine.wait_for("Processing message:");
    // The input is emitted as it came.
    until(&engine, "/state/message.processed", "the next event", |items| items[0]["text"] == "Hi");
    project.motia(&["cron", "run", "DailyCleanup"]);
    engine.wait_for("Running daily cleanup");
    let created = engine.post("/resources", r#"{"title":"A resource","email":"a@example.com"}"#);
    assert_eq!((created.status, created.json()), (201, json!({ "id": "123" })));
    engine.wait_for("Sending email");
    engine.wait_for("a@example.com");
}

#[test]
fn reference() {
    let Some(documentation) = documentation() else { return };
    let own = |config: &'static str, line| documentation.file(&[Own(config), Printed(line)]);
    let project = Project::new(&[
        STATE,
        SET_STATE,
        ("steps/daily_report_step.py", &documentation.file(&[Printed(422), Printed(1110)])),
        ("steps/manual_approval_step.py", documentation.code(495)),
        (
            "steps/trace_step.py",
            &own("config = {'type': 'api', 'name': 'Trace', 'path': '/trace', 'method': 'GET'}", 849),
        ),
        (
            "steps/user_step.py",
            &own("config = {'type': 'api', 'name': 'User', 'path': '/users/:id', 'method': 'PUT'}", 1282),
        ),
        (
            "steps/accept_order_step.py",
            &own("config = {'type': 'event', 'name': 'Accept', 'subscribes': ['order.accepted']}", 1025),
        ),
        ("steps/processed_step.py", &listener("order.processed")),
    ]);
    let engine = project.dev();
    let traced = engine.get("/trace");
    assert_eq!(traced.header("x-trace-id"), traced.json()["trace_id"].as_str());
    let user = engine.client().request(
        "PUT",
        "/users/7?page=1",
        &[("content-type", "application/json")],
        br#"{"name":"Ann"}"#,
    );
    assert_eq!(user.json(), json!({ "user_id": "7", "name": "Ann" }));
    let approval = steps(&engine).into_iter().find(|step| step["name"] == "ManualApproval").expect("registered");
    assert_eq!(approval["type"], "noop");

    engine.post("/state/orders", r#"[{"id":"old","created_at":1000},{"id":"new","created_at":99999999999}]"#);
    project.motia(&["cron", "run", "DailyReport"]);
    engine.wait_for("Running daily cleanup");
    until(&engine, "/state/orders", "the old order is gone", |orders| orders.as_array().map(Vec::len) == Some(1));
    emit(&project, "order.accepted", &json!({ "order_id": "o-1", "amount": 9.5 }));
    engine.wait_for("saw order.processed");
    let orders = engine.get("/state/orders").json();
    let processed = json!({ "id": "o-1", "amount": 9.5, "status": "processed" });
    assert!(orders.as_array().expect("a group").contains(&processed), "{orders}");
}

#[test]
fn reference_with_pydantic() {
    let Some(documentation) = documentation() else { return };
    let project = Project::new(&[STATE]);
    if !pydantic(&project) {
        return;
    }
    project.write("steps/create_user_step.py", &documentation.file(&[Printed(1191), Printed(217), Printed(929)]));
    project.write("steps/process_order_step.py", &documentation.file(&[Printed(320), Printed(1025)]));
    write_printed(&project, &documentation, &[1416]);
    project.write("steps/processed_step.py", &listener("order.processed"));
    project.write("steps/created_step.py", &listener("user.created"));
    let engine = project.dev();

    let steps = steps(&engine);
    let step = |name: &str| steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("{name}"));
    // The keys of responses are numbers in Python.
    let response = &step("CreateUser")["responseSchema"]["201"];
    assert_eq!((&response["title"], &response["required"]), (&json!("UserResponse"), &json!(["id", "name"])));
    assert_eq!(step("CreateUser")["queryParams"], json!([{ "name": "invite", "description": "Invite code" }]));
    let order = step("ProcessOrder");
    assert_eq!(order["input"]["properties"]["amount"]["type"], "number");
    assert_eq!(order["infrastructure"]["queue"]["type"], "fifo");
    assert_eq!(order["infrastructure"]["handler"]["timeout"], 60.0);
    assert_eq!(engine.get("/__motia/steps").json()["streams"][0]["name"], "chatMessages");

    let refused = engine.post("/users", r#"{"name":"Ann","email":"a@example.com"}"#);
    assert_eq!((refused.status, refused.json()), (401, json!({ "error": "Unauthorized" })));
    let headers = [("content-type", "application/json"), ("authorization", "Bearer x")];
    let made = engine.client().request("POST", "/users", &headers, br#"{"name":"Ann","email":"a@example.com"}"#);
    let body = made.json();
    assert_eq!((made.status, &body["name"], &body["email"]), (201, &json!("Ann"), &json!("a@example.com")));
    assert_eq!(made.header("x-request-id"), made.header("x-trace-id"));
    engine.wait_for("saw user.created");
    project.motia(&["emit", "order.created", "--group", "g", "-m", r#"{"order_id":"o-1","amount":1}"#]);
    engine.wait_for("saw order.processed");
    assert_eq!(engine.get("/state/orders").json()[0]["status"], "processed");
}

#[test]
fn middleware() {
    let Some(documentation) = documentation() else { return };
    let step = |name: &str, middleware: &str, handler: &str| {
        format!(
            "config = {{'type': 'api', 'name': '{name}', 'path': '/{name}', 'method': 'GET', 'middleware': [{middleware}]}}\n{handler}"
        )
    };
    let answers =
        "async def handler(req, context):\n    return {'status': 200, 'body': {}, 'headers': {'x-own': 'a'}}\n";
    let raises = "async def handler(req, context):\n    raise {'invalid': ValidationError, 'broken': OSError}[req.query_params.how]('no')\n";
    let project = Project::new(&[
        ("steps/protected_step.py", documentation.code(6001)),
        (
            "steps/headers_step.py",
            &documentation.file(&[Printed(6079), Own(&step("headers", "add_headers_middleware", answers))]),
        ),
        ("steps/user_step.py", &documentation.file(&[Printed(6156), Own(&step("user", "auth_middleware", ""))])),
        (
            "steps/errors_step.py",
            &documentation.file(&[
                Own("class ValidationError(Exception): pass"),
                Printed(6216),
                Own(&step("errors", "error_middleware", raises)),
            ]),
        ),
    ]);
    let engine = project.dev();
    let refused = engine.get("/protected");
    assert_eq!((refused.status, refused.json()), (401, json!({ "error": "Unauthorized" })));
    let allowed = engine.client().request("GET", "/protected", &[("Authorization", "Bearer x")], b"");
    assert_eq!((allowed.status, allowed.json()), (200, json!({ "message": "Success" })));
    let answer = engine.get("/headers");
    assert_eq!((answer.status, answer.header("x-own")), (200, Some("a")));
    assert_eq!(answer.header("x-request-id"), answer.header("x-trace-id"));
    assert_eq!(engine.get("/user").json(), json!({ "user": { "id": "123", "role": "admin" } }));
    let invalid = engine.get("/errors?how=invalid");
    assert_eq!((invalid.status, invalid.json()), (400, json!({ "error": "Validation failed" })));
    engine.wait_for("Validation error");
    let broken = engine.get("/errors?how=broken");
    assert_eq!((broken.status, broken.json()), (500, json!({ "error": "Internal server error" })));
    engine.wait_for("Unexpected error");
}

#[test]
fn state_management() {
    let Some(documentation) = documentation() else { return };
    let own = |config: &'static str, line| documentation.file(&[Own(config), Printed(line)]);
    let project = Project::new(&[
        STATE,
        (
            "steps/create_step.py",
            &own(
                "config = {'type': 'api', 'name': 'Create', 'path': '/orders', 'method': 'POST', 'emits': ['order.created']}",
                7841,
            ),
        ),
        (
            "steps/pay_step.py",
            &own(
                "config = {'type': 'event', 'name': 'Pay', 'subscribes': ['order.created'], 'emits': ['payment.completed']}",
                7935,
            ),
        ),
        (
            "steps/report_step.py",
            &own("config = {'type': 'cron', 'name': 'Report', 'cron': '0 0 * * *', 'emits': []}", 8011),
        ),
        (
            "steps/all_step.py",
            &own("config = {'type': 'event', 'name': 'All', 'subscribes': ['all'], 'emits': ['done']}", 7737),
        ),
        ("steps/paid_step.py", &listener("payment.completed")),
    ]);
    let engine = project.dev();
    let created = engine.post("/orders", r#"{"items":["a"],"total":3}"#);
    assert_eq!((created.status, &created.json()["status"]), (201, &json!("pending")));
    engine.wait_for("saw payment.completed");
    let orders = engine.get("/state/orders").json();
    assert_eq!((&orders[0]["status"], &orders[0]["items"]), (&json!("paid"), &json!(["a"])));
    project.motia(&["cron", "run", "Report"]);
    engine.wait_for("Daily order report");
    engine.wait_for("pending: 0");
    emit(&project, "all", &json!({}));
    until(&engine, "/state/orders", "the group is cleared", |orders| orders == &json!([]));
}

#[test]
fn logs_and_environment() {
    let Some(documentation) = documentation() else { return };
    let order = "config = {'type': 'event', 'name': 'Order', 'subscribes': ['order']}";
    let project = Project::new(&[
        ("steps/order_step.py", &documentation.file(&[Own(order), Printed(6346)])),
        ("steps/my-step.step.py", documentation.code(5185)),
        (".env", "OPENAI_API_KEY=a-key\n"),
    ]);
    let large = json!({ "id": "o-1", "total": 2000, "payment_method": "card" });
    let engine = project.dev();
    emit(&project, "order", &large);
    for line in ["Processing order", "Order created", "Payment failed", "Large order"] {
        engine.wait_for(line);
    }
    // `charge_card` is not the page's.
    engine.wait_for("name 'charge_card' is not defined");
    emit(&project, "data.received", &json!({}));
    engine.wait_for("Processing with API key");
    assert!(!engine.output().contains("Raw input"), "{}", engine.output());
    drop(engine);

    project.remove(".env");
    let engine = project.run_with(&["dev", "--port", "0", "--debug"], &[("OPENAI_API_KEY", "")]);
    emit(&project, "order", &large);
    engine.wait_for("Raw input");
    emit(&project, "data.received", &json!({}));
    engine.wait_for("Missing OPENAI_API_KEY");
    engine.wait_for("steps/my-step.step.py\", line 15");
}

#[test]
fn fifo() {
    let Some(documentation) = documentation() else { return };
    let handler = "import asyncio

async def handler(input, ctx):
    await asyncio.sleep(0.05)
    ctx.logger.info(f'order {input.orderId} of {input.customerId}')
";
    let order =
        "config = {'type': 'api', 'name': 'Order', 'path': '/orders', 'method': 'POST', 'emits': ['order.created']}";
    let project = Project::new(&[
        ("steps/process_order_step.py", &documentation.file(&[Printed(5811), Own(handler)])),
        ("steps/order_step.py", &documentation.file(&[Own(order), Printed(5865)])),
    ]);
    let engine = project.dev();
    let fifo = steps(&engine).into_iter().find(|step| step["name"] == "ProcessOrder").expect("registered");
    assert_eq!(fifo["infrastructure"]["queue"]["type"], "fifo");
    for order in 0..5 {
        // It returns nothing, which is no response; what it emitted stays emitted.
        assert_eq!(engine.post("/orders", &json!({ "orderId": order, "customerId": "c" }).to_string()).status, 500);
    }
    engine.wait_for("order 4 of c");
    let output = engine.output();
    let seen: Vec<_> = output.lines().filter_map(|line| line.split_once("order ")?.1.strip_suffix(" of c")).collect();
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
}

/// The step of L15196, in a file with a hyphen in its name. The rest of the pipeline is TypeScript and JavaScript.
#[test]
fn multi_language() {
    let Some(documentation) = documentation() else { return };
    let project = Project::new(&[
        STATE,
        ("steps/simple-python_step.py", documentation.code(15196)),
        ("steps/done_step.py", &listener("python.done")),
    ]);
    let engine = project.dev();
    let data =
        json!({ "original_id": 17, "processed_at": "now", "result": "Processed: {\"a\": 1}", "confidence": 0.95 });
    emit(&project, "data.processed", &data);
    engine.wait_for("Python processing data for ID: 17");
    engine.wait_for("✅ Python processing completed in");
    let done = until(&engine, "/state/python.done", "the next step", |done| done[0]["id"] == 17)[0].clone();
    assert_eq!(done["python_message"], "Python processed: Processed: {\"a\": 1}");
    assert_eq!(done["processed_by"], json!(["appStarter", "appBridge", "ProcessDataPython"]));
    assert_eq!((&done["analysis"]["word_count"], &done["analysis"]["character_count"]), (&json!(3), &json!(19)));
    assert!(done["processing_time"].is_number(), "{done}");
}

/// Stands in for docling: every file has two pages and two chunks, unless it is said to be broken or empty.
pub(super) const DOCLING: [(&str, &str); 5] = [
    ("docling/__init__.py", ""),
    (
        "docling/document_converter.py",
        "class PdfFormatOption:
    def __init__(self, pipeline_options): pass

class Result: pass

class DocumentConverter:
    def __init__(self, format_options): pass
    def convert(self, path):
        if 'broken' in path:
            raise ValueError('no PDF')
        result = Result()
        result.document = Result()
        result.document.pages = {1: path, 2: path}
        return result
",
    ),
    (
        "docling/chunking.py",
        "class Chunk:
    def __init__(self, text): self.text = text

class HybridChunker:
    def __init__(self, **settings): pass
    def chunk(self, document): return iter([Chunk(f'{path} {page}') for page, path in document.pages.items()])
",
    ),
    ("docling/datamodel/base_models.py", "class InputFormat:\n    PDF = 'pdf'\n"),
    ("docling/datamodel/pipeline_options.py", "class PdfPipelineOptions:\n    def __init__(self, **settings): pass\n"),
];

/// L16478 has no config, which the page does not print. It is no coroutine, takes its context by key, and awaits no emit.
#[test]
fn rag() {
    let Some(documentation) = documentation() else { return };
    let config = "config = {'type': 'event', 'name': 'process-pdfs', 'subscribes': ['rag.process.pdfs'], 'emits': ['rag.load.weaviate']}";
    let project = Project::new(&DOCLING);
    project.write("steps/process-pdfs.step.py", &documentation.file(&[Printed(16478), Own(config)]));
    project.write("steps/load_step.py", &listener("rag.load.weaviate"));
    project.write(STATE.0, STATE.1);
    let engine = project.dev();
    let file = |name: &str| json!({ "filePath": format!("/docs/{name}"), "fileName": name });
    emit(&project, "rag.process.pdfs", &json!({ "files": [file("a.pdf"), file("broken.pdf")], "streamId": "s" }));
    engine.wait_for("Error processing broken.pdf: no PDF");
    engine.wait_for("Total chunks generated: 2");
    let loaded = until(&engine, "/state/rag.load.weaviate", "the next step", |loaded| loaded[0].is_object());
    assert_eq!((&loaded[0]["totalFiles"], &loaded[0]["totalChunks"]), (&json!(2), &json!(2)));
    assert_eq!(loaded[0]["chunks"][1]["chunk_id"], "a.pdf_chunk_1");
    emit(&project, "rag.process.pdfs", &json!({ "files": [] }));
    engine.wait_for("No chunks generated from PDF processing");
}

/// Stands in for python-chess and Stockfish: what a position is worth is its length.
pub(super) const CHESS: [(&str, &str); 2] = [
    (
        "chess/__init__.py",
        "class Move:
    def __init__(self, name): self.name = name
    def uci(self): return self.name
    @staticmethod
    def from_uci(name): return Move(name)

class Board:
    def __init__(self, fen): self.fen = fen
    def push(self, move): self.fen += move.name * 50
",
    ),
    (
        "chess/engine.py",
        "import chess

INFO_ALL = 31

class SimpleEngine: pass

class Limit:
    def __init__(self, time): self.time = time

class Score:
    def __init__(self, worth): self.worth = worth
    def white(self): return self
    def black(self): return Score(-self.worth)
    def score(self): return self.worth

class Engine:
    async def analyse(self, board, limit, info):
        return {'score': Score(len(board.fen)), 'pv': [chess.Move('e2e4')]}
    async def quit(self): pass

async def popen_uci(path):
    assert path == 'bin/stockfish', path
    return None, Engine()
",
    ),
];

#[test]
fn chess() {
    let Some(documentation) = documentation() else { return };
    let project = Project::new(&CHESS);
    if !pydantic(&project) {
        return;
    }
    project.write("steps/evaluate_player_move_step.py", documentation.code(27132));
    project
        .write("steps/chess_game_move.stream.py", "config = {'name': 'chessGameMove', 'schema': {'type': 'object'}}\n");
    project.write(
        "steps/move_step.py",
        "config = {'type': 'api', 'name': 'Move', 'path': '/move', 'method': 'POST', 'emits': ['evaluate-player-move']}

async def handler(req, ctx):
    await ctx.streams.chessGameMove.set('g', 'm', {'from': 'e2'})
    await ctx.emit({'topic': 'evaluate-player-move', 'data': req.body})
    return {'status': 204}
",
    );
    project.write(
        "steps/moved_step.py",
        "config = {'type': 'api', 'name': 'Moved', 'path': '/move', 'method': 'GET'}

async def handler(req, ctx):
    return {'status': 200, 'body': await ctx.streams.chessGameMove.get('g', 'm')}
",
    );
    project.write(".env", "STOCKFISH_BIN_PATH=bin/stockfish\n");
    let engine = project.dev();
    let step = steps(&engine).into_iter().find(|step| step["name"] == "EvaluatePlayerMove").expect("registered");
    assert_eq!(step["input"]["properties"]["fenBefore"]["description"], "The FEN of the game before the move");
    let moved = json!({ "fenBefore": "before", "fenAfter": "after", "gameId": "g", "moveId": "m", "player": "white" });
    assert_eq!(engine.post("/move", &moved.to_string()).status, 204);
    let evaluated = until(&engine, "/move", "an evaluation", |item| item["evaluation"].is_object());
    // 6 + 50 * 4 for the best move, 5 for the one that was made.
    let expected = json!({ "centipawnScore": 5, "bestMove": "e2e4", "evaluationSwing": 201, "blunder": true });
    assert_eq!((&evaluated["evaluation"], &evaluated["from"]), (&expected, &json!("e2")));
    engine.wait_for("Move evaluation completed");
}
