use serde_json::json;

use super::*;

fn parse(config: Value) -> Result<Parsed<Step>, FieldError> {
    Step::parse("steps/a.step.ts".into(), Language::TypeScript, &config)
}

#[test]
fn the_documented_api_config_is_understood_whole() {
    let parsed = parse(json!({
        "type": "api", "name": "CreateUser", "path": "/users", "method": "POST", "emits": ["user.created"],
        "description": "Creates a new user", "flows": ["user-management"],
        "bodySchema": {"type": "object"}, "responseSchema": {"201": {"type": "object"}}, "middleware": 1,
        "queryParams": [{"name": "invite", "description": "Invite code"}],
        "virtualEmits": ["notification.sent"], "virtualSubscribes": ["user.invited"], "includeFiles": ["../../a.html"]
    }))
    .expect("understood");
    assert_eq!(parsed.warnings, Vec::<String>::new());
    let Trigger::Api(api) = &parsed.value.trigger else { panic!("not an api") };
    assert_eq!((api.method, api.path.as_str()), (Method::Post, "/users"));
    assert_eq!(api.query_params[0].name, "invite");
    assert!(parsed.value.emits.allow(&"user.created".into()));
    assert!(!parsed.value.emits.allow(&"user.deleted".into()));
}

#[test]
fn absent_and_empty_emits_allow_any_topic() {
    for config in [
        json!({"type": "api", "name": "A", "path": "/a", "method": "GET"}),
        json!({"type": "api", "name": "A", "path": "/a", "method": "GET", "emits": []}),
    ] {
        assert!(parse(config).expect("understood").value.emits.allow(&"anything".into()));
    }
}

#[test]
fn emits_may_carry_labels() {
    let parsed = parse(json!({
        "type": "cron", "name": "A", "cron": "* * * * *",
        "emits": [{"topic": "a", "label": "Auto", "conditional": true}, {"topic": "b"}, "c"]
    }))
    .expect("understood");
    let topics: Vec<_> = parsed.value.emits.declared().iter().map(|emit| emit.topic.as_str()).collect();
    assert_eq!(topics, ["a", "b", "c"]);
    assert!(parsed.value.emits.declared()[0].conditional);
}

#[test]
fn queue_settings_have_the_documented_defaults() {
    let parsed = parse(json!({"type": "event", "name": "A", "subscribes": ["t"]})).expect("understood");
    let Trigger::Event(event) = parsed.value.trigger else { panic!("not an event") };
    assert_eq!(event.queue, QueueConfig::default());
    assert_eq!((event.queue.max_retries, event.queue.concurrency.get()), (3, 10));

    let parsed = parse(json!({"type": "event", "name": "A", "subscribes": ["t"], "infrastructure": {
        "handler": {"ram": 2048, "timeout": 60},
        "queue": {"type": "fifo", "maxRetries": 0, "visibilityTimeout": 90, "delaySeconds": 2, "concurrency": 5}
    }}))
    .expect("understood");
    let Trigger::Event(event) = parsed.value.trigger else { panic!("not an event") };
    assert_eq!(event.queue.kind, QueueKind::Fifo);
    assert_eq!(event.queue.max_retries, 0);
    assert_eq!(event.queue.timeout, Some(Duration::from_secs(60)));
    assert_eq!(event.queue.delay, Duration::from_secs(2));
    assert_eq!(event.queue.concurrency.get(), 5);
}

#[test]
fn small_slips_are_mended_and_said() {
    let parsed = parse(json!({"type": "api", "name": "A", "path": "a", "method": "get", "compatibility_date": "x"}))
        .expect("understood");
    assert_eq!(
        parsed.warnings,
        ["method 'get' is read as 'GET'", "path 'a' is read as '/a'", "unknown member 'compatibility_date' is ignored"]
    );
}

#[test]
fn an_event_step_may_be_put_aside_with_an_empty_list_of_topics() {
    let parsed = parse(json!({"type": "event", "name": "A", "subscribes": []})).expect("understood");
    let Trigger::Event(event) = &parsed.value.trigger else { panic!("not an event") };
    assert!(event.subscribes.is_empty());
    assert_eq!(parsed.warnings, ["'subscribes' is empty: no event runs this step"]);
}

#[test]
fn what_cannot_work_is_refused_with_the_member_and_the_mend() {
    for (config, message) in [
        (json!({"type": "api", "path": "/", "method": "GET"}), "name: is missing; it should be a string"),
        (json!({"name": "A", "type": "http"}), "type: should be 'api', 'event', 'cron' or 'noop', but is 'http'"),
        (
            json!({"name": "A", "type": "api", "path": "/", "method": "FETCH"}),
            "method: should be one of GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD, but is 'FETCH'",
        ),
        (json!({"name": "A", "type": "event"}), "subscribes: is missing; it should be a list of topics"),
        (json!({"name": "A", "type": "cron"}), "cron: is missing; it should be a string"),
        (
            json!({"name": "A", "type": "event", "subscribes": ["t"], "infrastructure": {"queue": {"type": "lifo"}}}),
            "infrastructure.queue.type: should be 'standard' or 'fifo', but is 'lifo'",
        ),
        (
            json!({"name": "A", "type": "noop", "virtualEmits": [5]}),
            "virtualEmits[0]: should be a topic or { topic, label, conditional }, but is the number 5",
        ),
        (json!("nonsense"), "config: should be an object, but is the string \"nonsense\""),
    ] {
        assert_eq!(parse(config).expect_err("refused").to_string(), message);
    }
}

