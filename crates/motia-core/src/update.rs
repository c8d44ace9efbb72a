//! Changes of a JSON value that are made where it is stored: `state.update(group, key, [{ type: 'increment', path: 'count' }])`.
//!
//! All changes of one update are made, or none. What they do not name keeps its exact text.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use crate::fields::kind;
use crate::raw::RawObject;

/// How deep a path may go: far deeper than anybody's data, and no deeper than the stack allows.
const DEPTH: usize = 64;

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    path: Path,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    /// Puts a value there.
    Set(Box<RawValue>),
    /// Puts the members of an object into the object there.
    Merge(Box<RawValue>),
    /// Adds to the number there.
    Increment(Number),
    /// Puts a value at the end of the list there.
    Append(Box<RawValue>),
    /// Takes what is there away.
    Remove,
}

/// The way to a value: member names and places in lists, from the outside in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Path(Vec<String>);

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", .change.as_ref().map(|(number, what)| format!("change {number} ({what}): ")).unwrap_or_default())]
pub struct UpdateError {
    /// Which change, from 1, with its type and path, as far as they were understood; none if it is all of them together.
    change: Option<(usize, String)>,
    problem: String,
}

/// A change as handlers write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    r#type: String,
    #[serde(borrow)]
    path: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    by: Option<&'a RawValue>,
}

/// `null` is a value like any other.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// `'a.b'`, or a list where a name has a dot in it.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenPath {
    Dotted(String),
    Listed(Vec<Segment>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Segment {
    Name(String),
    Place(u64),
}

impl From<WrittenPath> for Path {
    fn from(written: WrittenPath) -> Self {
        Self(match written {
            WrittenPath::Dotted(text) if text.is_empty() => Vec::new(),
            WrittenPath::Dotted(text) => text.split('.').map(str::to_owned).collect(),
            WrittenPath::Listed(segments) => segments
                .into_iter()
                .map(|segment| match segment {
                    Segment::Name(name) => name,
                    Segment::Place(place) => place.to_string(),
                })
                .collect(),
        })
    }
}

impl UpdateError {
    /// What would be stored is not what may be stored there.
    pub fn of_result(problem: impl Into<String>) -> Self {
        Self { change: None, problem: problem.into() }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the whole value") } else { write!(f, "'{}'", self.0.join(".")) }
    }
}

impl Change {
    /// Reads a list of changes.
    pub fn parse_all(json: &[u8]) -> Result<Vec<Self>, UpdateError> {
        let error =
            |number, problem: String| UpdateError { change: Some((number, "as it was passed".into())), problem };
        let written: Vec<&RawValue> = serde_json::from_slice(json).map_err(|_| {
            error(1, "update takes a list of changes, such as [{ type: 'increment', path: 'count', by: 1 }]".into())
        })?;
        let parsed = written.into_iter().enumerate().map(|(at, text)| {
            if !text.get().starts_with('{') {
                return Err(error(
                    at + 1,
                    "a change is an object, such as { type: 'increment', path: 'count' }".into(),
                ));
            }
            let written: Written<'_> =
                serde_json::from_str(text.get()).map_err(|problem| error(at + 1, without_place(&problem)))?;
            let path = written.path.map_or(Ok(None), |path| serde_json::from_str::<WrittenPath>(path.get()).map(Some));
            let bad_path =
                |_| error(at + 1, "its path should be a text such as 'a.b', or a list of names and places".into());
            let (what, path) = (written.r#type.clone(), path.map_err(bad_path)?.map(Path::from).unwrap_or_default());
            let refused = |problem: &str| UpdateError {
                change: Some((at + 1, format!("{what} of {path}"))),
                problem: problem.to_owned(),
            };
            if path.0.len() > DEPTH {
                return Err(refused(&format!("a path has at most {DEPTH} parts")));
            }
            let value = || written.value.map(ToOwned::to_owned).ok_or_else(|| refused("needs a 'value'"));
            let by = || match written.by {
                None => Ok(Number::from(1)),
                Some(by) => serde_json::from_str(by.get()).map_err(|_| refused("'by' should be a number")),
            };
            let action = match written.r#type.as_str() {
                "set" => Action::Set(value()?),
                "merge" => Action::Merge(value()?),
                "append" => Action::Append(value()?),
                "increment" => Action::Increment(by()?),
                "decrement" => Action::Increment(negative(&by()?).ok_or_else(|| refused("'by' is too large"))?),
                "remove" => Action::Remove,
                _ => {
                    return Err(refused(
                        "its type should be 'set', 'merge', 'increment', 'decrement', 'append' or 'remove'",
                    ));
                }
            };
            Ok(Self { path, action })
        });
        parsed.collect()
    }
}

/// Makes the changes to a value, which may not be there. `None`: it is gone.
pub fn apply(value: Option<&[u8]>, changes: &[Change]) -> Result<Option<String>, UpdateError> {
    let mut current: Option<Cow<'_, RawValue>> = match value {
        // What is stored is JSON.
        Some(text) => serde_json::from_slice::<&RawValue>(text).ok().map(Cow::Borrowed),
        None => None,
    };
    for (at, change) in changes.iter().enumerate() {
        let changed = change_at(current.as_deref(), &change.path.0, &change.action).map_err(|problem| UpdateError {
            change: Some((at + 1, format!("{} of {}", change.action.name(), change.path))),
            problem,
        })?;
        current = changed.map(Cow::Owned);
    }
    Ok(current.map(|value| value.get().to_owned()))
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Self::Set(_) => "set",
            Self::Merge(_) => "merge",
            Self::Increment(_) => "increment",
            Self::Append(_) => "append",
            Self::Remove => "remove",
        }
    }

    /// Whether there is nothing to do where the way ends early.
    fn makes_nothing(&self) -> bool {
        matches!(self, Self::Remove)
    }
}

