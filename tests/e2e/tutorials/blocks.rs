//! Every Python block of the documentation: it registers, or says exactly why not. A block that is not in the table fails the test.

use std::collections::HashSet;

use super::documentation::{Block, documentation};
use super::guides::{CHESS, DOCLING};
use super::{pydantic, steps};
use crate::support::{Engine, Project, eventually};

/// What becomes of a block that is a file of its own. One that imports pydantic is passed over where that is not there.
#[derive(Clone, Copy)]
enum Becomes {
    /// A step of this name.
    Step(&'static str),
    /// A stream of this name.
    Stream(&'static str),
    /// A config whose handler the page does not print: the file is refused, and told what to add.
    NoHandler,
    /// A handler, or a middleware, whose config the page does not print. With one it is a step.
    NoConfig,
    /// Statements for a handler's body, after these lines. The handler is called, and answers with this status.
    Statements(&'static str, u16),
    /// It does not run, and this is said.
    Refused(&'static str),
}

use Becomes::{NoConfig, NoHandler, Refused, Statements, Step, Stream};

const BLOCKS: [(u64, Becomes); 76] = [
    // `auth_middleware` is printed at L1191; the two are one file in `guides::reference_with_pydantic`.
    (217, Refused("name 'auth_middleware' is not defined")),
    (320, NoHandler),
    (422, NoHandler),
    (495, Step("ManualApproval")),
    // `[...]` is a list with an Ellipsis, which is no JSON.
    (572, Statements("", 500)),
    (623, Statements("err = ValueError('declined')", 200)),
    (690, Statements("", 200)),
    (783, Statements("from datetime import datetime", 200)),
    (849, NoConfig),
    (929, NoConfig),
    (1025, NoConfig),
    (1110, NoConfig),
    (1191, NoConfig),
    (1282, NoConfig),
    (1349, Statements("", 200)),
    (1416, Stream("chatMessages")),
    // Members of a config, without the config.
    (1706, Refused("SyntaxError")),
    (2172, Step("MyStep")),
    (2457, Step("HelloStep")),
    (2544, Step("SendMessage")),
    (2561, Step("ProcessMessage")),
    (2676, Step("GetUser")),
    (2754, Step("ProcessMessage")),
    (2826, Step("DailyCleanup")),
    (2898, Statements("", 200)),
    (2930, Statements("", 200)),
    (2960, Statements("", 200)),
    (2996, NoHandler),
    (3046, NoHandler),
    (5185, Step("process-data")),
    (5259, NoHandler),
    (5325, Step("CreateResource")),
    (5400, Step("SendEmail")),
    (5458, NoHandler),
    (5503, NoHandler),
    (5556, NoHandler),
    (5612, NoHandler),
    (5670, Step("ApprovalGate")),
    (5737, NoHandler),
    (5811, NoHandler),
    (5865, NoConfig),
    (6001, Step("ProtectedEndpoint")),
    (6079, NoConfig),
    (6156, NoConfig),
    (6216, NoConfig),
    (6346, NoConfig),
    // It registers. What it calls, `ctx.utils`, is nowhere else in the documentation.
    (7499, Step("data-processor")),
    (7737, NoConfig),
    (7841, NoConfig),
    (7935, NoConfig),
    (8011, NoConfig),
    (8194, Stream("chatMessage")),
    (8477, Statements("channel_id, message_id = 'a', 'b'", 200)),
    (15196, Step("ProcessDataPython")),
    (16478, NoConfig),
    // An excerpt of L16478.
    (16883, Refused("name 'HybridChunker' is not defined")),
    (20892, Step("PyCreatePet")),
    (21146, Step("PyAiProfileEnrichment")),
    (21686, Step("PyHealthReviewAgent")),
    (22182, NoHandler),
    (22482, Step("CreatePet")),
    (22607, Step("GetPets")),
    (22703, Step("GetPet")),
    (22820, Step("UpdatePet")),
    (22943, Step("DeletePet")),
    (23218, Step("CreatePet")),
    (23383, Step("PySetNextFeedingReminder")),
    (23629, Step("PyDeletionReaper")),
    (24172, Stream("petCreation")),
    (24315, Step("PyCreatePet")),
    (24584, Step("PySetNextFeedingReminder")),
    (24981, Step("PyAiProfileEnrichment")),
    (25862, Step("PyPetLifecycleOrchestrator")),
    (26737, Step("SendMessage")),
    (26754, Step("ProcessMessage")),
    (27132, Step("EvaluatePlayerMove")),
];

/// Files of one project, and what is expected of each.
struct Part {
    project: Project,
    names: HashSet<&'static str>,
    blocks: Vec<(String, u64, Becomes)>,
}

impl Part {
    fn new() -> Self {
        let project = Project::new(&[("services/pet_store.py", include_str!("pet_store.py"))]);
        for (path, content) in DOCLING.into_iter().chain(CHESS) {
            project.write(path, content);
        }
        Self { project, names: HashSet::new(), blocks: Vec::new() }
    }
}

#[test]
fn every_block_registers_or_says_why_not() {
    let Some(documentation) = documentation() else { return };
    let mut parts = vec![Part::new()];
    let with_pydantic = pydantic(&parts[0].project);
    // Streams that statements use. No page prints the first; two are printed with pydantic.
    for stream in if with_pydantic { &["chat"][..] } else { &["chat", "chatMessage", "chatMessages"] } {
        let config = format!("config = {{'name': '{stream}', 'schema': {{'type': 'object'}}}}\n");
        parts[0].project.write(&format!("steps/{stream}_stream.py"), &config);
    }
    for block in documentation.blocks() {
        let line = block.line;
        let (_, becomes) = BLOCKS
            .iter()
            .find(|(known, _)| *known == line)
            .unwrap_or_else(|| panic!("L{line} ({}) is not in the table", block.page));
        let needs_pydantic = block.code.contains("pydantic");
        if needs_pydantic && !with_pydantic {
            continue;
        }
        let name = match becomes {
            Step(name) => Some(*name),
            _ => None,
        };
        // Two steps of one name are not one project. What needs pydantic is in the project that has it.
        let free = |part: &Part| name.is_none_or(|name| !part.names.contains(name));
        let place = parts.iter().position(free).unwrap_or_else(|| {
            parts.push(Part::new());
            parts.len() - 1
        });
        assert!(place == 0 || !needs_pydantic, "L{line} needs pydantic");
        let part = &mut parts[place];
        part.names.extend(name);
        let path = path(block);
        part.project.write(&path, &file(block, *becomes));
        part.blocks.push((path, line, *becomes));
    }
    for (line, _) in BLOCKS {
        // The table names no line that is none.
        documentation.block(line);
    }
    for part in &parts {
        let engine = part.project.dev();
        for (path, line, becomes) in &part.blocks {
            check(&engine, path, *line, *becomes);
        }
    }
}

/// A folder of its own for each block, so that equal titles do not meet.
fn path(block: &Block) -> String {
    let title = block.title.as_deref().unwrap_or("printed_step.py");
    format!("steps/l{}/{}", block.line, title.rsplit('/').next().expect("a name"))
}

fn file(block: &Block, becomes: Becomes) -> String {
    let line = block.line;
    let config = format!("config = {{'type': 'api', 'name': 'L{line}', 'path': '/l{line}', 'method': 'GET'}}");
    match becomes {
        NoConfig if block.code.contains("def handler") => format!("{}\n{config}\n", block.code),
        NoConfig => {
            let name = block.code.split_once("def ").and_then(|(_, rest)| rest.split_once('(')).expect("a function").0;
            let config = config.replace("'method'", &format!("'middleware': [{name}], 'method'"));
            format!("{}\n{config}\nasync def handler(req, context):\n    return {{'status': 200}}\n", block.code)
        }
        Statements(before, _) => {
            let body: String = block.code.lines().flat_map(|line| ["    ", line, "\n"]).collect();
            format!(
                "{config}\n\nasync def handler(req, context):\n    {before}\n{body}\n    return {{'status': 200}}\n"
            )
        }
        _ => block.code.clone(),
    }
}

fn check(engine: &Engine, path: &str, line: u64, becomes: Becomes) {
    let step = |name: &str| {
        // A file whose import is slow registers after the others.
        eventually(&format!("L{line} is the step {name}\n{}", said(engine, path)), || {
            steps(engine).iter().any(|step| step["filePath"] == *path && step["name"] == name).then_some(())
        });
    };
    match becomes {
        Step(name) => step(name),
        NoConfig => step(&format!("L{line}")),
        Statements(_, status) => {
            step(&format!("L{line}"));
            let answer = engine.get(&format!("/l{line}"));
            assert_eq!(answer.status, status, "L{line}: {}", answer.text());
        }
        Stream(name) => {
            let listed = engine.get("/__motia/steps").json();
            let streams = listed["streams"].as_array().expect("a list of streams");
            assert!(
                streams.iter().any(|stream| stream["name"] == *name && stream["filePath"] == *path),
                "L{line}: {}",
                said(engine, path)
            );
        }
        NoHandler => {
            engine.wait_for(&format!("{path}: it has no handler function: add `async def handler(...):`"));
        }
        Refused(why) => {
            eventually(&format!("L{line} is refused: {why}"), || said(engine, path).contains(why).then_some(()));
        }
    }
}

/// What the engine printed of a file.
fn said(engine: &Engine, path: &str) -> String {
    let output = engine.output();
    output.lines().skip_while(|line| !line.contains(path)).take(8).collect::<Vec<_>>().join("\n")
}
