//! Data against the JSON Schemas of steps (design.md section 6).
//!
//! | module | holds |
//! |---|---|
//! | [`problem`] | what is wrong with data, in words |
//! | [`pattern`] | `pattern` as JavaScript means it, within bounds of time |
//!
//! `format`, `contentEncoding` and `contentMediaType` are notes for people, never checks: what schema libraries mean by them differs.
//! References lead nowhere but into the schema itself: nothing is read from files or from the network.

pub mod pattern;
pub mod problem;

use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use serde_json::Value;

use crate::pattern::{Bounds, Pattern};
pub use crate::problem::Problem;

/// The most problems that are told of one piece of data.
const MOST_PROBLEMS: usize = 20;

/// A schema, ready to check data. It takes from 0.1 ms, with patterns some milliseconds, to make.
pub struct Schema {
    validator: Validator,
}

/// A schema that was read, and what in it cannot be checked.
pub struct Compiled {
    /// The schema.
    pub schema: Schema,
    /// Patterns that are left out, each with why.
    pub warnings: Vec<String>,
}

/// What came of a check.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What is wrong; nothing, if the data matches.
    pub problems: Vec<Problem>,
    /// Whether a pattern took too long on this data: there it counts as a match.
    pub undecided: bool,
}

impl Schema {
    /// Reads a schema: draft 7 unless it says or looks otherwise. Errors are for people.
    pub fn compile(json: &Value) -> Result<Compiled, String> {
        let unreadable: Arc<Mutex<Vec<String>>> = Arc::default();
        let said = Arc::clone(&unreadable);
        let mut json = json.clone();
        pattern::rename(&mut json);
        let mut options = jsonschema::options()
            .should_validate_formats(false)
            .without_content_encoding_support("base64")
            .without_content_media_type_support("application/json")
            .with_keyword(pattern::KEYWORD, move |_, value, _| {
                let pattern = Pattern::new(value.as_str().unwrap_or_default()).unwrap_or_else(|problem| {
                    said.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
                    Pattern::anything()
                });
                Ok(Box::new(pattern))
            });
        if json.get("$schema").is_none() {
            options = options.with_draft(draft_of(&json));
        }
        let validator = options.build(&json).map_err(|error| describe(&error))?;
        let warnings = std::mem::take(&mut *unreadable.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Compiled { schema: Self { validator }, warnings })
    }

    /// Checks data, which problems call `name`. The first 20 problems are told.
    pub fn check(&self, data: &Value, name: &str) -> Outcome {
        let bounds = Bounds::begin();
        if self.validator.is_valid(data) {
            return Outcome { problems: Vec::new(), undecided: bounds.undecided() };
        }
        let problems =
            self.validator.iter_errors(data).flat_map(|error| problem::of(&error, name)).take(MOST_PROBLEMS).collect();
        Outcome { problems, undecided: bounds.undecided() }
    }

    /// Checks data as [`Schema::check`] does, but tells the first problem alone: what is wrong with a million items takes much memory.
    pub fn check_first(&self, data: &Value, name: &str) -> Outcome {
        let bounds = Bounds::begin();
        let first = self.validator.validate(data).err();
        let problems = first.into_iter().flat_map(|error| problem::of(&error, name)).take(1).collect();
        Outcome { problems, undecided: bounds.undecided() }
    }
}

/// zod writes draft 7; pydantic the newest one, which keeps its definitions elsewhere.
fn draft_of(json: &Value) -> Draft {
    if json.get("$defs").is_some() { Draft::Draft202012 } else { Draft::Draft7 }
}

