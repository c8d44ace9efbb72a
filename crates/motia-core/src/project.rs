//! What `motia.config.ts|js` means: the knobs of the whole project (design.md section 7).

use std::time::Duration;

use serde_json::Value;

use crate::fields::{FieldError, Fields, kind};
use crate::step::Parsed;

pub mod cors;
pub mod retention;
pub mod static_files;
pub mod streams;
pub mod validation;
pub mod workers;

pub use cors::Cors;
pub use retention::Retention;
pub use static_files::StaticMount;
pub use streams::StreamAccess;
pub use validation::Validation;
pub use workers::{Isolation, WorkerCount, Workers};

/// The project's knobs, each with the default that holds when the file or the member is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectConfig {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// The largest request body, in bytes.
    pub body_limit: u64,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How long a stop may take before what still runs is cut off.
    pub shutdown_timeout: Duration,
    /// Whether a spare worker per language is kept ready.
    pub standby: bool,
    /// How many workers a language has.
    pub workers: Workers,
    /// What calls share.
    pub isolation: Isolation,
    /// Which pages may read responses.
    pub cors: Cors,
    /// Folders whose files are served, the longest path first.
    pub static_files: Vec<StaticMount>,
    /// What becomes of data that does not match its schema, unless the step says otherwise.
    pub validation: Validation,
    /// How long what is finished is kept.
    pub retention: Retention,
    /// Whether calls and what they ask for are recorded. Log lines always are.
    pub tracing: bool,
    /// Who may watch streams.
    pub streams: StreamAccess,
    /// Whether it has an `app` hook: a function that gets the project's own express application.
    pub app: bool,
}

/// What an acknowledged write survives (design.md P1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `kill -9` of every process, and a power cut once the handler's outcome has left.
    Fsync,
    /// `kill -9` of every process.
    Os,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Importing one step file.
    pub import: Duration,
    /// An API step, until the first byte of its response.
    pub api: Duration,
    /// A pause in a streamed response.
    pub idle: Duration,
    /// An event step that configures none of its own, and a cron step.
    pub event: Duration,
    /// A function that says who may watch streams.
    pub access: Duration,
    /// What is asked of a stream's own storage.
    pub storage: Duration,
}

impl Timeouts {
    /// While a debugger is attached: a handler may stand still for as long as someone looks at it.
    pub const NEVER: Self = Self {
        import: Duration::from_secs(24 * 60 * 60),
        api: Duration::from_secs(24 * 60 * 60),
        idle: Duration::from_secs(24 * 60 * 60),
        event: Duration::from_secs(24 * 60 * 60),
        access: Duration::from_secs(24 * 60 * 60),
        storage: Duration::from_secs(24 * 60 * 60),
    };
}

impl Default for Timeouts {
    fn default() -> Self {
        let five_minutes = Duration::from_secs(5 * 60);
        Self {
            import: Duration::from_secs(60),
            api: five_minutes,
            idle: five_minutes,
            event: Duration::from_secs(15 * 60),
            access: Duration::from_secs(10),
            storage: Duration::from_secs(30),
        }
    }
}

impl Default for ProjectConfig {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            body_limit: 10 << 20,
            timeouts: Timeouts::default(),
            shutdown_timeout: Duration::from_secs(8),
            standby: true,
            workers: Workers::default(),
            isolation: Isolation::None,
            cors: Cors::default(),
            static_files: Vec::new(),
            validation: Validation::default(),
            retention: Retention::default(),
            tracing: true,
            streams: StreamAccess::default(),
            app: false,
        }
    }
}

/// Members that the design gives a meaning which this version does not have yet.
const PLANNED: [&str; 1] = ["workbench"];

