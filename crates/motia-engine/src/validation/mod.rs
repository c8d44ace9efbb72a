//! Data against the schemas of steps: refused before the handler runs, or looked at beside it (design.md section 6).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use motia_core::project::Validation as Mode;
use motia_core::record::Level;
use motia_core::step::Step;
use motia_core::{SourcePath, StepName};
use motia_schema::{Compiled, Outcome, Problem, Schema};
use motia_worker::{Content, RequestHead};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::registry::Project;
use crate::telemetry::Telemetry;

/// The most problems in one line of the log.
const MOST_LOGGED: usize = 3;
/// Data longer than this is checked on a thread of its own kind, and its first problem alone is told.
const LONG: usize = 64 << 10;
/// How many long ones are checked at a time: as values they are many times as large as their text.
const LONG_AT_A_TIME: usize = 2;
/// Samples are taken of everything at first, and then of one in so many.
const FIRST_SAMPLES: u32 = 100;
const SAMPLE_EVERY: u32 = 64;
/// The longest data that is sampled.
const LONGEST_SAMPLE: usize = 256 << 10;
/// Samples that wait to be looked at; further ones are dropped.
const WAITING_SAMPLES: usize = 64;
/// The most different problems that are said of one step.
const MOST_SAID: usize = 50;

/// Why data is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It cannot be read.
    NotJson(String),
    /// It does not match.
    Mismatch(Vec<Problem>),
}

/// What a handler gets, as far as a schema can say something about it.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Json(Bytes),
    Text(Bytes),
    /// A request without a body: its handler gets `{}`.
    Empty,
    /// An event without data.
    Absent,
    /// A multipart form or bytes: nothing that a schema can say anything about.
    Opaque,
}

/// The schemas of the project that runs.
pub(crate) struct Validation {
    checks: RwLock<Arc<Checks>>,
    long: Arc<Semaphore>,
    background: OnceLock<SyncSender<Job>>,
    telemetry: Telemetry,
}

type Checks = HashMap<SourcePath, Arc<Check>>;

/// The schema of a step, and what was said of it.
struct Check {
    step: StepName,
    /// What its data is called: `body`, `input`.
    name: &'static str,
    /// The member of the config that holds it.
    member: &'static str,
    json: Value,
    /// Read when it is needed first. `None`: it cannot be used.
    schema: OnceLock<Option<Schema>>,
    seen: AtomicU32,
    said: Mutex<HashSet<String>>,
}

/// What is done off the path of requests.
enum Job {
    Compile(Vec<Arc<Check>>),
    Look(Arc<Check>, Data),
}

impl Data {
    /// The body of a request. `None` where none is to be expected.
    pub(crate) fn of_request(head: &RequestHead, body: &Bytes) -> Option<Self> {
        match head.content {
            Content::None if matches!(head.method.as_str(), "GET" | "HEAD" | "OPTIONS") => None,
            Content::None => Some(Self::Empty),
            Content::Json if body.is_empty() => Some(Self::Empty),
            Content::Json => Some(Self::Json(body.clone())),
            // Its JSON stands before it.
            Content::Form => Some(Self::Json(body.slice(..head.split.unwrap_or(0).min(body.len())))),
            Content::Text => Some(Self::Text(body.clone())),
            Content::Multipart | Content::Binary => Some(Self::Opaque),
        }
    }

    /// The data of an event.
    pub(crate) fn of_event(data: &Bytes) -> Self {
        if data.is_empty() { Self::Absent } else { Self::Json(data.clone()) }
    }

    fn len(&self) -> usize {
        match self {
            Self::Json(bytes) | Self::Text(bytes) => bytes.len(),
            Self::Empty | Self::Absent | Self::Opaque => 0,
        }
    }

