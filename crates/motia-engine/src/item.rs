//! What is added to a stream item when it is stored: `{...data, id, _createdAt}` (behaviour-0.17.md F1).

use bytes::Bytes;
use motia_core::raw::RawObject;
use motia_core::stream::created_at;
use motia_core::update::{self, Change, UpdateError};
use motia_core::{ItemKey, Timestamp};
use serde_json::value::{RawValue, to_raw_value};

/// Why data cannot be an item.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a stream item must be an object")]
pub struct NotAnObject;

/// The item as it is stored, and its creation time. `id` is always the address's; `_createdAt` is now unless the data has one,
/// as it has when an item that was read is written back. Everything else keeps its order and its exact text.
pub fn stored(data: &[u8], id: &ItemKey, now: Timestamp) -> Result<(Bytes, Timestamp), NotAnObject> {
    let mut members = RawObject::parse(data).ok_or(NotAnObject)?;
    let kept = created_at(&members);
    let created = kept.unwrap_or(now);
    members.remove("__motia");
    members.set("id", raw(id.as_str()));
    if kept.is_none() {
        members.set("_createdAt", raw(&created.as_millis()));
    }
    Ok((members.to_text().into(), created))
}

/// The item with its address's `id`, as storage of the project's own may have left it out.
pub fn identified(item: &[u8], id: &ItemKey) -> Result<Bytes, NotAnObject> {
    let mut members = RawObject::parse(item).ok_or(NotAnObject)?;
    members.remove("__motia");
    members.set("id", raw(id.as_str()));
    Ok(members.to_text().into())
}

/// The item without what steps are given besides.
pub fn unmarked(item: &[u8]) -> Result<Bytes, NotAnObject> {
    let mut members = RawObject::parse(item).ok_or(NotAnObject)?;
    members.remove("__motia");
    Ok(members.to_text().into())
}

/// The id in an item.
pub fn id_of(item: &[u8]) -> Option<ItemKey> {
    let id: String = serde_json::from_str(RawObject::parse(item)?.get("id")?.get()).ok()?;
    Some(id.into())
}

/// What changes make of an item, which may not be there. None if nothing is left of it.
pub fn revised(
    there: Option<&[u8]>,
    changes: &[Change],
    id: &ItemKey,
    now: Timestamp,
) -> Result<Option<(Bytes, Timestamp)>, UpdateError> {
    let Some(revised) = update::apply(there, changes)? else { return Ok(None) };
    stored(revised.as_bytes(), id, now).map(Some).map_err(|error| UpdateError::of_result(error.to_string()))
}

fn raw(value: &(impl serde::Serialize + ?Sized)) -> Box<RawValue> {
    // Strings and numbers always serialize.
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(data: &str) -> String {
        let (item, _) = stored(data.as_bytes(), &"m1".into(), Timestamp(5)).expect("an object");
        String::from_utf8(item.to_vec()).expect("text")
    }

    #[test]
    fn id_and_creation_time_are_added_and_the_rest_keeps_its_text() {
        assert_eq!(store(r#"{"b": 1.50, "a": "x"}"#), r#"{"b":1.50,"a":"x","id":"m1","_createdAt":5}"#);
        assert_eq!(store(r#"{"id":"other","z":1}"#), r#"{"id":"m1","z":1,"_createdAt":5}"#);
        assert_eq!(store(r#"{"\u0061\n":1}"#), "{\"a\\n\":1,\"id\":\"m1\",\"_createdAt\":5}");
    }

    #[test]
    fn an_item_that_was_read_can_be_written_back() {
        let item = r#"{"a":1,"id":"m1","_createdAt":3,"__motia":{"type":"state-stream"}}"#;
        let (again, created) = stored(item.as_bytes(), &"m1".into(), Timestamp(9)).expect("an object");
        assert_eq!((&*again, created), (&br#"{"a":1,"id":"m1","_createdAt":3}"#[..], Timestamp(3)));
    }

    #[test]
    fn changes_are_made_to_the_item_that_is_there_or_to_nothing() {
        let revise = |there: Option<&str>, changes: &str| {
            let changes = Change::parse_all(changes.as_bytes()).expect("changes");
            revised(there.map(str::as_bytes), &changes, &"m1".into(), Timestamp(5))
                .map(|revised| revised.map(|(item, _)| String::from_utf8(item.to_vec()).expect("text")))
                .map_err(|error| error.to_string())
        };
        let count = r#"[{"type":"increment","path":"n"}]"#;
        assert_eq!(revise(None, count), Ok(Some(r#"{"n":1,"id":"m1","_createdAt":5}"#.into())));
        let there = r#"{"n":1,"id":"m1","_createdAt":3}"#;
        assert_eq!(revise(Some(there), count), Ok(Some(r#"{"n":2,"id":"m1","_createdAt":3}"#.into())));
        let rename = r#"[{"type":"set","path":"id","value":"m2"}]"#;
        assert_eq!(revise(Some(there), rename), Ok(Some(there.into())), "an item keeps its id");
        assert_eq!(revise(Some(there), r#"[{"type":"remove"}]"#), Ok(None));
        let text = r#"[{"type":"set","value":"text"}]"#;
        assert_eq!(revise(Some(there), text), Err("a stream item must be an object".into()));
    }

    #[test]
    fn an_item_of_other_storage_gets_its_id() {
        let identify = |item: &str| {
            identified(item.as_bytes(), &"m1".into()).map(|item| String::from_utf8_lossy(&item).into_owned())
        };
        assert_eq!(identify(r#"{"a":1,"__motia":{}}"#), Ok(r#"{"a":1,"id":"m1"}"#.into()));
        assert_eq!(unmarked(br#"{"__motia":{},"a":1}"#), Ok(br#"{"a":1}"#.as_slice().into()));
        assert_eq!(identify(r#"{"id":5,"a":1}"#), Ok(r#"{"id":"m1","a":1}"#.into()));
        assert_eq!(identify("[]"), Err(NotAnObject));
        assert_eq!(id_of(br#"{"a":1,"id":"m1"}"#), Some("m1".into()));
        assert_eq!((id_of(br#"{"id":5}"#), id_of(b"{}"), id_of(b"5")), (None, None, None));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for data in ["null", "[1]", "\"x\"", "5", ""] {
            assert_eq!(stored(data.as_bytes(), &"m1".into(), Timestamp(5)), Err(NotAnObject), "{data}");
        }
    }
}
