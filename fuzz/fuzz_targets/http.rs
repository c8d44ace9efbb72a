//! What of a request is read by our own code: queries, forms, and paths against the patterns of steps.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use motia_core::step::{Method, Step};
use motia_core::Language;
use motia_server::Routes;
use motia_server::query::{form_to_json, to_json};

fuzz_target!(|text: &str| {
    let query = to_json(text);
    assert!(query.is_empty() || serde_json::from_str::<serde_json::Value>(&query).is_ok(), "{query}");
    if let Ok(form) = form_to_json(text) {
        assert!(serde_json::from_str::<serde_json::Value>(&form).is_ok(), "{form}");
    }
    let (pattern, path) = text.split_once('\n').unwrap_or(("/a/:b", text));
    let config = serde_json::json!({ "type": "api", "name": "A", "path": pattern, "method": "GET" });
    let Ok(step) = Step::parse("steps/a.step.ts".into(), Language::TypeScript, &config) else { return };
    let step = Arc::new(step.value);
    let (routes, _) = Routes::new([&step]);
    let _ = routes.find(Method::Get, path);
});
