//! The items of streams against their schemas.

use bytes::Bytes;
use motia_core::project::Validation as Mode;
use motia_core::stream::Stream;
use motia_schema::Schema;
use serde_json::Value;

use super::{Data, LONG, Refused, Validation, in_words};

/// Why an item is not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the item does not match the stream's schema: {0}")]
pub(crate) struct Unfit(String);

impl Validation {
    /// Looks at an item that is about to be stored. `mode`: the project's.
    pub(crate) fn item(&self, stream: &Stream, mode: Mode, item: &Bytes) -> Result<(), Unfit> {
        if stream.schema.is_none() {
            return Ok(());
        }
        match stream.validation.unwrap_or(mode) {
            Mode::Off => Ok(()),
            Mode::Warn => {
                self.sample_of(&stream.source, Data::Item(item.clone()));
                Ok(())
            }
            Mode::Enforce => {
                let Some(check) = self.check_of(&stream.source) else { return Ok(()) };
                let data = Data::Item(item.clone());
                let compared = if item.len() > LONG {
                    // It must keep its place among the operations of its call, so it is compared here; others go on meanwhile.
                    tokio::task::block_in_place(|| check.refuse(&data, &self.telemetry, Schema::check_first))
                } else {
                    check.refuse(&data, &self.telemetry, Schema::check)
                };
                compared.map_err(|refused| match refused {
                    Refused::NotJson(problem) => Unfit(problem),
                    Refused::Mismatch(problems) => Unfit(in_words(&problems)),
                })
            }
        }
    }
}

/// Takes out of an item what streams add to it, where the schema does not name that.
pub(super) fn without_own(item: &mut Value, schema: &Value) {
    let Value::Object(members) = item else { return };
    for name in ["id", "_createdAt"] {
        if !names(schema, schema, name, 0) {
            members.remove(name);
        }
    }
}

/// So far schemas are followed into one another: some go round in a circle.
const DEPTH: usize = 16;

/// Whether a schema says something of a member, in any of its shapes.
fn names(schema: &Value, root: &Value, name: &str, depth: usize) -> bool {
    if depth > DEPTH {
        return false;
    }
    let within = |part: &Value| names(part, root, name, depth + 1);
    let of = |keyword: &str| schema.get(keyword);
    let referred = || of("$ref")?.as_str()?.strip_prefix('#').and_then(|place| root.pointer(place));
    of("properties").is_some_and(|properties| properties.get(name).is_some())
        || ["anyOf", "oneOf", "allOf"].into_iter().filter_map(of).filter_map(Value::as_array).flatten().any(within)
        || ["if", "then", "else"].into_iter().filter_map(of).any(within)
        || referred().is_some_and(within)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_streams_add_is_compared_only_where_the_schema_names_it() {
        let left = |schema: Value| {
            let mut item = json!({ "id": "1", "_createdAt": 5, "a": 1 });
            without_own(&mut item, &schema);
            item
        };
        assert_eq!(left(json!({ "properties": { "a": {} } })), json!({ "a": 1 }));
        assert_eq!(left(json!({ "properties": { "a": {}, "id": {} } })), json!({ "id": "1", "a": 1 }));
        let all = json!({ "properties": { "id": {}, "_createdAt": {} } });
        assert_eq!(left(all), json!({ "id": "1", "_createdAt": 5, "a": 1 }));
        assert_eq!(left(json!({ "anyOf": [{ "properties": { "a": {} } }] })), json!({ "a": 1 }));
        let one =
            json!({ "oneOf": [{ "$ref": "#/definitions/x" }], "definitions": { "x": { "properties": { "id": {} } } } });
        assert_eq!(left(one), json!({ "id": "1", "a": 1 }));
        assert_eq!(left(json!({ "$ref": "#" })), json!({ "a": 1 }), "for ever");
    }
}