impl ProjectConfig {
    /// Reads the exported object. A member of the wrong type is reported and its default holds: it never loses the rest.
    pub fn parse(config: &Value) -> Result<Parsed<Self>, FieldError> {
        let mut fields = Fields::new("", config)?;
        let mut warnings = Vec::new();
        let default = Self::default();
        let value = Self {
            durability: or_warn(fields.string("durability"), &mut warnings)
                .and_then(|text| match text {
                    "fsync" => Some(Durability::Fsync),
                    "os" => Some(Durability::Os),
                    other => {
                        warnings
                            .push(format!("durability: should be 'fsync' or 'os', but is '{other}'; 'fsync' holds"));
                        None
                    }
                })
                .unwrap_or(default.durability),
            body_limit: or_warn(fields.bytes("bodyLimit"), &mut warnings).unwrap_or(default.body_limit),
            timeouts: match or_warn(fields.object("timeouts"), &mut warnings) {
                Some(timeouts) => Timeouts::read(timeouts, &mut warnings),
                None => default.timeouts,
            },
            shutdown_timeout: or_warn(fields.seconds("shutdownTimeout"), &mut warnings)
                .unwrap_or(default.shutdown_timeout),
            standby: or_warn(fields.boolean("standby"), &mut warnings).unwrap_or(default.standby),
            workers: Workers::read(&mut fields, &mut warnings),
            isolation: Isolation::read(&mut fields, &mut warnings),
            cors: Cors::read(&mut fields, &mut warnings),
            static_files: static_files::read(&mut fields, &mut warnings),
            validation: or_warn(Validation::read(&mut fields), &mut warnings).unwrap_or_default(),
            retention: Retention::read(&mut fields, &mut warnings),
            tracing: or_warn(fields.boolean("tracing"), &mut warnings).unwrap_or(default.tracing),
            streams: StreamAccess::read(&mut fields, &mut warnings),
            // A function comes as `true`.
            app: fields.raw("app").is_some_and(|app| *app == Value::Bool(true)),
        };
        note_foreign_members(&mut fields, &mut warnings);
        warnings.extend(fields.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        Ok(Parsed { value, warnings })
    }
}

impl Timeouts {
    fn read(mut fields: Fields<'_>, warnings: &mut Vec<String>) -> Self {
        let default = Self::default();
        let timeouts = Self {
            import: or_warn(fields.seconds("import"), warnings).unwrap_or(default.import),
            api: or_warn(fields.seconds("api"), warnings).unwrap_or(default.api),
            idle: or_warn(fields.seconds("idle"), warnings).unwrap_or(default.idle),
            event: or_warn(fields.seconds("event"), warnings).unwrap_or(default.event),
            access: or_warn(fields.seconds("access"), warnings).unwrap_or(default.access),
            storage: or_warn(fields.seconds("storage"), warnings).unwrap_or(default.storage),
        };
        warnings.extend(fields.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        timeouts
    }
}

/// Members of the original, and members of ours that are still to come: each gets one plain sentence.
fn note_foreign_members(fields: &mut Fields<'_>, warnings: &mut Vec<String>) {
    // Plugins are no-op shims: the Workbench has their views built in. Nothing is lost, so nothing is said.
    fields.raw("plugins");
    if let Some(adapters) = fields.raw("adapters") {
        let which = match adapters {
            Value::Object(map) => map.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            other => kind(other),
        };
        warnings.push(format!(
            "adapters ({which}) are not supported yet: THE EMBEDDED STORE IN .motia IS USED, and several instances do not share it"
        ));
    }
    if fields.raw("redis").is_some() {
        warnings.push("redis is not needed and not used: state, streams and events are kept in .motia/motia.db".into());
    }
    for member in PLANNED {
        if fields.raw(member).is_some() {
            warnings.push(format!("{member}: has no effect in this version"));
        }
    }
}

fn or_warn<T>(read: Result<Option<T>, FieldError>, warnings: &mut Vec<String>) -> Option<T> {
    read.unwrap_or_else(|error| {
        warnings.push(format!("{error}; the default holds"));
        None
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_config_is_the_default() {
        let parsed = ProjectConfig::parse(&json!({})).expect("object");
        assert_eq!(parsed.value, ProjectConfig::default());
        assert!(parsed.warnings.is_empty());
    }

    #[test]
    fn every_knob_is_read() {
        let parsed = ProjectConfig::parse(&json!({
            "durability": "os", "bodyLimit": "1mb", "shutdownTimeout": 2, "standby": false,
            "timeouts": {"import": 5, "api": 6, "event": 7, "idle": 8, "access": 9, "storage": 10}, "plugins": [true], "cors": false,
            "static": {"/": "public"}, "validation": "enforce", "app": true,
            "workers": {"node": 4, "python": "auto", "memory": "1gb"}, "isolation": "process",
            "retention": {"idempotencyKeys": 60}, "tracing": false,
            "streamAuth": {"authenticate": true}, "streams": {"default": "deny"}
        }))
        .expect("object");
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        assert_eq!(
            parsed.value,
            ProjectConfig {
                durability: Durability::Os,
                body_limit: 1 << 20,
                timeouts: Timeouts {
                    import: Duration::from_secs(5),
                    api: Duration::from_secs(6),
                    event: Duration::from_secs(7),
                    idle: Duration::from_secs(8),
                    access: Duration::from_secs(9),
                    storage: Duration::from_secs(10),
                },
                shutdown_timeout: Duration::from_secs(2),
                standby: false,
                workers: Workers {
                    node: WorkerCount::Exactly(std::num::NonZeroU16::new(4).expect("not zero")),
                    python: WorkerCount::Auto,
                    memory: Some(1 << 30),
                    ..Workers::default()
                },
                isolation: Isolation::Process,
                cors: Cors::Off,
                static_files: vec![StaticMount { at: String::new(), folder: "public".into(), fallback: None }],
                validation: Validation::Enforce,
                retention: Retention { idempotency_keys: Duration::from_secs(60), ..Retention::default() },
                tracing: false,
                streams: StreamAccess { authenticated: true, deny: true, ..StreamAccess::default() },
                app: true,
            }
        );
    }

    #[test]
    fn a_wrong_member_never_loses_the_rest() {
        let parsed = ProjectConfig::parse(&json!({
            "durability": "maybe", "bodyLimit": "huge", "standby": false, "flows": {}, "adapters": {"state": {}},
            "redis": {"useMemoryServer": true}, "app": true, "workbench": {}, "validation": "strict"
        }))
        .expect("object");
        assert!(!parsed.value.standby);
        assert_eq!(parsed.value.durability, Durability::Fsync);
        assert_eq!(
            parsed.warnings,
            [
                "durability: should be 'fsync' or 'os', but is 'maybe'; 'fsync' holds",
                "bodyLimit: should be a number of bytes, such as 10485760 or \"10mb\", but is the string \"huge\"; the default holds",
                "validation: should be 'warn', 'enforce' or 'off', but is 'strict'; the default holds",
                "adapters (state) are not supported yet: THE EMBEDDED STORE IN .motia IS USED, and several instances do not share it",
                "redis is not needed and not used: state, streams and events are kept in .motia/motia.db",
                "workbench: has no effect in this version",
                "unknown member 'flows' is ignored",
            ]
        );
    }
}
