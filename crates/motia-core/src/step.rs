//! What a step file's `config` means (L150-L520), once checked.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fields::{FieldError, Fields, kind};
use crate::ids::{FlowName, Language, SourcePath, StepName, Topic};
use crate::project::Validation;

/// A step: a file with a config and, unless it is a noop, a handler.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its unique name.
    pub name: StepName,
    /// The file it comes from.
    pub source: SourcePath,
    /// The file's language.
    pub language: Language,
    /// For people.
    pub description: Option<String>,
    /// The flows it is drawn in.
    pub flows: Vec<FlowName>,
    /// When it runs.
    pub trigger: Trigger,
    /// Which topics its handler may emit.
    pub emits: Emits,
    /// Drawn, never sent.
    pub virtual_emits: Vec<Emit>,
    /// Drawn, never received.
    pub virtual_subscribes: Vec<Topic>,
    /// What becomes of data that does not match its schema; as the project says, if absent.
    pub validation: Option<Validation>,
}

/// When a step runs.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// On an HTTP request.
    Api(ApiTrigger),
    /// On an event.
    Event(EventTrigger),
    /// On a schedule.
    Cron(CronTrigger),
    /// Never: a node in the Workbench that stands for something outside.
    Noop,
}

/// An HTTP endpoint.
#[derive(Clone, Debug)]
pub struct ApiTrigger {
    /// The method.
    pub method: Method,
    /// The pattern as written, always with a leading `/`.
    pub path: String,
    /// JSON Schema of the body, if given.
    pub body_schema: Option<Value>,
    /// JSON Schemas of the responses, by status.
    pub response_schema: Option<Value>,
    /// Documentation of query parameters.
    pub query_params: Vec<QueryParam>,
}

/// A query parameter as documented in the config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueryParam {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
}

/// A subscription to topics.
#[derive(Clone, Debug)]
pub struct EventTrigger {
    /// At least one topic.
    pub subscribes: Vec<Topic>,
    /// JSON Schema of the data, if given.
    pub input: Option<Value>,
    /// Retries, order, concurrency, timeout.
    pub queue: QueueConfig,
}

/// `infrastructure` of an event step (L5707-L5917), with the defaults of design.md section 6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueConfig {
    /// Parallel, or in order per group.
    pub kind: QueueKind,
    /// Attempts after the first.
    pub max_retries: u32,
    /// How long a worker that went silent may hold a delivery.
    pub visibility_timeout: Duration,
    /// Waits before the first attempt.
    pub delay: Duration,
    /// Deliveries of the step that run at a time.
    pub concurrency: NonZeroU32,
    /// Of a standard queue: deliveries of one message group that run at a time. Events without a group are not limited by it.
    pub group_concurrency: Option<NonZeroU32>,
    /// How long a failed delivery waits for its next attempt.
    pub backoff: Backoff,
    /// How long the handler may take, if configured.
    pub timeout: Option<Duration>,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            kind: QueueKind::Standard,
            max_retries: 3,
            visibility_timeout: Duration::from_secs(900),
            delay: Duration::ZERO,
            concurrency: NonZeroU32::MIN.saturating_add(9),
            group_concurrency: None,
            backoff: Backoff::default(),
            timeout: None,
        }
    }
}

/// How long a failed delivery waits for its next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// How the waits grow.
    pub kind: BackoffKind,
    /// The first wait.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

/// How waits grow from attempt to attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackoffKind {
    /// They double, and are shortened by up to a half at random, so that what failed together comes back apart.
    Exponential,
    /// They stay the same.
    Fixed,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { kind: BackoffKind::Exponential, first: Duration::from_secs(1), longest: Duration::from_secs(5 * 60) }
    }
}

impl Backoff {
    /// The wait after so many failures, 1 or more. `random` is any number: the same one gives the same wait.
    pub fn wait(&self, failures: u32, random: u64) -> Duration {
        match self.kind {
            BackoffKind::Fixed => self.first,
            BackoffKind::Exponential => {
                let doublings = failures.saturating_sub(1);
                let whole = self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.longest);
                let jitter = (random ^ u64::from(failures)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40; // 24 bits
                whole.mul_f64(0.5 + 0.5 * (jitter as f64 / f64::from(1 << 24)))
            }
        }
    }
}