fn describe(error: &jsonschema::ValidationError<'_>) -> String {
    match error.instance_path().as_str() {
        "" => error.to_string(),
        place => format!("{error} (at {place})"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(schema: &Value, data: &Value) -> Vec<String> {
        let compiled = Schema::compile(schema).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(compiled.warnings, Vec::<String>::new());
        let outcome = compiled.schema.check(data, "body");
        assert_eq!(compiled.schema.check_first(data, "body").problems.len(), outcome.problems.len().min(1));
        assert!(!outcome.undecided);
        outcome.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_usual_body() {
        let schema = json!({
            "type": "object", "required": ["name", "age"],
            "properties": {
                "name": {"type": "string", "minLength": 1}, "age": {"type": "number"},
                "email": {"type": "string", "format": "email"}, "tags": {"type": "array", "items": {"type": "string"}}
            }
        });
        assert_eq!(problems(&schema, &json!({"name": "Ada", "age": 1e300, "more": 1, "email": "no email"})), [""; 0]);
        assert_eq!(
            problems(&schema, &json!({"name": "", "age": "36", "tags": ["a", 5]})),
            [
                "body.name: expected at least 1 character",
                "body.age: expected number, got string",
                "body.tags[1]: expected string, got number",
            ]
        );
        assert_eq!(problems(&schema, &json!({})), ["body.name: is missing", "body.age: is missing"]);
        assert_eq!(problems(&schema, &json!([])), ["body: expected object, got array"]);
    }

    #[test]
    fn recursion_through_references() {
        // z.lazy, in the draft that zod writes, and a model of pydantic.
        let draft_7 = json!({
            "type": "object", "properties": {"value": {"type": "number"}, "children": {"type": "array", "items": {"$ref": "#"}}}
        });
        let newest = json!({
            "$defs": {"Node": {"type": "object", "properties": {
                "value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}
            }}},
            "$ref": "#/$defs/Node"
        });
        for (schema, expected) in [(draft_7, "number"), (newest, "integer")] {
            let data = json!({"value": 1, "children": [{"value": 2, "children": [{"value": "three"}]}]});
            let message = format!("body.children[0].children[0].value: expected {expected}, got string");
            assert_eq!(problems(&schema, &data), [message]);
        }
    }

    #[test]
    fn tuples_of_either_draft() {
        let draft_7 =
            json!({"type": "array", "items": [{"type": "string"}, {"type": "number"}], "additionalItems": false});
        let newest = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "number"}], "items": false
        });
        for schema in [draft_7, newest] {
            assert_eq!(problems(&schema, &json!(["a", 1])), [""; 0]);
            assert_eq!(problems(&schema, &json!(["a", "b"])), ["body[1]: expected number, got string"]);
            assert_eq!(problems(&schema, &json!(["a", 1, 2])).len(), 1);
        }
    }

    #[test]
    fn the_form_that_was_meant_is_told_of_a_union() {
        let nullable =
            json!({"anyOf": [{"type": "object", "properties": {"n": {"type": "number"}}}, {"type": "null"}]});
        assert_eq!(problems(&nullable, &json!({"n": "x"})), ["body.n: expected number, got string"]);
        assert_eq!(problems(&nullable, &json!(5)), ["body: expected object or null, got number"]);
        let form = |kind: &str, member: &str| {
            json!({"type": "object", "required": ["kind", member],
                   "properties": {"kind": {"const": kind}, member: {"type": "number"}}})
        };
        let tagged = json!({"anyOf": [form("circle", "radius"), form("square", "side")]});
        assert_eq!(problems(&tagged, &json!({"kind": "square", "radius": 1})), ["body.side: is missing"]);
        assert_eq!(problems(&tagged, &json!({"kind": "line"})), ["body: matches none of the 2 forms it may have"]);
    }

    #[test]
    fn values_never_show_and_strange_names_are_quoted() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {"role": {"enum": ["admin", "user"]}, "a.b": {"type": "null"}, "pin": {"type": "string", "pattern": "^\\d{4}$"}}
        });
        assert_eq!(
            problems(&schema, &json!({"role": "s3cret", "a.b": "s3cret", "pin": "s3cret", "line\nbreak": 1})),
            [
                "body.role: expected one of \"admin\", \"user\"",
                "body[\"a.b\"]: expected null, got string",
                "body.pin: does not match the pattern ^\\d{4}$",
                "body: has the unexpected member \"line\\nbreak\"",
            ]
        );
    }

    #[test]
    fn patterns_are_those_of_javascript() {
        // With a lookahead, as zod's own for email addresses has.
        let email = json!({"pattern": "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$"});
        assert_eq!(problems(&email, &json!("ada@example.com")), [""; 0]);
        assert_eq!(problems(&email, &json!("a..da@example.com")).len(), 1);
        // \d is ASCII, and what is no text has no pattern.
        let digits = json!({"pattern": "^\\d+$"});
        assert_eq!(problems(&digits, &json!("٣")).len(), 1);
        assert_eq!(problems(&digits, &json!(5)), [""; 0]);
    }

    #[test]
    fn a_pattern_that_cannot_be_read_costs_only_itself() {
        let schema = json!({"properties": {"a": {"pattern": "(?<n>x"}, "b": {"type": "number"}}});
        let Compiled { schema, warnings } = Schema::compile(&schema).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("the pattern (?<n>x cannot be read and is not checked: "), "{warnings:?}");
        let outcome = schema.check(&json!({"a": "anything", "b": "x"}), "input");
        assert_eq!(outcome.problems[0].to_string(), "input.b: expected number, got string");
        assert_eq!(outcome.problems.len(), 1);
    }

    #[test]
    fn data_inside_a_schema_may_have_a_pattern() {
        let schema = json!({"const": {"pattern": "("}});
        assert_eq!(problems(&schema, &json!({"pattern": "("})), [""; 0]);
        let property = json!({"properties": {"pattern": {"type": "string", "pattern": "^a"}}});
        assert_eq!(problems(&property, &json!({"pattern": "b"})), ["body.pattern: does not match the pattern ^a"]);
    }

    #[test]
    fn a_pattern_that_backtracks_for_ever_ends_and_counts_as_a_match() {
        let schema = json!({"type": "array", "items": {"type": "string", "pattern": "^(a|a)*\\1b$"}});
        let schema = Schema::compile(&schema).unwrap_or_else(|error| panic!("{error}")).schema;
        let hostile: Vec<_> = (0..5000).map(|n| format!("{}{n}", "a".repeat(40))).collect();
        let outcome = schema.check(&json!(hostile), "body");
        assert!(outcome.undecided);
        assert_eq!(outcome.problems, []);
        // The next check begins afresh.
        assert_eq!(schema.check(&json!(["b"]), "body").problems.len(), 1);
    }

    #[test]
    fn schemas_that_cannot_be_used_say_why() {
        let unusable = |schema: Value| Schema::compile(&schema).err().unwrap_or_default();
        assert_eq!(unusable(json!({"$ref": "#/definitions/none"})), "Pointer '/definitions/none' does not exist");
        assert!(unusable(json!({"$ref": "file:///etc/passwd"})).contains("file:///etc/passwd"));
        assert!(unusable(json!({"$ref": "http://127.0.0.1:1/schema.json"})).contains("retrieving it failed"));
        assert!(unusable(json!({"properties": {"a": {"type": "strin"}}})).ends_with("(at /properties/a/type)"));
        assert_eq!(unusable(json!(true)), "");
    }
}
