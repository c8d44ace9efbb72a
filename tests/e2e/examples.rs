//! The examples answer as they say: each project's `expectations.json` (its format is told in `examples/README.md`).

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Answer, Engine, Project, examples};

#[test]
fn quick_start() {
    run("quick-start");
}

#[test]
fn petstore() {
    run("petstore");
}

#[test]
fn orders() {
    run("orders");
}

#[test]
fn streaming() {
    run("streaming");
}

#[test]
fn realtime_todo() {
    run("realtime-todo");
}

#[test]
fn dialects() {
    run("dialects");
}

#[test]
fn duplicates() {
    run("duplicates");
}

#[test]
fn express_app() {
    run("express-app");
}

#[test]
fn four_languages() {
    if crate::ruby::is_here() {
        run("four-languages");
    }
}

#[test]
fn broken() {
    run("broken");
}

fn run(name: &str) {
    install(name);
    let project = Project::example(name);
    let read = |file: &str| std::fs::read_to_string(project.path().join(file)).ok();
    let expectations: Vec<Value> =
        serde_json::from_str(&read("expectations.json").expect("expectations")).expect("JSON");
    assert!(!expectations.is_empty());
    let environment = read("test.env").unwrap_or_default();
    let environment: Vec<_> = environment.lines().filter_map(|line| line.split_once('=')).collect();
    let environment: Vec<_> =
        environment.into_iter().map(|(name, value)| (name, value.trim_matches(['"', '\'']))).collect();
    let engine = project.run_with(&["dev", "--port", "0"], &environment);
    let mut saved = HashMap::new();
    for expectation in &expectations {
        meet(&engine, expectation, &mut saved);
    }
}

/// The packages of an example, by its lock file.
pub(crate) fn install(name: &str) {
    let folder = examples().join(name);
    // Tests run in processes of their own, at the same time.
    let turn = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("install-{name}"));
    let turn = std::fs::File::create(turn).expect("a file");
    turn.lock().expect("a turn");
    if folder.join("package-lock.json").exists() && !folder.join("node_modules").exists() {
        let install =
            Command::new(env!("CARGO_BIN_EXE_motia")).arg("install").current_dir(&folder).output().expect("motia runs");
        assert!(install.status.success(), "motia install in {name}: {}", String::from_utf8_lossy(&install.stderr));
    }
}

fn meet(engine: &Engine, expectation: &Value, saved: &mut HashMap<String, String>) {
    let text = |member: &str| fill(expectation[member].as_str().unwrap_or_default(), saved);
    let (name, method, path) = (text("name"), text("method"), text("path"));
    let mut headers: Vec<(String, String)> = Vec::new();
    for (header, value) in expectation["headers"].as_object().into_iter().flatten() {
        headers.push((header.to_lowercase(), fill(value.as_str().expect("a text"), saved)));
    }
    let body = match &expectation["body"] {
        Value::Null => String::new(),
        Value::String(body) => fill(body, saved),
        body => {
            if !headers.iter().any(|(header, _)| header == "content-type") {
                headers.push(("content-type".into(), "application/json".into()));
            }
            fill(&body.to_string(), saved)
        }
    };
    let headers: Vec<_> = headers.iter().map(|(header, value)| (header.as_str(), value.as_str())).collect();
    let deadline = Instant::now() + Duration::from_millis(expectation["within"].as_u64().unwrap_or(0));
    let answer = loop {
        engine.mark();
        let answer = engine.client().request(&method, &path, &headers, body.as_bytes());
        match differs(&answer, &expectation["expect"], saved) {
            None => break answer,
            Some(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            Some(difference) => panic!("{name}: {difference}\n{method} {path}\n{answer:?}\n{}", answer.text()),
        }
    };
    for log in expectation["expect"]["log"].as_array().into_iter().flatten() {
        engine.wait_for(&fill(log.as_str().expect("a text"), saved));
    }
    for (name, place) in expectation["save"].as_object().into_iter().flatten() {
        let place = place.as_str().expect("a place");
        let value = match place.strip_prefix("$.") {
            Some(path) => {
                let json = answer.json();
                let found = path.split('.').fold(&json, |value, key| &value[key]);
                found.as_str().map_or_else(|| found.to_string(), str::to_owned)
            }
            None => answer.header(place).expect("the header to save").to_owned(),
        };
        saved.insert(name.clone(), value);
    }
}

fn fill(text: &str, saved: &HashMap<String, String>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// What is not as expected, if anything.
fn differs(answer: &Answer, expect: &Value, saved: &HashMap<String, String>) -> Option<String> {
    if let Some(status) = expect["status"].as_u64()
        && u64::from(answer.status) != status
    {
        return Some(format!("the status is {}, not {status}", answer.status));
    }
    for (name, value) in expect["headers"].as_object().into_iter().flatten() {
        let found: Vec<_> = answer
            .headers
            .iter()
            .filter(|(header, _)| *header == name.to_lowercase())
            .map(|(_, value)| value.as_str())
            .collect();
        let expected: Option<Vec<String>> = match value {
            Value::Null => Some(Vec::new()),
            Value::String(any) if any == "{{*}}" => None,
            Value::String(value) => Some(vec![fill(value, saved)]),
            list => {
                Some(list.as_array()?.iter().map(|value| fill(value.as_str().unwrap_or_default(), saved)).collect())
            }
        };
        let same = expected.as_ref().map_or(!found.is_empty(), |expected| found == *expected);
        if !same {
            return Some(format!("the header {name} is {found:?}, not {expected:?}"));
        }
    }
    if let Some(text) = expect["text"].as_str()
        && answer.text() != fill(text, saved)
    {
        return Some(format!("the text is not {text:?}"));
    }
    if let Some(base64) = expect["base64"].as_str()
        && encode(&answer.body) != base64
    {
        return Some(format!("the bytes are {}, not {base64}", encode(&answer.body)));
    }
    if let Some(json) = expect.get("json") {
        let Ok(found) = serde_json::from_slice::<Value>(&answer.body) else {
            return Some("the body is not JSON".into());
        };
        let filled: Value = serde_json::from_str(&fill(&json.to_string(), saved)).expect("JSON");
        if !fits(&found, &filled) {
            return Some(format!("the JSON does not fit {filled}"));
        }
    }
    None
}

fn fits(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (_, Value::String(any)) if any == "{{*}}" => true,
        // What was saved as text may have been a number.
        (Value::Number(number), Value::String(text)) => number.to_string() == *text,
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| fits(found, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| fits(found, expected))
        }
        (found, expected) => found == expected,
    }
}

fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { digit as char } else { '=' });
        }
    }
    text
}