/// How deliveries of a step are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueKind {
    /// In parallel, in no order.
    Standard,
    /// One at a time per message group, in order.
    Fifo,
}

/// A schedule.
#[derive(Clone, Debug)]
pub struct CronTrigger {
    /// 5 or 6 fields, as written. Checked by the scheduler, which names the file when it is wrong.
    pub cron: String,
    /// The IANA time zone that the fields are in; that of the process, if absent. Checked by the scheduler.
    pub timezone: Option<String>,
    /// What becomes of an instant that comes while the run before has not ended.
    pub overlap: Overlap,
    /// How far back instants are caught up with that passed while no engine ran.
    pub catch_up: Duration,
}

/// What becomes of an instant that comes while the run before has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is skipped, which is recorded.
    #[default]
    Skip,
    /// It runs beside the other.
    Allow,
}

/// Which topics a step may emit. An absent or empty list means any (tutorials.md 2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Emits {
    /// Any topic.
    #[default]
    Any,
    /// These alone; others are warned about and dropped.
    Only(Vec<Emit>),
}

impl Emits {
    /// Whether an emit to `topic` is let through.
    pub fn allow(&self, topic: &Topic) -> bool {
        match self {
            Self::Any => true,
            Self::Only(list) => list.iter().any(|emit| emit.topic == *topic),
        }
    }

    /// The topics that are written down.
    pub fn declared(&self) -> &[Emit] {
        match self {
            Self::Any => &[],
            Self::Only(list) => list,
        }
    }
}

/// A topic in `emits`, with what the Workbench draws beside it (L1706-L1720).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Emit {
    /// The topic.
    pub topic: Topic,
    /// A label for the edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether the edge is drawn as conditional.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
}

/// The methods a step can have (L251).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
    /// PATCH
    Patch,
    /// OPTIONS
    Options,
    /// HEAD
    Head,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Get, Self::Post, Self::Put, Self::Delete, Self::Patch, Self::Options, Self::Head];

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
            Self::Head => "HEAD",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = ();

    /// Exact: `get` is not a method on the wire.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or(())
    }
}

/// A config that was understood, and what was odd about it.
#[derive(Debug)]
pub struct Parsed<T> {
    /// The meaning.
    pub value: T,
    /// What users should know: unknown members, mended values.
    pub warnings: Vec<String>,
}

impl Step {
    /// Something that workers run but no step file is: what a stream's file or the project's config says about who may watch. It goes by
    /// its file's name.
    pub fn unlisted(source: SourcePath, language: Language) -> Self {
        Self {
            name: source.as_str().into(),
            source,
            language,
            description: None,
            flows: Vec::new(),
            trigger: Trigger::Noop,
            emits: Emits::default(),
            virtual_emits: Vec::new(),
            virtual_subscribes: Vec::new(),
            validation: None,
        }
    }

    /// The JSON Schema of what its handler gets, and the member of its config that holds it.
    pub fn schema(&self) -> Option<(&'static str, &Value)> {
        match &self.trigger {
            Trigger::Api(api) => Some(("bodySchema", api.body_schema.as_ref()?)),
            Trigger::Event(event) => Some(("input", event.input.as_ref()?)),
            Trigger::Cron(_) | Trigger::Noop => None,
        }
    }

