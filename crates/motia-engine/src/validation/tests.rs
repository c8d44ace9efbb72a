use motia_core::{Language, SystemClock};
use serde_json::json;

use super::*;

fn project(schema: &Value) -> Project {
    let config = json!({"type": "api", "name": "A", "path": "/a", "method": "POST", "bodySchema": schema});
    let step = Step::parse("steps/a.step.ts".into(), Language::TypeScript, &config).expect("a step").value;
    Project::new(vec![step], Vec::new(), Vec::new()).0
}

fn validation() -> Validation {
    Validation::new(Telemetry::start(Arc::new(SystemClock::default()), Vec::new()).expect("a thread"))
}

#[test]
fn a_reload_keeps_what_did_not_change() {
    let validation = validation();
    let check = || validation.checks.read().values().next().cloned().expect("a check");
    validation.update(&project(&json!({"type": "object"})), Mode::Warn);
    let first = check();
    validation.update(&project(&json!({"type": "object"})), Mode::Warn);
    assert!(Arc::ptr_eq(&first, &check()), "what was said stays said");
    validation.update(&project(&json!({"type": "array"})), Mode::Warn);
    assert!(!Arc::ptr_eq(&first, &check()));
    assert!(!first.is_read(), "nothing was read that nobody needed");
}

#[test]
fn samples_are_taken_and_nobody_waits_for_them() {
    let validation = validation();
    // Nobody looks at the samples: they stay where they wait.
    let (sender, waiting) = sync_channel(WAITING_SAMPLES);
    assert!(validation.background.set(sender).is_ok());
    let project = project(&json!({"type": "object"}));
    validation.update(&project, Mode::Warn);
    let step = project.steps().next().expect("a step");
    let taken = || waiting.try_iter().count();
    validation.sample(step, Data::Json(vec![b' '; LONGEST_SAMPLE + 1].into()));
    assert_eq!(taken(), 0, "too long");
    for _ in 0..FIRST_SAMPLES {
        validation.sample(step, Data::Empty);
    }
    assert_eq!(taken(), WAITING_SAMPLES, "the others are dropped");
    for _ in 0..SAMPLE_EVERY * 10 {
        validation.sample(step, Data::Empty);
    }
    assert_eq!(taken(), 10);
}

#[tokio::test]
async fn a_body_is_checked_as_its_handler_gets_it() {
    let validation = validation();
    let project = project(&json!({"type": "object", "required": ["a"]}));
    validation.update(&project, Mode::Enforce);
    let step = project.steps().next().expect("a step");
    let missing = || Err(Refused::Mismatch(vec![Problem { path: "body.a".into(), message: "is missing".into() }]));
    for (content, split, body, outcome) in [
        (Content::Json, None, r#"{"a":1}"#, Ok(())),
        (Content::Json, None, "\u{feff}{\"a\":1}", Ok(())),
        (Content::Json, None, "{}", missing()),
        (Content::Json, None, "", missing()),
        (Content::None, None, "", missing()),
        (Content::Form, Some(9), r#"{"a":"1"}a=1"#, Ok(())),
        (Content::Form, Some(2), "{}b", missing()),
    ] {
        let head = RequestHead { content, split, ..RequestHead::default() };
        let data = Data::of_request(&head, &Bytes::from_static(body.as_bytes())).expect("data");
        assert_eq!(validation.enforce(step, data).await, outcome, "{content:?} {body}");
    }
    for (method, content) in [("GET", Content::None), ("HEAD", Content::None)] {
        let head = RequestHead { method: method.into(), content, ..RequestHead::default() };
        assert!(Data::of_request(&head, &Bytes::from_static(b"{}")).is_none());
    }
    for content in [Content::Multipart, Content::Binary] {
        let head = RequestHead { content, ..RequestHead::default() };
        let data = Data::of_request(&head, &Bytes::from_static(b"{}")).expect("data");
        let refused = validation.enforce(step, data).await;
        assert!(matches!(&refused, Err(Refused::Mismatch(problems)) if problems[0].message.contains("send JSON")));
    }
}

#[tokio::test]
async fn what_a_pattern_cannot_decide_is_refused() {
    let validation = validation();
    let project = project(&json!({"type": "string", "pattern": r"^(a|a)*\1b$"}));
    validation.update(&project, Mode::Enforce);
    let step = project.steps().next().expect("a step");
    let text = "a".repeat(40);
    let refused = validation.enforce(step, Data::Text(text.into_bytes().into())).await;
    assert!(
        matches!(&refused, Err(Refused::Mismatch(problems)) if problems[0].message.contains("takes too long")),
        "{refused:?}"
    );
}

#[test]
fn the_log_names_a_few_problems() {
    let problem = |n: u32| Problem { path: format!("body[{n}]"), message: "is missing".into() };
    let all: Vec<_> = (0..5).map(problem).collect();
    assert_eq!(in_words(&all), "body[0]: is missing; body[1]: is missing; body[2]: is missing; and 2 more");
    assert_eq!(in_words(&all[..1]), "body[0]: is missing");
}