#[test]
fn a_step_may_have_a_validation_of_its_own() {
    let api = json!({"type": "api", "name": "A", "path": "/a", "method": "POST", "bodySchema": {"type": "object"}});
    let step = parse(api.clone()).expect("understood").value;
    assert_eq!((step.validation, step.schema()), (None, Some(("bodySchema", &json!({"type": "object"})))));
    let mut strict = api;
    strict["validation"] = json!("enforce");
    assert_eq!(parse(strict.clone()).expect("understood").value.validation, Some(Validation::Enforce));
    strict["validation"] = json!("maybe");
    assert_eq!(
        parse(strict).expect_err("refused").to_string(),
        "validation: should be 'warn', 'enforce' or 'off', but is 'maybe'"
    );
    let event = json!({"type": "event", "name": "E", "subscribes": ["t"], "input": true});
    assert_eq!(parse(event).expect("understood").value.schema(), Some(("input", &json!(true))));
}

#[test]
fn a_queue_may_have_a_backoff_and_a_limit_per_group() {
    let queue = |queue: Value| {
        let config = json!({"type": "event", "name": "E", "subscribes": ["t"], "infrastructure": {"queue": queue}});
        let parsed = parse(config).map_err(|error| error.to_string())?;
        let Trigger::Event(event) = parsed.value.trigger else { panic!("not an event") };
        Ok::<_, String>((event.queue, parsed.warnings))
    };
    let (config, _) = queue(json!({"groupConcurrency": 2, "backoff": "fixed"})).expect("understood");
    assert_eq!(config.group_concurrency.map(NonZeroU32::get), Some(2));
    assert_eq!(config.backoff, Backoff { kind: BackoffKind::Fixed, ..Backoff::default() });
    let (config, _) = queue(json!({"backoff": {"delay": 0.5, "max": "1m"}})).expect("understood");
    assert_eq!((config.backoff.first, config.backoff.longest), (Duration::from_millis(500), Duration::from_secs(60)));
    let (config, warnings) = queue(json!({"type": "fifo", "groupConcurrency": 2})).expect("understood");
    assert_eq!((config.group_concurrency, warnings.len()), (None, 1));
    assert_eq!(
        queue(json!({"backoff": "linear"})),
        Err("infrastructure.queue.backoff: should be 'exponential' or 'fixed', but is 'linear'".into())
    );
    assert_eq!(
        queue(json!({"groupConcurrency": 0})),
        Err("infrastructure.queue.groupConcurrency: should be 1 or more".into())
    );
}

#[test]
fn waits_double_with_jitter_and_are_capped() {
    let backoff = Backoff::default();
    for random in 0..1000 {
        for (failures, whole) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (40, 300)] {
            let (wait, whole) = (backoff.wait(failures, random), Duration::from_secs(whole));
            assert!(wait <= whole && wait >= whole / 2, "{failures} {wait:?}");
        }
    }
    let waits: std::collections::HashSet<_> = (0..1000).map(|random| backoff.wait(4, random)).collect();
    assert!(waits.len() > 900, "deliveries that failed together come back apart");
    let fixed = Backoff { kind: BackoffKind::Fixed, first: Duration::from_secs(2), ..backoff };
    assert!((1..50).all(|failures| fixed.wait(failures, 7) == Duration::from_secs(2)));
}

#[test]
fn a_schedule_may_have_a_zone_and_rules() {
    let cron = |more: Value| {
        let mut config = json!({"type": "cron", "name": "C", "cron": "0 9 * * *"});
        config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        match parse(config).map_err(|error| error.to_string())?.value.trigger {
            Trigger::Cron(cron) => Ok::<_, String>(cron),
            _ => panic!("not a cron step"),
        }
    };
    let plain = cron(json!({})).expect("understood");
    assert_eq!((plain.timezone, plain.overlap, plain.catch_up), (None, Overlap::Skip, Duration::ZERO));
    let all = cron(json!({"timezone": "Europe/Berlin", "overlap": "allow", "catchUp": "2h"})).expect("understood");
    assert_eq!(
        (all.timezone.as_deref(), all.overlap, all.catch_up),
        (Some("Europe/Berlin"), Overlap::Allow, Duration::from_secs(7200))
    );
    assert_eq!(cron(json!({"catchUp": true})).expect("understood").catch_up, Duration::from_secs(86_400));
    assert_eq!(
        cron(json!({"overlap": "queue"})).err().as_deref(),
        Some("overlap: should be 'skip' or 'allow', but is 'queue'")
    );
}