    /// What kind of step this is, as in start-up lines and the admin API.
    pub fn kind(&self) -> &'static str {
        match self.trigger {
            Trigger::Api(_) => "API",
            Trigger::Event(_) => "Event",
            Trigger::Cron(_) => "Cron",
            Trigger::Noop => "Noop",
        }
    }

    /// Reads the config that a worker extracted from `source`.
    pub fn parse(source: SourcePath, language: Language, config: &Value) -> Result<Parsed<Self>, FieldError> {
        let mut fields = Fields::new("", config)?;
        let mut warnings = Vec::new();
        let name = StepName::from(fields.required_string("name")?);
        let trigger = match fields.required_string("type")? {
            "api" => Trigger::Api(ApiTrigger::read(&mut fields, &mut warnings)?),
            "event" => Trigger::Event(EventTrigger::read(&mut fields, &mut warnings)?),
            "cron" => Trigger::Cron(CronTrigger::read(&mut fields)?),
            "noop" => Trigger::Noop,
            other => {
                return Err(
                    fields.error("type", format!("should be 'api', 'event', 'cron' or 'noop', but is '{other}'"))
                );
            }
        };
        let emits = read_emits(&mut fields, "emits")?;
        let step = Self {
            name,
            source,
            language,
            description: fields.string("description")?.map(str::to_owned),
            flows: fields.strings("flows")?.into_iter().map(FlowName::from).collect(),
            trigger,
            emits: if emits.is_empty() { Emits::Any } else { Emits::Only(emits) },
            virtual_emits: read_emits(&mut fields, "virtualEmits")?,
            virtual_subscribes: fields.strings("virtualSubscribes")?.into_iter().map(Topic::from).collect(),
            validation: Validation::read(&mut fields)?,
        };
        for accepted in ["includeFiles", "middleware", "infrastructure"] {
            fields.raw(accepted);
        }
        warnings.extend(fields.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        Ok(Parsed { value: step, warnings })
    }
}