type Changed = Result<Option<Box<RawValue>>, String>;

/// What becomes of a value; `null` on the way counts as not there.
fn change_at(value: Option<&RawValue>, path: &[String], action: &Action) -> Changed {
    let Some((name, rest)) = path.split_first() else { return act(value, action) };
    let value = value.filter(|value| value.get() != "null");
    match value {
        None if action.makes_nothing() => Ok(None),
        None => change_member(RawObject::default(), name, rest, action),
        Some(text) if text.get().starts_with('{') => {
            let object = RawObject::parse(text.get().as_bytes()).ok_or("it is not JSON")?;
            change_member(object, name, rest, action)
        }
        Some(text) if text.get().starts_with('[') => change_place(text, name, rest, action),
        Some(text) => Err(format!("there is {} on the way, which has no '{name}'", described(text))),
    }
}

fn change_member(mut object: RawObject<'_>, name: &str, rest: &[String], action: &Action) -> Changed {
    match change_at(object.get(name), rest, action)? {
        Some(changed) => object.set(name.to_owned(), changed),
        None => object.remove(name),
    }
    raw(object.to_text()).map(Some)
}

fn change_place(list: &RawValue, name: &str, rest: &[String], action: &Action) -> Changed {
    let mut items: Vec<Cow<'_, RawValue>> = serde_json::from_str::<Vec<&RawValue>>(list.get())
        .map_err(|_| "it is not JSON")?
        .into_iter()
        .map(Cow::Borrowed)
        .collect();
    let place: usize = name.parse().map_err(|_| format!("there is a list on the way, which has no '{name}'"))?;
    if place >= items.len() && action.makes_nothing() {
        return Ok(Some(list.to_owned()));
    }
    if place > items.len() {
        return Err(format!("the list has {} items, so there is no place {place}", items.len()));
    }
    let changed = change_at(items.get(place).map(|item| &**item), rest, action)?;
    match changed {
        Some(changed) if place == items.len() => items.push(Cow::Owned(changed)),
        Some(changed) => items[place] = Cow::Owned(changed),
        None => drop(items.remove(place)),
    }
    raw(serde_json::to_string(&items).unwrap_or_default()).map(Some)
}

