//! The knobs `workers` and `isolation`: how many processes run handlers, and what their calls share.

use std::num::NonZeroU16;

use serde_json::Value;

use super::or_warn;
use crate::fields::Fields;
use crate::ids::Runtime;

/// How many workers run handlers. Each has its own copy of every module's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    /// TypeScript and JavaScript.
    pub node: WorkerCount,
    /// Python.
    pub python: WorkerCount,
    /// Ruby.
    pub ruby: WorkerCount,
    /// A worker whose resident memory is above this is replaced, in bytes.
    pub memory: Option<u64>,
}

/// How many workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerCount {
    /// This many.
    Exactly(NonZeroU16),
    /// One per core.
    Auto,
}

/// What the calls of a language share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Workers, and so the state of modules.
    None,
    /// Nothing: each call has a process of its own.
    Process,
}

impl Default for Workers {
    fn default() -> Self {
        Self::all(WorkerCount::Exactly(NonZeroU16::MIN))
    }
}

impl Workers {
    /// As many of each language.
    fn all(count: WorkerCount) -> Self {
        Self { node: count, python: count, ruby: count, memory: None }
    }

    /// How many serve of a language.
    pub fn of(&self, runtime: Runtime) -> WorkerCount {
        match runtime {
            Runtime::Node => self.node,
            Runtime::Python => self.python,
            Runtime::Ruby => self.ruby,
        }
    }

    /// `workers: 4`, `workers: "auto"`, or per language: `workers: { node: 4, python: "auto", memory: "1gb" }`.
    pub(super) fn read(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Self {
        let default = Self::default();
        let Some(value) = fields.raw("workers") else { return default };
        if !value.is_object() {
            return Self::all(WorkerCount::read("workers", value, warnings));
        }
        let Some(mut members) = or_warn(Fields::new("workers", value).map(Some), warnings) else { return default };
        let mut count = |language: Runtime| {
            let value = members.raw(language.as_str())?;
            Some(WorkerCount::read(&format!("workers.{language}"), value, warnings))
        };
        let [node, python, ruby] = Runtime::ALL.map(|language| count(language).unwrap_or_else(|| default.of(language)));
        let memory = or_warn(members.bytes("memory"), warnings);
        warnings.extend(members.finish().into_iter().map(|key| format!("unknown member '{key}' is ignored")));
        Self { node, python, ruby, memory }
    }
}

impl WorkerCount {
    fn read(name: &str, value: &Value, warnings: &mut Vec<String>) -> Self {
        if value == "auto" {
            return Self::Auto;
        }
        let count = value.as_u64().and_then(|count| u16::try_from(count).ok()).and_then(NonZeroU16::new);
        count.map_or_else(
            || {
                warnings.push(format!("{name}: should be a whole number from 1 or \"auto\", but is {value}; 1 holds"));
                Self::Exactly(NonZeroU16::MIN)
            },
            Self::Exactly,
        )
    }
}

impl Isolation {
    pub(super) fn read(fields: &mut Fields<'_>, warnings: &mut Vec<String>) -> Self {
        match or_warn(fields.string("isolation"), warnings) {
            None | Some("none") => Self::None,
            Some("process") => Self::Process,
            Some(other) => {
                warnings.push(format!("isolation: should be 'none' or 'process', but is '{other}'; 'none' holds"));
                Self::None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::project::ProjectConfig;

    #[test]
    fn workers_are_a_number_or_as_many_as_cores() {
        let node = |workers: Value| {
            let parsed = ProjectConfig::parse(&json!({ "workers": workers })).expect("object");
            (parsed.value.workers.node, parsed.warnings)
        };
        let exactly = |count| WorkerCount::Exactly(NonZeroU16::new(count).expect("not zero"));
        assert_eq!(node(json!(3)), (exactly(3), vec![]));
        assert_eq!(node(json!("auto")), (WorkerCount::Auto, vec![]));
        assert_eq!(node(json!({ "node": "auto" })), (WorkerCount::Auto, vec![]));
        let parsed =
            ProjectConfig::parse(&json!({ "workers": { "python": 2, "ruby": "auto" } })).expect("object").value;
        let counts = Runtime::ALL.map(|language| parsed.workers.of(language));
        assert_eq!(counts, [exactly(1), exactly(2), WorkerCount::Auto]);
        let parsed = ProjectConfig::parse(&json!({ "workers": 2 })).expect("object").value;
        assert_eq!(Runtime::ALL.map(|language| parsed.workers.of(language)), [exactly(2); 3]);
        assert_eq!(
            node(json!({ "node": 0, "go": 1 })),
            (
                exactly(1),
                vec![
                    "workers.node: should be a whole number from 1 or \"auto\", but is 0; 1 holds".to_owned(),
                    "unknown member 'workers.go' is ignored".to_owned()
                ]
            )
        );
    }
}
