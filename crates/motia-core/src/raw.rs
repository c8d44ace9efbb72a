//! JSON objects whose members keep their exact text: what is not touched is not changed, not even the form of a number.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An object, one level deep: members in their order, each as the text it was.
#[derive(Clone, Debug, Default)]
pub struct RawObject<'a>(IndexMap<Cow<'a, str>, Cow<'a, RawValue>>);

impl<'a> RawObject<'a> {
    /// Reads a text; `None` if it is no object.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// A member, as text.
    pub fn get(&self, key: &str) -> Option<&RawValue> {
        self.0.get(key).map(|value| &**value)
    }

    /// The members, in their order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Puts a member in its place, or at the end.
    pub fn set(&mut self, key: impl Into<Cow<'a, str>>, value: Box<RawValue>) {
        self.0.insert(key.into(), Cow::Owned(value));
    }

    /// Takes a member out; the others keep their order.
    pub fn remove(&mut self, key: &str) {
        self.0.shift_remove(key);
    }

    /// The members of another object, in the place of those of the same name or behind all.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The object as text.
    pub fn to_text(&self) -> String {
        // Texts that were parsed always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let borrowed = IndexMap::<Key<'a>, &'a RawValue>::deserialize(deserializer)?;
        Ok(Self(borrowed.into_iter().map(|(key, value)| (key.0, Cow::Borrowed(value))).collect()))
    }
}

impl Serialize for RawObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A key, borrowed unless it has escapes.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_keeps_its_text() {
        let text = r#"{"b": 1.50, "a" : {"x": 1e3}, "\u0061b": null}"#;
        let mut object = RawObject::parse(text.as_bytes()).expect("an object");
        object.remove("b");
        object.set("c", RawValue::from_string("[ 1 ]".into()).expect("JSON"));
        assert_eq!(object.to_text(), r#"{"a":{"x": 1e3},"ab":null,"c":[ 1 ]}"#);
        assert!(RawObject::parse(b"[]").is_none() && RawObject::parse(b"{").is_none());
    }
}