    fn parse(&self) -> Result<Value, String> {
        match self {
            Self::Json(bytes) => {
                // A byte order mark is no JSON, but handlers are given what comes after it.
                let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
                serde_json::from_slice(bytes).map_err(|error| error.to_string())
            }
            Self::Text(bytes) => Ok(Value::String(String::from_utf8_lossy(bytes).into_owned())),
            Self::Empty => Ok(Value::Object(serde_json::Map::new())),
            Self::Absent => Ok(Value::Null),
            Self::Opaque => Err("multipart forms and bytes have no JSON form".into()),
        }
    }
}

impl Validation {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        Self {
            checks: RwLock::default(),
            long: Arc::new(Semaphore::new(LONG_AT_A_TIME)),
            background: OnceLock::new(),
            telemetry,
        }
    }

    /// Takes the schemas of a project. Those that did not change stay as they are, with what was said of them. None is read now: that
    /// would delay the project; those that are enforced are read in the background.
    pub(crate) fn update(&self, project: &Project, mode: Mode) {
        let before = Arc::clone(&self.checks.read());
        let (mut checks, mut enforced) = (Checks::new(), Vec::new());
        for step in project.steps() {
            let Some((member, json)) = step.schema() else { continue };
            let known = before.get(&step.source).filter(|check| check.step == step.name && check.json == *json);
            let check = known.map_or_else(|| Arc::new(Check::new(step, member, json)), Arc::clone);
            if step.validation.unwrap_or(mode) == Mode::Enforce && check.schema.get().is_none() {
                enforced.push(Arc::clone(&check));
            }
            checks.insert(step.source.clone(), check);
        }
        *self.checks.write() = Arc::new(checks);
        if !enforced.is_empty() {
            self.hand_over(Job::Compile(enforced));
        }
    }

    /// Refuses data that does not match the schema of its step.
    pub(crate) async fn enforce(&self, step: &Step, data: Data) -> Result<(), Refused> {
        let Some(check) = self.check_of(step) else { return Ok(()) };
        if data.len() <= LONG {
            return check.refuse(&data, &self.telemetry, Schema::check);
        }
        let Ok(turn) = Arc::clone(&self.long).acquire_owned().await else { return Ok(()) };
        let telemetry = self.telemetry.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            check.refuse(&data, &telemetry, Schema::check_first)
        });
        checked.await.unwrap_or_else(|error| Err(Refused::NotJson(format!("it could not be checked: {error}"))))
    }

    /// Looks at data beside the request, now and then. Costs the request a counter, and sometimes a place in a queue.
    pub(crate) fn sample(&self, step: &Step, data: Data) {
        let (Some(check), false) = (self.check_of(step), matches!(data, Data::Opaque)) else { return };
        let seen = check.seen.fetch_add(1, Ordering::Relaxed);
        let unusable = check.schema.get().is_some_and(Option::is_none);
        if !unusable && (seen < FIRST_SAMPLES || seen.is_multiple_of(SAMPLE_EVERY)) && data.len() <= LONGEST_SAMPLE {
            self.hand_over(Job::Look(check, data));
        }
    }

    fn check_of(&self, step: &Step) -> Option<Arc<Check>> {
        self.checks.read().get(&step.source).cloned()
    }

    fn hand_over(&self, job: Job) {
        let jobs = self.background.get_or_init(|| {
            let (sender, receiver) = sync_channel(WAITING_SAMPLES);
            let telemetry = self.telemetry.clone();
            let thread = std::thread::Builder::new().name("motia-validation".into());
            if let Err(error) = thread.spawn(move || work(&receiver, &telemetry)) {
                let text = format!("data is not compared with schemas in the background: {error}");
                self.telemetry.log(Level::Error, text);
            }
            sender
        });
        // Samples that do not fit are not needed; what is not compiled ahead is compiled when it is used.
        let _ = jobs.try_send(job);
    }
}

