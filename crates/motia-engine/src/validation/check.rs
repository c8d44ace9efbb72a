//! One schema, what is compared with it, and what is said of that.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;

use motia_core::record::Level;
use motia_core::{SourcePath, StepName};
use motia_schema::{Compiled, Outcome, Problem, Schema};
use parking_lot::Mutex;
use serde_json::Value;

use super::{Data, Refused, items};
use crate::telemetry::Telemetry;

/// The most problems in one line of the log.
const MOST_LOGGED: usize = 3;
/// The most different problems that are said of one file.
const MOST_SAID: usize = 50;

/// What a schema and its data are called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Whose it is.
    of: StepName,
    /// `body`, `input`, `item`.
    data: &'static str,
    /// The member of the config that holds it.
    member: &'static str,
    /// What becomes of data that does not match.
    done: &'static str,
}

/// The schema of a step or a stream, and what was said of it.
pub(super) struct Check {
    names: Names,
    json: Value,
    /// Read when it is needed first. `None`: it cannot be used.
    schema: OnceLock<Option<Schema>>,
    pub(super) seen: AtomicU32,
    said: Mutex<HashSet<String>>,
}

impl Names {
    pub(super) fn of_step(name: StepName, member: &'static str) -> Self {
        Self { of: name, data: if member == "input" { "input" } else { "body" }, member, done: "handled" }
    }

    pub(super) fn of_stream(source: &SourcePath) -> Self {
        Self { of: source.as_str().into(), data: "item", member: "schema", done: "stored" }
    }
}

impl Check {
    pub(super) fn new(names: Names, json: &Value) -> Self {
        Self { names, json: json.clone(), schema: OnceLock::new(), seen: AtomicU32::new(0), said: Mutex::default() }
    }

    /// Whether it is this one.
    pub(super) fn is(&self, names: &Names, json: &Value) -> bool {
        self.names == *names && self.json == *json
    }

    pub(super) fn is_read(&self) -> bool {
        self.schema.get().is_some()
    }

    pub(super) fn is_unusable(&self) -> bool {
        self.schema.get().is_some_and(Option::is_none)
    }

    /// The data as the schema is about it.
    fn value(&self, data: &Data) -> Result<Value, String> {
        let mut value = data.parse()?;
        if matches!(data, Data::Item(_)) {
            items::without_own(&mut value, &self.json);
        }
        Ok(value)
    }

    pub(super) fn schema(&self, telemetry: &Telemetry) -> Option<&Schema> {
        let schema = self.schema.get_or_init(|| match Schema::compile(&self.json) {
            Ok(Compiled { schema, warnings }) => {
                for warning in warnings {
                    self.say(telemetry, format!("{}: {warning}", self.names.member));
                }
                Some(schema)
            }
            Err(problem) => {
                self.say(telemetry, format!("{} cannot be used, so nothing is checked: {problem}", self.names.member));
                None
            }
        });
        schema.as_ref()
    }

    fn say(&self, telemetry: &Telemetry, text: String) {
        telemetry.log_of(Level::Warn, None, Some(self.names.of.clone()), text);
    }

    pub(super) fn refuse(
        &self,
        data: &Data,
        telemetry: &Telemetry,
        how: fn(&Schema, &Value, &str) -> Outcome,
    ) -> Result<(), Refused> {
        let Some(schema) = self.schema(telemetry) else { return Ok(()) };
        let whole =
            |message: &str| Refused::Mismatch(vec![Problem { path: self.names.data.into(), message: message.into() }]);
        if matches!(data, Data::Opaque) {
            // Let through, it would be a way around the schema.
            return Err(whole(
                "is a multipart form or bytes, which cannot be compared with the schema: send JSON (content-type: application/json)",
            ));
        }
        let value = self.value(data).map_err(Refused::NotJson)?;
        let Outcome { problems, undecided } = how(schema, &value, self.names.data);
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
    pub(super) fn look(&self, data: &Data, telemetry: &Telemetry) {
        let Some(schema) = self.schema(telemetry) else { return };
        // Whoever reads it says what is wrong.
        let Ok(value) = self.value(data) else { return };
        let Outcome { problems, undecided } = schema.check(&value, self.names.data);
        if undecided {
            self.say_undecided(telemetry);
        }
        let new: Vec<_> = problems.into_iter().filter(|problem| self.is_new(problem.shape())).collect();
        if !new.is_empty() {
            self.say(
                telemetry,
                format!(
                    "the data does not match {}: {}. It is {} all the same; this is said once (validation: \"warn\")",
                    self.names.member,
                    in_words(&new),
                    self.names.done
                ),
            );
        }
    }

    fn say_undecided(&self, telemetry: &Telemetry) {
        if self.is_new(String::new()) {
            let text = format!(
                "a pattern in {} takes too long on some data, which is refused under \"enforce\" and not compared under \"warn\"; write a simpler one",
                self.names.member
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