fn act(value: Option<&RawValue>, action: &Action) -> Changed {
    let there = value.filter(|value| value.get() != "null");
    match action {
        Action::Remove => Ok(None),
        Action::Set(new) => Ok(Some(new.clone())),
        Action::Merge(new) => {
            let more = RawObject::parse(new.get().as_bytes())
                .ok_or_else(|| format!("its value should be an object, but is {}", described(new)))?;
            let mut object = match there {
                None => RawObject::default(),
                Some(text) => RawObject::parse(text.get().as_bytes())
                    .ok_or_else(|| format!("there is {}, not an object", described(text)))?,
            };
            object.extend(more);
            raw(object.to_text()).map(Some)
        }
        Action::Append(new) => {
            let mut items: Vec<&RawValue> = match there {
                None => Vec::new(),
                Some(text) => {
                    serde_json::from_str(text.get()).map_err(|_| format!("there is {}, not a list", described(text)))?
                }
            };
            items.push(new);
            raw(serde_json::to_string(&items).unwrap_or_default()).map(Some)
        }
        Action::Increment(by) => {
            let number: Number = match there {
                None => 0.into(),
                Some(text) => serde_json::from_str(text.get())
                    .map_err(|_| format!("there is {}, not a number", described(text)))?,
            };
            let sum = add(&number, by).ok_or("the sum is too large for a number")?;
            raw(sum.to_string()).map(Some)
        }
    }
}

/// Whole numbers stay whole as long as they fit.
fn add(a: &Number, b: &Number) -> Option<Number> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64())
        && let Some(sum) = a.checked_add(b)
    {
        return Some(sum.into());
    }
    Number::from_f64(a.as_f64()? + b.as_f64()?)
}

fn negative(number: &Number) -> Option<Number> {
    match number.as_i64().and_then(i64::checked_neg) {
        Some(negative) => Some(negative.into()),
        None => Number::from_f64(-number.as_f64()?),
    }
}

fn raw(text: String) -> Result<Box<RawValue>, String> {
    RawValue::from_string(text).map_err(|error| error.to_string())
}

fn described(text: &RawValue) -> String {
    serde_json::from_str::<Value>(text.get()).map_or_else(|_| "something that is not JSON".into(), |value| kind(&value))
}