impl ApiTrigger {
    fn read(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Result<Self, FieldError> {
        let written = fields.required_string("method")?;
        let upper = written.to_ascii_uppercase();
        let method = upper.parse().map_err(|()| {
            let all: Vec<_> = Method::ALL.iter().map(|method| method.as_str()).collect();
            fields.error("method", format!("should be one of {}, but is '{written}'", all.join(", ")))
        })?;
        if upper != written {
            warnings.push(format!("method '{written}' is read as '{upper}'"));
        }
        let mut path = fields.required_string("path")?.to_owned();
        if !path.starts_with('/') {
            warnings.push(format!("path '{path}' is read as '/{path}'"));
            path.insert(0, '/');
        }
        let mut query_params = Vec::new();
        for (at, item) in fields.list("queryParams")? {
            let mut param = Fields::new(&at, item)?;
            query_params.push(QueryParam {
                name: param.required_string("name")?.to_owned(),
                description: param.string("description")?.unwrap_or_default().to_owned(),
            });
        }
        Ok(Self {
            method,
            path,
            body_schema: fields.raw("bodySchema").cloned(),
            response_schema: fields.raw("responseSchema").cloned(),
            query_params,
        })
    }
}

impl EventTrigger {
    fn read(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Result<Self, FieldError> {
        let subscribes: Vec<Topic> = fields.strings("subscribes")?.into_iter().map(Topic::from).collect();
        if subscribes.is_empty() {
            // Steps are put aside this way; whether that is meant is for the user to say.
            if fields.raw("subscribes").is_none() {
                return Err(fields.error("subscribes", "is missing; it should be a list of topics"));
            }
            warnings.push("'subscribes' is empty: no event runs this step".to_owned());
        }
        let queue = match fields.object("infrastructure")? {
            Some(infrastructure) => QueueConfig::read(infrastructure, warnings)?,
            None => QueueConfig::default(),
        };
        Ok(Self { subscribes, input: fields.raw("input").cloned(), queue })
    }
}

impl QueueConfig {
    fn read(mut infrastructure: Fields<'_>, warnings: &mut Vec<String>) -> Result<Self, FieldError> {
        let mut config = Self::default();
        let mut unknown = Vec::new();
        if let Some(mut handler) = infrastructure.object("handler")? {
            config.timeout = handler.seconds("timeout")?.filter(|timeout| !timeout.is_zero());
            // Sizes of the cloud's machines: they have no meaning here and are not worth a warning.
            handler.raw("ram");
            handler.raw("cpu");
            unknown.extend(handler.finish());
        }
        if let Some(mut queue) = infrastructure.object("queue")? {
            config.kind = match queue.string("type")? {
                None | Some("standard") => QueueKind::Standard,
                Some("fifo") => QueueKind::Fifo,
                Some(other) => {
                    return Err(queue.error("type", format!("should be 'standard' or 'fifo', but is '{other}'")));
                }
            };
            if let Some(retries) = queue.whole("maxRetries")? {
                config.max_retries = u32::try_from(retries).unwrap_or(u32::MAX);
            }
            config.visibility_timeout = queue.seconds("visibilityTimeout")?.unwrap_or(config.visibility_timeout);
            config.delay = queue.seconds("delaySeconds")?.unwrap_or_default();
            config.concurrency = at_least_one(&mut queue, "concurrency")?.unwrap_or(config.concurrency);
            config.group_concurrency = at_least_one(&mut queue, "groupConcurrency")?;
            if config.group_concurrency.is_some() && config.kind == QueueKind::Fifo {
                config.group_concurrency = None;
                warnings.push(
                    "groupConcurrency has no meaning in a fifo queue, where groups run one event at a time".into(),
                );
            }
            config.backoff = Backoff::read(&mut queue, &mut unknown)?;
            unknown.extend(queue.finish());
        }
        unknown.extend(infrastructure.finish());
        warnings.extend(unknown.into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        Ok(config)
    }
}

impl Backoff {
    /// `'fixed'`, `'exponential'`, or `{ type, delay, max }` with seconds.
    fn read(queue: &mut Fields<'_>, unknown: &mut Vec<String>) -> Result<Self, FieldError> {
        let mut backoff = Self::default();
        let read_kind = |fields: &Fields<'_>, key: &str, text: &str| match text {
            "exponential" => Ok(BackoffKind::Exponential),
            "fixed" => Ok(BackoffKind::Fixed),
            other => Err(fields.error(key, format!("should be 'exponential' or 'fixed', but is '{other}'"))),
        };
        match queue.raw("backoff") {
            None => {}
            Some(Value::String(text)) => backoff.kind = read_kind(queue, "backoff", text)?,
            Some(_) => {
                if let Some(mut fields) = queue.object("backoff")? {
                    if let Some(text) = fields.string("type")? {
                        backoff.kind = read_kind(&fields, "type", text)?;
                    }
                    backoff.first = fields.seconds("delay")?.unwrap_or(backoff.first);
                    backoff.longest = fields.seconds("max")?.unwrap_or(backoff.longest).max(backoff.first);
                    unknown.extend(fields.finish());
                }
            }
        }
        Ok(backoff)
    }
}

fn at_least_one(fields: &mut Fields<'_>, key: &'static str) -> Result<Option<NonZeroU32>, FieldError> {
    let Some(number) = fields.whole(key)? else { return Ok(None) };
    let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
    number.map(Some).ok_or_else(|| fields.error(key, "should be 1 or more"))
}

/// How far `catchUp: true` goes back.
const CATCH_UP: Duration = Duration::from_secs(24 * 60 * 60);

impl CronTrigger {
    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            cron: fields.required_string("cron")?.to_owned(),
            timezone: fields.string("timezone")?.map(str::to_owned),
            overlap: match fields.string("overlap")? {
                None | Some("skip") => Overlap::Skip,
                Some("allow") => Overlap::Allow,
                Some(other) => {
                    return Err(fields.error("overlap", format!("should be 'skip' or 'allow', but is '{other}'")));
                }
            },
            catch_up: match fields.raw("catchUp") {
                None | Some(Value::Bool(false)) => Duration::ZERO,
                Some(Value::Bool(true)) => CATCH_UP,
                Some(_) => fields.seconds("catchUp")?.unwrap_or_default(),
            },
        })
    }
}

fn read_emits(fields: &mut Fields<'_>, key: &'static str) -> Result<Vec<Emit>, FieldError> {
    let mut emits = Vec::new();
    for (at, item) in fields.list(key)? {
        emits.push(match item {
            Value::String(topic) => Emit { topic: topic.as_str().into(), label: None, conditional: false },
            Value::Object(_) => {
                let mut entry = Fields::new(&at, item)?;
                Emit {
                    topic: entry.required_string("topic")?.into(),
                    label: entry.string("label")?.map(str::to_owned),
                    conditional: entry.boolean("conditional")?.unwrap_or_default(),
                }
            }
            other => {
                let problem = format!("should be a topic or {{ topic, label, conditional }}, but is {}", kind(other));
                return Err(FieldError { member: at, problem });
            }
        });
    }
    Ok(emits)
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
