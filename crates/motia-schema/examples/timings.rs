//! How long a small body takes: `cargo run --release -p motia-schema --example timings`.

#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use motia_schema::Schema;
use serde_json::{Value, json};

const ROUNDS: u32 = 200_000;
const BODY: &[u8] = br#"{"name":"Ada Lovelace","email":"ada@example.com","age":36,"status":"new","tags":["a","b"]}"#;
/// That of zod 4 for email addresses.
const EMAIL: &str = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$";

fn main() {
    let plain = schema(&json!({ "type": "string" }));
    let patterned = schema(&json!({ "type": "string", "pattern": EMAIL }));
    let good: Value = serde_json::from_slice(BODY).unwrap_or_default();
    let bad = json!({ "name": "", "email": 5, "age": "x", "tags": [1] });
    show("parse the body", time(|| drop(black_box(serde_json::from_slice::<Value>(black_box(BODY))))));
    for (name, json) in [("plain", plain), ("with a pattern", patterned)] {
        let began = Instant::now();
        let schema = match Schema::compile(&json) {
            Ok(compiled) => compiled.schema,
            Err(problem) => return eprintln!("{problem}"),
        };
        show(&format!("{name}: compile"), began.elapsed());
        show(&format!("{name}: check what matches"), time(|| drop(black_box(schema.check(black_box(&good), "body")))));
        show(&format!("{name}: four problems"), time(|| drop(black_box(schema.check(black_box(&bad), "body")))));
    }
}

fn schema(email: &Value) -> Value {
    json!({
        "type": "object", "required": ["name", "email", "age"],
        "properties": {
            "name": { "type": "string", "minLength": 1, "maxLength": 100 }, "email": email,
            "age": { "type": "integer", "minimum": 0, "maximum": 150 }, "status": { "enum": ["new", "old"] },
            "tags": { "type": "array", "items": { "type": "string" } },
        },
    })
}

fn time(mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    (0..ROUNDS).for_each(|_| work());
    began.elapsed() / ROUNDS
}

fn show(what: &str, took: Duration) {
    println!("{what:<36} {:>9.3} us", took.as_secs_f64() * 1e6);
}