/// Ends with the engine.
fn work(jobs: &Receiver<Job>, telemetry: &Telemetry) {
    for job in jobs {
        match job {
            Job::Compile(checks) => checks.iter().for_each(|check| {
                check.schema(telemetry);
            }),
            Job::Look(check, data) => check.look(&data, telemetry),
        }
    }
}

impl Check {
    fn new(step: &Step, member: &'static str, json: &Value) -> Self {
        Self {
            step: step.name.clone(),
            name: if member == "input" { "input" } else { "body" },
            member,
            json: json.clone(),
            schema: OnceLock::new(),
            seen: AtomicU32::new(0),
            said: Mutex::default(),
        }
    }

    fn schema(&self, telemetry: &Telemetry) -> Option<&Schema> {
        let schema = self.schema.get_or_init(|| match Schema::compile(&self.json) {
            Ok(Compiled { schema, warnings }) => {
                for warning in warnings {
                    self.say(telemetry, format!("{}: {warning}", self.member));
                }
                Some(schema)
            }
            Err(problem) => {
                self.say(telemetry, format!("{} cannot be used, so nothing is checked: {problem}", self.member));
                None
            }
        });
        schema.as_ref()
    }

    fn say(&self, telemetry: &Telemetry, text: String) {
        telemetry.log_of(Level::Warn, None, Some(self.step.clone()), text);
    }

    fn refuse(
        &self,
        data: &Data,
        telemetry: &Telemetry,
        how: fn(&Schema, &Value, &str) -> Outcome,
    ) -> Result<(), Refused> {
        let Some(schema) = self.schema(telemetry) else { return Ok(()) };
        let whole =
            |message: &str| Refused::Mismatch(vec![Problem { path: self.name.into(), message: message.into() }]);
        if matches!(data, Data::Opaque) {
            // Let through, it would be a way around the schema.
            return Err(whole(
                "is a multipart form or bytes, which cannot be compared with the schema: send JSON (content-type: application/json)",
            ));
        }
        let value = data.parse().map_err(Refused::NotJson)?;
        let Outcome { problems, undecided } = how(schema, &value, self.name);
        if undecided {
            self.say_undecided(telemetry);
            // Whoever can make a pattern run for ever must not get past it.
            if problems.is_empty() {
                return Err(whole("has a text on which a pattern of the schema takes too long"));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Refused::Mismatch(problems)) }
    }

    /// Says what is wrong with a sample, each kind of it once.
    fn look(&self, data: &Data, telemetry: &Telemetry) {
        let Some(schema) = self.schema(telemetry) else { return };
        // Whoever reads it says what is wrong.
        let Ok(value) = data.parse() else { return };
        let Outcome { problems, undecided } = schema.check(&value, self.name);
        if undecided {
            self.say_undecided(telemetry);
        }
        let new: Vec<_> = problems.into_iter().filter(|problem| self.is_new(problem.shape())).collect();
        if !new.is_empty() {
            self.say(
                telemetry,
                format!(
                    "the data does not match {}: {}. It is handled all the same; this is said once (validation: \"warn\")",
                    self.member,
                    in_words(&new)
                ),
            );
        }
    }

    fn say_undecided(&self, telemetry: &Telemetry) {
        if self.is_new(String::new()) {
            let text = format!(
                "a pattern in {} takes too long on some data, which is refused under \"enforce\" and not compared under \"warn\"; write a simpler one",
                self.member
            );
            self.say(telemetry, text);
        }
    }

    fn is_new(&self, shape: String) -> bool {
        let mut said = self.said.lock();
        said.len() < MOST_SAID && said.insert(shape)
    }
}

/// The problems as one line of the log.
pub(crate) fn in_words(problems: &[Problem]) -> String {
    let named: Vec<_> = problems.iter().take(MOST_LOGGED).map(ToString::to_string).collect();
    match problems.len().saturating_sub(MOST_LOGGED) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

#[cfg(test)]
mod tests {
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
        assert!(first.schema.get().is_none(), "nothing was read that nobody needed");
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
}