/// serde's words, without the line and column of a text that nobody wrote.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(value: Option<&str>, changes: &str) -> Result<Option<String>, String> {
        let changes = Change::parse_all(changes.as_bytes()).map_err(|error| error.to_string())?;
        apply(value.map(str::as_bytes), &changes).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn becomes(value: Option<&str>, changes: &str, expected: &str) {
        assert_eq!(update(value, changes), Ok(Some(expected.to_owned())), "{changes} of {value:?}");
    }

    #[test]
    fn each_change_does_what_it_says() {
        becomes(
            Some(r#"{"a":1.0,"n":{"x":1e2}}"#),
            r#"[{"type":"set","path":"n.y","value":[1.50]}]"#,
            r#"{"a":1.0,"n":{"x":1e2,"y":[1.50]}}"#,
        );
        becomes(
            Some(r#"{"n":{"x":1,"z":2}}"#),
            r#"[{"type":"merge","path":"n","value":{"x":5,"y":6}}]"#,
            r#"{"n":{"x":5,"z":2,"y":6}}"#,
        );
        becomes(Some(r#"{"c":41}"#), r#"[{"type":"increment","path":"c"}]"#, r#"{"c":42}"#);
        becomes(Some("5"), r#"[{"type":"decrement","by":2}]"#, "3");
        becomes(Some("0.5"), r#"[{"type":"increment","by":0.25}]"#, "0.75");
        becomes(
            Some(r#"{"l":[1,{"k":2}]}"#),
            r#"[{"type":"append","path":"l","value":"x"}]"#,
            r#"{"l":[1,{"k":2},"x"]}"#,
        );
        becomes(
            Some(r#"{"l":[1,{"k":2}]}"#),
            r#"[{"type":"increment","path":"l.1.k","by":3},{"type":"remove","path":["l",0]}]"#,
            r#"{"l":[{"k":5}]}"#,
        );
        becomes(Some(r#"{"a.b":1,"c":2}"#), r#"[{"type":"remove","path":["a.b"]}]"#, r#"{"c":2}"#);
        becomes(Some(r#"{"a":1}"#), r#"[{"type":"set","value":null}]"#, "null");
        assert_eq!(update(Some(r#"{"a":1}"#), r#"[{"type":"remove"}]"#), Ok(None));
    }

    #[test]
    fn what_is_not_there_is_made() {
        becomes(None, r#"[{"type":"increment","path":"visits.today"}]"#, r#"{"visits":{"today":1}}"#);
        becomes(None, r#"[{"type":"append","value":1},{"type":"append","value":2}]"#, "[1,2]");
        becomes(Some("null"), r#"[{"type":"merge","value":{"a":1}}]"#, r#"{"a":1}"#);
        becomes(
            Some(r#"{"l":[]}"#),
            r#"[{"type":"set","path":"l.0.name","value":"first"}]"#,
            r#"{"l":[{"name":"first"}]}"#,
        );
        assert_eq!(update(None, r#"[{"type":"remove","path":"a.b"}]"#), Ok(None));
        becomes(
            Some(r#"{"l":[1]}"#),
            r#"[{"type":"remove","path":"l.7"},{"type":"remove","path":"x.y"}]"#,
            r#"{"l":[1]}"#,
        );
    }

    #[test]
    fn whole_numbers_stay_exact_as_long_as_they_fit() {
        becomes(Some("9007199254740993"), r#"[{"type":"increment"}]"#, "9007199254740994");
        becomes(
            Some("9223372036854775807"),
            r#"[{"type":"increment"}]"#,
            "9.223372036854775807e18"
                .parse::<f64>()
                .map(|n| serde_json::json!(n).to_string())
                .expect("a number")
                .as_str(),
        );
    }

    #[test]
    fn what_cannot_be_done_says_why_and_changes_nothing() {
        for (value, changes, problem) in [
            (
                Some(r#"{"c":"x"}"#),
                r#"[{"type":"set","path":"d","value":1},{"type":"increment","path":"c"}]"#,
                "change 2 (increment of 'c'): there is the string \"x\", not a number",
            ),
            (
                Some(r#"{"c":5}"#),
                r#"[{"type":"set","path":"c.d","value":1}]"#,
                "change 1 (set of 'c.d'): there is the number 5 on the way, which has no 'd'",
            ),
            (
                Some("[1]"),
                r#"[{"type":"set","path":"5","value":1}]"#,
                "change 1 (set of '5'): the list has 1 items, so there is no place 5",
            ),
            (
                Some("[1]"),
                r#"[{"type":"set","path":"x","value":1}]"#,
                "change 1 (set of 'x'): there is a list on the way, which has no 'x'",
            ),
            (
                Some("5"),
                r#"[{"type":"append","value":1}]"#,
                "change 1 (append of the whole value): there is the number 5, not a list",
            ),
            (
                Some("5"),
                r#"[{"type":"merge","value":{}}]"#,
                "change 1 (merge of the whole value): there is the number 5, not an object",
            ),
            (
                None,
                r#"[{"type":"merge","path":"a","value":1}]"#,
                "change 1 (merge of 'a'): its value should be an object, but is the number 1",
            ),
            (None, r#"[{"type":"set","path":"a"}]"#, "change 1 (set of 'a'): needs a 'value'"),
            (
                None,
                r#"[{"type":"double"}]"#,
                "change 1 (double of the whole value): its type should be 'set', 'merge', 'increment', 'decrement', 'append' or 'remove'",
            ),
            (
                None,
                r#"[{"type":"set","value":1,"key":2}]"#,
                "change 1 (as it was passed): unknown field `key`, expected one of `type`, `path`, `value`, `by`",
            ),
            (
                None,
                r#"{"count":1}"#,
                "change 1 (as it was passed): update takes a list of changes, such as [{ type: 'increment', path: 'count', by: 1 }]",
            ),
        ] {
            assert_eq!(update(value, changes), Err(problem.to_owned()), "{changes}");
        }
        let deep = format!(r#"[{{"type":"set","path":"{}x","value":1}}]"#, "a.".repeat(DEPTH));
        assert!(update(None, &deep).expect_err("refused").contains("at most 64 parts"));
    }
}
