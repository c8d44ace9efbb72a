//! Reading config objects that users wrote: each problem names the member, says what was expected and what was there.

use std::time::Duration;

use serde_json::{Map, Value};

/// What is wrong with a member of a config. The text fits after the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {problem}")]
pub struct FieldError {
    /// Dotted path of the member, for example `infrastructure.queue.type`.
    pub member: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// An object being read. Members that nobody asked for are reported by [`Fields::finish`].
pub struct Fields<'a> {
    path: String,
    object: &'a Map<String, Value>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Reads `value` as an object. `path` is empty for the whole config.
    pub fn new(path: &str, value: &'a Value) -> Result<Self, FieldError> {
        match value {
            Value::Object(object) => Ok(Self { path: path.to_owned(), object, asked: Vec::new() }),
            other => Err(FieldError {
                member: if path.is_empty() { "config".into() } else { path.to_owned() },
                problem: format!("should be an object, but is {}", kind(other)),
            }),
        }
    }

    /// An error about one member of this object.
    pub fn error(&self, key: &str, problem: impl Into<String>) -> FieldError {
        FieldError { member: self.member(key), problem: problem.into() }
    }

    fn member(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn expected(&self, key: &str, what: &str, found: &Value) -> FieldError {
        self.error(key, format!("should be {what}, but is {}", kind(found)))
    }

    /// The raw member; `null` counts as absent.
    pub fn raw(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.push(key);
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// A string, if there.
    pub fn string(&mut self, key: &'static str) -> Result<Option<&'a str>, FieldError> {
        match self.raw(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(key, "a string", other)),
        }
    }

    /// A string that must be there and must not be empty.
    pub fn required_string(&mut self, key: &'static str) -> Result<&'a str, FieldError> {
        match self.string(key)? {
            Some("") => Err(self.error(key, "is empty")),
            Some(text) => Ok(text),
            None => Err(self.error(key, "is missing; it should be a string")),
        }
    }

    /// A boolean, if there.
    pub fn boolean(&mut self, key: &'static str) -> Result<Option<bool>, FieldError> {
        match self.raw(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.expected(key, "true or false", other)),
        }
    }

    /// A whole number from 0 up, if there.
    pub fn whole(&mut self, key: &'static str) -> Result<Option<u64>, FieldError> {
        match self.raw(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.expected(key, "a whole number, 0 or more", value)),
            },
        }
    }

    /// A length of time, if there: a number of seconds, fractions allowed, or a text such as `"90s"`, `"15m"`, `"12h"` or `"30d"`.
    pub fn seconds(&mut self, key: &'static str) -> Result<Option<Duration>, FieldError> {
        match self.raw(key) {
            None => Ok(None),
            Some(value) => match duration(value) {
                Some(duration) => Ok(Some(duration)),
                None => Err(self.expected(key, "a number of seconds, 0 or more, or a text such as \"15m\"", value)),
            },
        }
    }

    /// A number of bytes: `10485760`, `"10mb"`, `"512 kb"`. Units count in 1,024s.
    pub fn bytes(&mut self, key: &'static str) -> Result<Option<u64>, FieldError> {
        match self.raw(key) {
            None => Ok(None),
            Some(value) => match value.as_u64().or_else(|| value.as_str().and_then(parse_bytes)) {
                Some(bytes) => Ok(Some(bytes)),
                None => Err(self.expected(key, "a number of bytes, such as 10485760 or \"10mb\"", value)),
            },
        }
    }

    /// A list of strings; a single string counts as a list of one; absent is empty.
    pub fn strings(&mut self, key: &'static str) -> Result<Vec<&'a str>, FieldError> {
        match self.raw(key) {
            None => Ok(Vec::new()),
            Some(Value::String(one)) => Ok(vec![one]),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    item.as_str().ok_or_else(|| FieldError {
                        member: format!("{}[{at}]", self.member(key)),
                        problem: format!("should be a string, but is {}", kind(item)),
                    })
                })
                .collect(),
            Some(other) => Err(self.expected(key, "a list of strings", other)),
        }
    }

    /// A nested object, if there.
    pub fn object(&mut self, key: &'static str) -> Result<Option<Fields<'a>>, FieldError> {
        match self.raw(key) {
            None => Ok(None),
            Some(value) => Fields::new(&self.member(key), value).map(Some),
        }
    }

    /// A list, if there, each item with its path.
    pub fn list(&mut self, key: &'static str) -> Result<Vec<(String, &'a Value)>, FieldError> {
        match self.raw(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let member = self.member(key);
                Ok(items.iter().enumerate().map(|(at, item)| (format!("{member}[{at}]"), item)).collect())
            }
            Some(other) => Err(self.expected(key, "a list", other)),
        }
    }

    /// The members that nobody asked for: unknown keys. They are warnings, never errors.
    pub fn finish(self) -> Vec<String> {
        let unknown = self.object.keys().filter(|key| !self.asked.contains(&key.as_str()));
        unknown.map(|key| self.member(key)).collect()
    }
}

/// What a value is, for messages: `a number (5)`, `a string ("x")`, `a list`.
pub fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let short: String = text.chars().take(40).collect();
            format!("the string \"{short}{}\"", if short.len() < text.len() { "…" } else { "" })
        }
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// A number of seconds, or a text with a unit.
pub fn duration(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::String(text) => {
            let text = text.trim();
            let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
            let number: f64 = text[..unit].trim().parse().ok()?;
            let unit = match &text[unit..] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return None,
            };
            number * unit
        }
        other => other.as_f64()?,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_names_the_member_and_what_was_there() {
        let value = json!({"queue": {"type": 5}});
        let mut fields = Fields::new("", &value).expect("object");
        let mut queue = fields.object("queue").expect("object").expect("there");
        assert_eq!(
            queue.string("type").expect_err("wrong").to_string(),
            "queue.type: should be a string, but is the number 5"
        );
        assert_eq!(
            Fields::new("", &json!([])).err().expect("wrong").to_string(),
            "config: should be an object, but is a list"
        );
    }

    #[test]
    fn members_nobody_asked_for_are_named() {
        let value = json!({"name": "a", "compatibility_date": "2024-01-01"});
        let mut fields = Fields::new("", &value).expect("object");
        fields.string("name").expect("string");
        assert_eq!(fields.finish(), ["compatibility_date"]);
    }

    #[test]
    fn sizes_and_seconds() {
        let value =
            json!({"a": "10mb", "b": 5, "c": "3 parsecs", "d": 1.5, "e": -1, "f": "1.5h", "g": "soon", "h": "-5s"});
        let mut fields = Fields::new("", &value).expect("object");
        assert_eq!(fields.bytes("a"), Ok(Some(10 << 20)));
        assert_eq!(fields.bytes("b"), Ok(Some(5)));
        assert!(fields.bytes("c").is_err());
        assert_eq!(fields.seconds("d"), Ok(Some(Duration::from_millis(1500))));
        assert!(fields.seconds("e").is_err());
        assert_eq!(fields.seconds("f"), Ok(Some(Duration::from_secs(5400))));
        assert_eq!(
            fields.seconds("g").expect_err("refused").to_string(),
            "g: should be a number of seconds, 0 or more, or a text such as \"15m\", but is the string \"soon\""
        );
        assert!(fields.seconds("h").is_err());
    }
}
