//! Data against the schemas of steps and streams: refused before the handler runs or the item is stored, or looked at beside that (design.md
//! section 6).
//!
//! | module | holds |
//! |---|---|
//! | `check` | one schema, and what was said of it |
//! | `items` | the items of streams |

mod check;
mod items;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use motia_core::SourcePath;
use motia_core::project::Validation as Mode;
use motia_core::record::Level;
use motia_core::step::Step;
use motia_schema::{Problem, Schema};
use motia_worker::{Content, RequestHead};
use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::Semaphore;

pub(crate) use check::in_words;
use check::{Check, Names};

use crate::registry::Project;
use crate::telemetry::Telemetry;

/// Of data longer than this the first problem alone is told, and that of requests and events is checked on a thread of its own kind.
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
    /// An item as it is stored.
    Item(Bytes),
}

/// The schemas of the project that runs.
pub(crate) struct Validation {
    checks: RwLock<Arc<Checks>>,
    long: Arc<Semaphore>,
    background: OnceLock<SyncSender<Job>>,
    telemetry: Telemetry,
}

type Checks = HashMap<SourcePath, Arc<Check>>;

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
            Self::Json(bytes) | Self::Text(bytes) | Self::Item(bytes) => bytes.len(),
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
            Self::Item(bytes) => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
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
        let mut take = |source: &SourcePath, names: Names, json: &Value, own: Option<Mode>| {
            let known = before.get(source).filter(|check| check.is(&names, json));
            let check = known.map_or_else(|| Arc::new(Check::new(names, json)), Arc::clone);
            if own.unwrap_or(mode) == Mode::Enforce && !check.is_read() {
                enforced.push(Arc::clone(&check));
            }
            checks.insert(source.clone(), check);
        };
        for step in project.steps() {
            let Some((member, json)) = step.schema() else { continue };
            take(&step.source, Names::of_step(step.name.clone(), member), json, step.validation);
        }
        for stream in project.streams() {
            let Some(json) = &stream.schema else { continue };
            take(&stream.source, Names::of_stream(&stream.source), json, stream.validation);
        }
        *self.checks.write() = Arc::new(checks);
        if !enforced.is_empty() {
            self.hand_over(Job::Compile(enforced));
        }
    }

    /// Refuses data that does not match the schema of its step.
    pub(crate) async fn enforce(&self, step: &Step, data: Data) -> Result<(), Refused> {
        let Some(check) = self.check_of(&step.source) else { return Ok(()) };
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
        if !matches!(data, Data::Opaque) {
            self.sample_of(&step.source, data);
        }
    }

    fn sample_of(&self, source: &SourcePath, data: Data) {
        let Some(check) = self.check_of(source) else { return };
        let seen = check.seen.fetch_add(1, Ordering::Relaxed);
        if !check.is_unusable()
            && (seen < FIRST_SAMPLES || seen.is_multiple_of(SAMPLE_EVERY))
            && data.len() <= LONGEST_SAMPLE
        {
            self.hand_over(Job::Look(check, data));
        }
    }

    fn check_of(&self, source: &SourcePath) -> Option<Arc<Check>> {
        self.checks.read().get(source).cloned()
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

#[cfg(test)]
mod tests;
