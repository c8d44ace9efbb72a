//! "Build your first Motia app", and the app of the first page.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::documentation::{Documentation, Part, documentation};
use super::{until, write_printed};
use crate::support::{Answer, Engine, PATIENCE, Project};

/// L22703: GET /pets/:id of the first tutorial, by which the others are watched here.
const GET_PET: u64 = 22703;

/// The folder of what stands in for OpenAI.
const STANDS_IN: &str = "stands_in";

fn pets(documentation: &Documentation, lines: &[u64]) -> Project {
    let project = Project::new(&[
        // L20768: `services` lies in the root of the project; its `types.py` must not hide that of the standard library.
        ("services/pet_store.py", include_str!("pet_store.py")),
        ("services/types.py", "raise RuntimeError('the standard library is hidden')\n"),
    ]);
    write_printed(&project, documentation, lines);
    project
}

fn create(engine: &Engine, path: &str, pet: &Value) -> Answer {
    let created = engine.post(path, &pet.to_string());
    assert_eq!(created.status, 201, "{}", created.text());
    created
}

fn put(engine: &Engine, path: &str, json: &Value) -> Answer {
    engine.client().request("PUT", path, &[("content-type", "application/json")], json.to_string().as_bytes())
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("fits")
}

#[test]
fn index() {
    let Some(documentation) = documentation() else { return };
    let project = Project::new(&[]);
    write_printed(&project, &documentation, &[26737, 26754]);
    let engine = project.dev();
    let sent = engine.post("/messages", r#"{"text":"Grüße 🐾"}"#);
    assert_eq!((sent.status, sent.json()), (200, json!({ "ok": true })));
    engine.wait_for("Processing message");
    engine.wait_for("Grüße 🐾");
}

#[test]
fn api_endpoints() {
    let Some(documentation) = documentation() else { return };
    let project = pets(&documentation, &[22482, 22607, GET_PET, 22820, 22943]);
    let engine = project.dev();
    // The bodies are those of the curl commands, L22559 and L22894.
    let max = create(&engine, "/pets", &json!({ "name": "Max", "species": "dog", "ageMonths": 24 })).json();
    assert_eq!((&max["id"], &max["status"], &max["ageMonths"]), (&json!("1"), &json!("new"), &json!(24)));
    for (pet, message) in [
        (json!({}), "Invalid name"),
        (json!({ "name": "  ", "species": "dog", "ageMonths": 1 }), "Invalid name"),
        (json!({ "name": "A", "species": "fish", "ageMonths": 1 }), "Invalid species"),
        (json!({ "name": "A", "species": "cat", "ageMonths": "old" }), "Invalid ageMonths"),
    ] {
        let refused = engine.post("/pets", &pet.to_string());
        assert_eq!((refused.status, refused.json()), (400, json!({ "message": message })));
    }
    assert_eq!(engine.client().request("POST", "/pets", &[], b"").json(), json!({ "message": "Invalid name" }));
    assert_eq!(engine.get("/pets").json(), json!([max]));
    assert_eq!(engine.get("/pets/1").json(), max);
    let adopted = put(&engine, "/pets/1", &json!({ "status": "adopted", "species": "fish" }));
    assert_eq!((adopted.status, &adopted.json()["status"]), (200, &json!("adopted")));
    assert_eq!(engine.get("/pets/1").json()["species"], "dog");
    let delete = || engine.client().request("DELETE", "/pets/1", &[], b"");
    let deleted = delete();
    assert_eq!((deleted.status, deleted.text().as_str()), (204, ""));
    let missing = json!({ "message": "Not found" });
    for answer in [delete(), engine.get("/pets/1"), put(&engine, "/pets/1", &json!({}))] {
        assert_eq!((answer.status, answer.json()), (404, missing.clone()));
    }
    assert!(!engine.output().contains("[RELOADED]"), "the store is no code:\n{}", engine.output());
}

#[test]
fn background_jobs() {
    let Some(documentation) = documentation() else { return };
    let project = pets(&documentation, &[23218, 23383, 23629, GET_PET]);
    let deleted = |id: &str, purge: u64| {
        json!({ "id": id, "name": "Rex", "species": "dog", "ageMonths": 9, "status": "deleted",
                "deletedAt": 1_700_000_000_000_u64, "purgeAt": purge })
    };
    let data = json!({ "seq": 3, "pets": { "1": deleted("1", now() - 1), "2": deleted("2", now() + 3_600_000) } });
    project.write(".data/pets.json", &data.to_string());
    let engine = project.dev();

    let before = now();
    let created = create(&engine, "/pets", &json!({ "name": "Max", "species": "dog", "ageMonths": 24 })).json();
    assert_eq!(
        (&created["id"], &created["notes"]),
        (&json!("3"), &Value::Null),
        "the answer does not wait for the job"
    );
    let pet = until(&engine, "/pets/3", "the job ran", |pet| pet["nextFeedingAt"].is_number());
    assert_eq!(pet["notes"], "Welcome to our pet store! We'll take great care of this pet.");
    let day = 24 * 60 * 60 * 1000;
    let feeding = pet["nextFeedingAt"].as_u64().expect("a time");
    assert!((before + day..=now() + day).contains(&feeding), "{feeding}");
    engine.wait_for("🔄 Setting next feeding reminder");
    engine.wait_for("✅ Next feeding reminder set");

    // The schedule is "0 2 * * *".
    let listed: Value = serde_json::from_str(&project.motia(&["cron", "ls", "--json"])).expect("JSON");
    assert!(listed.to_string().contains("0 2 * * *"), "{listed}");
    project.motia(&["cron", "run", "PyDeletionReaper"]);
    engine.wait_for("🔄 Deletion Reaper started - scanning for pets to purge");
    engine.wait_for("💀 Pet permanently purged");
    engine.wait_for("✅ Deletion Reaper completed");
    assert_eq!((engine.get("/pets/1").status, engine.get("/pets/2").status), (404, 200));
    project.motia(&["cron", "run", "PyDeletionReaper"]);
    engine.wait_for("✅ Deletion Reaper completed - no pets to purge");
}

/// With a key in `.env`, and somebody who answers for OpenAI.
fn with_openai(project: &Project) -> Engine {
    project.write(".env", "OPENAI_API_KEY=a-key\n");
    project.write(&format!("{STANDS_IN}/sitecustomize.py"), include_str!("sitecustomize.py"));
    let path = project.path().join(STANDS_IN);
    project.run_with(&["dev", "--port", "0"], &[("PYTHONPATH", path.to_str().expect("UTF-8"))])
}

/// Without a key, whatever the machine has.
fn without_openai(project: &Project) -> Engine {
    project.run_with(&["dev", "--port", "0"], &[("OPENAI_API_KEY", "")])
}

#[test]
fn ai_agents_enrichment() {
    let Some(documentation) = documentation() else { return };
    let printed = [20892, 21146, GET_PET];
    let project = pets(&documentation, &printed);
    let engine = with_openai(&project);
    let enriched = |id: &str| until(&engine, &format!("/pets/{id}"), "a profile", |pet| pet["profile"].is_object());
    let pet = |name: &str| json!({ "name": name, "species": "cat", "ageMonths": 36 });
    for name in ["Buddy", "Garbled", "Refused"] {
        create(&engine, "/py/pets", &pet(name));
    }
    assert_eq!(enriched("1")["profile"]["breedGuess"], "Beagle mix");
    engine.wait_for("🤖 AI Profile Enrichment started");
    engine.wait_for("✅ AI Profile Enrichment completed");
    assert_eq!(enriched("2")["profile"]["temperamentTags"], json!(["friendly", "loving", "loyal"]));
    engine.wait_for("⚠️ AI response parsing failed, using fallback profile");
    let fallback = enriched("3")["profile"].clone();
    assert_eq!(fallback["temperamentTags"], json!(["friendly", "adaptable"]));
    assert_eq!(fallback["breedGuess"], "Domestic Shorthair");
    engine.wait_for("OpenAI API HTTP error: 429");

    let project = pets(&documentation, &printed);
    let engine = without_openai(&project);
    create(&engine, "/py/pets", &pet("Buddy"));
    let pet = until(&engine, "/pets/1", "a profile", |pet| pet["profile"].is_object());
    assert_eq!(pet["profile"]["adopterHints"], "Buddy is looking for a patient and loving family.");
    engine.wait_for("❌ AI Profile Enrichment failed");
    engine.wait_for("OPENAI_API_KEY environment variable is not set");
}

/// The adoption review has no Python on its page. The orchestrator's config and rules, L22182, have no handler there: it is the one of
/// the workflow tutorial, L25862.
#[test]
fn ai_agents_health_review() {
    let Some(documentation) = documentation() else { return };
    let path = "steps/python/health_review_agent_step.py";
    let project = pets(&documentation, &[21686, GET_PET]);
    project.write("services/decision.py", include_str!("decision.py"));
    project.write(
        "steps/python/pet_lifecycle_orchestrator_step.py",
        &documentation.file(&[Part::Printed(25862), Part::Printed(22182)]),
    );
    project.write(
        "steps/heard_step.py",
        "config = {'type': 'event', 'name': 'Heard', 'subscribes': ['py.health.treatment_required', 'py.health.no_treatment_needed']}
async def handler(input, ctx):
    ctx.logger.info(f\"heard {input.event} of {input.petId}: {input['agentDecision']['rationale']}\")
",
    );
    let pet = |id: &str, status: &str, symptoms: Value| json!({ "id": id, "name": "Buddy", "species": "dog", "ageMonths": 36, "status": status, "symptoms": symptoms });
    let data = json!({ "seq": 4, "pets": {
        "1": pet("1", "in_quarantine", json!(["coughing"])),
        "2": pet("2", "healthy", json!([])),
        "3": pet("3", "new", json!([])),
    } });
    project.write(".data/pets.json", &data.to_string());
    let engine = with_openai(&project);
    // L22070: no body.
    let review = |engine: &Engine, id: &str| {
        let path = format!("/py/pets/{id}/health-review");
        engine.client().request("POST", &path, &[("content-type", "application/json")], b"")
    };

    // As printed, `pet` is only set where the function has returned.
    let failed = review(&engine, "1");
    assert_eq!((failed.status, failed.json()), (500, json!({ "error": "Internal server error" })));
    engine.wait_for("UnboundLocalError");
    engine.wait_for("health_review_agent_step.py\", line ");

    // With those lines where they are meant to be, and the function that the page leaves out.
    let printed = documentation.code(21686);
    let (lookup, level) = (
        "        pet = pet_store.get(pet_id)\n        if not pet:\n            return {\"status\": 404,",
        "    pet = pet_store.get(pet_id)\n    if not pet:\n        return {\"status\": 404,",
    );
    assert!(printed.contains(lookup), "the lines that were mended here are printed otherwise now");
    let mended = printed.replace(lookup, level);
    engine.mark();
    project.write(path, &format!("{mended}\n\nfrom services.decision import call_agent_decision\n"));
    engine.wait_for(&format!("[RELOADED] {path}"));
    let reviewed = review(&engine, "1");
    let body = reviewed.json();
    assert_eq!(reviewed.status, 200, "{body}");
    // L22080
    assert!(body["artifact"]["timestamp"].is_number());
    let expected = json!({
        "message": "Health review completed",
        "petId": "1",
        "agentDecision": { "chosenEmit": "emit.health.treatment_required", "rationale": "It coughs." },
        "emitFired": "py.health.treatment_required",
        "artifact": {
            "timestamp": body["artifact"]["timestamp"],
            "success": true,
            "availableEmits": ["emit.health.treatment_required", "emit.health.no_treatment_needed"],
        },
    });
    assert_eq!(body, expected);
    engine.wait_for("heard health.treatment_required of 1: It coughs.");
    // L22104
    until(&engine, "/pets/1", "the orchestrator heard it", |pet| pet["status"] == "ill");
    assert_eq!(review(&engine, "2").json()["emitFired"], "py.health.no_treatment_needed");
    engine.wait_for("heard health.no_treatment_needed of 2: It is well.");
    engine.wait_for("✅ Already in target status");
    // What its config does not declare is dropped, and the step goes on.
    engine.wait_for("py.lifecycle.transition.completed");
    assert!(!engine.output().contains("❌"), "{}", engine.output());
    let early = review(&engine, "3");
    assert_eq!((early.status, &early.json()["currentStatus"]), (400, &json!("new")));
    assert_eq!(review(&engine, "9").json(), json!({ "message": "Pet not found" }));
}

/// What the page does not print in Python: the step that a member of the staff calls, and a job that says when it is done.
const STAFF: &str = "from services import pet_store

config = {'type': 'api', 'name': 'PyUpdatePet', 'path': '/py/pets/:id', 'method': 'PUT', 'emits': ['py.pet.status.update.requested']}

async def handler(req, ctx):
    pet = pet_store.get(req.path_params.id)
    await ctx.emit({'topic': 'py.pet.status.update.requested', 'data': {
        'petId': pet['id'], 'event': 'status.update.requested', 'requestedStatus': req.body.status, 'currentStatus': pet['status']}})
    return {'status': 202, 'body': {'petId': pet['id']}}
";

const FEEDING: &str = "config = {'type': 'event', 'name': 'Feeding', 'subscribes': ['py.feeding.reminder.enqueued'], 'emits': ['py.feeding.reminder.completed']}

async def handler(input, ctx):
    await ctx.emit({'topic': 'py.feeding.reminder.completed', 'data': {'petId': input.petId, 'event': 'feeding.reminder.completed'}})
";

/// What became of transitions, in order.
const TRANSITIONS: &str =
    "config = {'type': 'event', 'name': 'Transitions', 'subscribes': ['py.lifecycle.transition.completed']}

async def handler(input, ctx):
    await ctx.state.set('transitions', f'{input.timestamp}', {**input, 'trace': ctx.trace_id})
";

const TRANSITIONED: &str = "config = {'type': 'api', 'name': 'Transitioned', 'path': '/transitions', 'method': 'GET'}

async def handler(req, ctx):
    all = await ctx.state.get_group('transitions')
    return {'status': 200, 'body': sorted(all, key=lambda one: one.timestamp)}
";

#[test]
fn workflows() {
    let Some(documentation) = documentation() else { return };
    let project = pets(&documentation, &[20892, 25862, GET_PET]);
    project.write("steps/python/update_pet_step.py", STAFF);
    project.write("steps/python/set_next_feeding_reminder.job_step.py", FEEDING);
    project.write("steps/transitions_step.py", TRANSITIONS);
    project.write("steps/transitioned_step.py", TRANSITIONED);
    let engine = project.dev();
    let is = |status: &str| until(&engine, "/pets/1", status, |pet| pet["status"] == status);
    let request = |status: &str| {
        let asked = put(&engine, "/py/pets/1", &json!({ "status": status }));
        assert_eq!(asked.status, 202, "{}", asked.text());
        asked.header("x-trace-id").expect("a trace").to_owned()
    };

    create(&engine, "/py/pets", &json!({ "name": "Max", "species": "dog", "ageMonths": 24 }));
    is("in_quarantine");
    engine.wait_for("🔄 Lifecycle orchestrator processing");
    engine.wait_for("✅ Lifecycle transition completed");
    // There is no rule for py.pet.created, to which the orchestrator subscribes.
    engine.wait_for("No transition rule found for pet.created from");

    request("available");
    engine.wait_for("Invalid transition: cannot change from in_quarantine to available");
    assert_eq!(engine.get("/pets/1").json()["status"], "in_quarantine");

    // L26084: a task that emits 1.5 s after the handler returned.
    let healthy = request("healthy");
    is("available");
    engine.wait_for("🤖 Orchestrator triggering automatic progression");
    engine.wait_for("🤖 Automatic progression");
    request("ill");
    is("under_treatment");
    request("recovered");
    is("available");

    let expected = [
        ("new", "in_quarantine"),
        ("in_quarantine", "healthy"),
        ("healthy", "available"),
        ("available", "ill"),
        ("ill", "under_treatment"),
        ("under_treatment", "recovered"),
        ("recovered", "healthy"),
        ("healthy", "available"),
    ];
    let made = until(&engine, "/transitions", "all transitions", |made| {
        made.as_array().is_some_and(|made| made.len() == expected.len())
    });
    let made = made.as_array().expect("a list");
    let steps: Vec<_> = made.iter().map(|one| (one["oldStatus"].as_str(), one["newStatus"].as_str())).collect();
    assert_eq!(steps, expected.map(|(from, to)| (Some(from), Some(to))));
    assert_eq!((&made[1]["trace"], &made[2]["trace"]), (&json!(healthy), &json!(healthy)), "one trace");
    assert!(!engine.output().contains("❌"), "{}", engine.output());
}

const WATCH: &str = "config = {'type': 'api', 'name': 'Watch', 'path': '/watch/:trace', 'method': 'GET'}

async def handler(req, ctx):
    return {'status': 200, 'body': await ctx.streams.petCreation.get_group(req.path_params.trace)}
";

/// The texts of one item in the order in which they came, and the other items at the end.
fn watch(engine: &Engine, trace: &str, first: &str) -> (Vec<String>, Vec<(String, String)>) {
    let mut texts = vec![first.to_owned()];
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        assert!(std::time::Instant::now() < deadline, "it does not end: {texts:?}");
        let items = engine.get(&format!("/watch/{trace}")).json();
        let items = items.as_array().expect("a group").iter();
        let text = |item: &Value, member: &str| item[member].as_str().expect("a text").to_owned();
        let (message, mut others): (Vec<_>, Vec<_>) =
            items.map(|item| (text(item, "id"), text(item, "message"))).partition(|(id, _)| id == "message");
        let message = message.into_iter().next().map(|(_, text)| text).unwrap_or_default();
        if texts.last() != Some(&message) {
            texts.push(message);
        }
        if texts.len() == 4 && others.iter().any(|(id, _)| id == "completed") {
            others.sort();
            return (texts, others);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn streaming_agents() {
    let Some(documentation) = documentation() else { return };
    let project = pets(&documentation, &[24172, 24315, 24584, 24981, GET_PET]);
    project.write("steps/watch_step.py", WATCH);
    let engine = with_openai(&project);
    let created = |pet: Value, id: &str| {
        let answer = create(&engine, "/py/pets", &pet);
        let trace = answer.header("x-trace-id").expect("a trace").to_owned();
        let mut body = answer.json();
        body.as_object_mut().expect("an item").remove("_createdAt");
        let age = &pet["ageMonths"];
        let message = format!(
            "Pet {} (ID: {id}) created successfully - Species: {}, Age: {age} months, Status: new",
            pet["name"].as_str().expect("a name"),
            pet["species"].as_str().expect("a species"),
        );
        // The group is the trace of the request.
        let mark = json!({ "type": "state-stream", "streamName": "petCreation", "groupId": trace, "id": "message" });
        assert_eq!(body, json!({ "message": message, "id": "message", "__motia": mark }));
        (trace, message)
    };

    // L25396 and L25410
    let (healthy, first) = created(json!({ "name": "Buddy", "species": "dog", "ageMonths": 12 }), "1");
    let (texts, others) = watch(&engine, &healthy, &first);
    let expected = [
        &first,
        "Pet Buddy entered quarantine period",
        "Health check passed for Buddy - no symptoms found",
        "Buddy is healthy and ready for adoption! ✅",
    ];
    assert_eq!(texts, expected);
    let item = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    let expected = [
        item("completed", "AI enrichment completed for Buddy"),
        item("enrichment_started", "AI enrichment started for Buddy"),
        item("progress_adopterHints", "Generated adopterHints for Buddy"),
        item("progress_bio", "Generated bio for Buddy"),
        item("progress_breedGuess", "Generated breedGuess for Buddy"),
        item("progress_temperamentTags", "Generated temperamentTags for Buddy"),
    ];
    assert_eq!(others, expected);

    let luna = json!({ "name": "Refused", "species": "cat", "ageMonths": 18, "weightKg": 3.5, "symptoms": ["sneezing", "watery eyes"] });
    let (ill, first) = created(luna, "2");
    let (texts, others) = watch(&engine, &ill, &first);
    let expected = [
        &first,
        "Pet Refused entered quarantine period",
        "Health check failed for Refused - symptoms detected: sneezing, watery eyes",
        "Refused needs medical treatment ❌",
    ];
    assert_eq!(texts, expected);
    // L24973
    let expected = [
        item("completed", "AI enrichment completed with fallback profile for Refused"),
        item("enrichment_started", "AI enrichment started for Refused"),
    ];
    assert_eq!(others, expected);
    assert_eq!(engine.get("/pets/2").json()["status"], "in_quarantine");
    assert_eq!(engine.get("/pets/2").json()["weightKg"], 3.5);
}
