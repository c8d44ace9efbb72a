//! `pattern` as JavaScript means it, within bounds of time.

use std::cell::Cell;

use fancy_regex::{Regex, RegexBuilder};
use jsonschema::{Keyword, ValidationError};
use serde_json::Value;

/// What `pattern` is called once it is ours. Under its own name the library would refuse a whole schema for one that it cannot read.
pub(crate) const KEYWORD: &str = "motia:pattern";

/// Steps back that one match may take: some milliseconds.
const BACKTRACKS: usize = 200_000;
/// Matches that may be given up in one check; then the others are not tried any more.
const MOST_UNDECIDED: u32 = 16;

thread_local! {
    /// Matches that were given up in the check that this thread runs. A check never leaves its thread.
    static UNDECIDED: Cell<u32> = const { Cell::new(0) };
}

/// Gives every `pattern` of a schema its other name.
pub(crate) fn rename(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(pattern) = members.get("pattern").filter(|pattern| pattern.is_string()).cloned() {
                members.shift_remove("pattern");
                members.insert(KEYWORD.into(), pattern);
            }
            // These hold data, which may have a member of that name.
            let schemas = members
                .iter_mut()
                .filter(|(key, _)| !matches!(key.as_str(), "const" | "enum" | "default" | "examples"));
            schemas.for_each(|(_, member)| rename(member));
        }
        Value::Array(items) => items.iter_mut().for_each(rename),
        _ => {}
    }
}

/// A check in progress.
pub(crate) struct Bounds(());

impl Bounds {
    pub(crate) fn begin() -> Self {
        UNDECIDED.set(0);
        Self(())
    }

    pub(crate) fn undecided(&self) -> bool {
        UNDECIDED.get() > 0
    }
}

/// The pattern of a string. The library's own one would evaluate a costly pattern on each of a million strings.
pub(crate) struct Pattern {
    source: String,
    regex: Option<Regex>,
}

impl Pattern {
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        // Classes such as \d mean less in JavaScript than here. What cannot be translated may still be read as it is.
        let translated = jsonschema_regex::to_rust_regex(source).unwrap_or_else(|()| source.into());
        let regex = RegexBuilder::new(&translated).backtrack_limit(BACKTRACKS).build();
        let regex =
            regex.map_err(|error| format!("the pattern {source} cannot be read and is not checked: {error}"))?;
        Ok(Self { source: source.to_owned(), regex: Some(regex) })
    }

    /// In the place of a pattern that cannot be read.
    pub(crate) fn anything() -> Self {
        Self { source: String::new(), regex: None }
    }

    fn matches(&self, value: &Value) -> bool {
        let (Some(regex), Value::String(text)) = (&self.regex, value) else { return true };
        if UNDECIDED.get() >= MOST_UNDECIDED {
            return true;
        }
        regex.is_match(text).unwrap_or_else(|_| {
            UNDECIDED.set(UNDECIDED.get() + 1);
            true
        })
    }
}

impl<'i> Keyword<'i> for Pattern {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.matches(value) {
            return Ok(());
        }
        Err(ValidationError::custom(format!("does not match the pattern {}", self.source)))
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        self.matches(value)
    }
}
