//! Choosing among the items of a stream's group: `streams.todo.query('inbox', { where: { done: false }, order: '-due', limit: 10 })`.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Which items, in which order, and how many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    conditions: Vec<Condition>,
    order: Vec<Order>,
    limit: Option<usize>,
    offset: usize,
}

/// What an item must be like.
#[derive(Clone, Debug, PartialEq)]
struct Condition {
    path: Path,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equals(Value),
    Differs(Value),
    /// With how it must compare.
    Is(Ordering, bool, Value),
    OneOf(Vec<Value>),
    Exists(bool),
}

#[derive(Clone, Debug, PartialEq)]
struct Order {
    path: Path,
    descending: bool,
}

/// `'a.b'`: member names from the outside in.
#[derive(Clone, Debug, PartialEq)]
struct Path(Vec<String>);

/// Why a query cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QueryError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    r#where: Option<Map<String, Value>>,
    #[serde(default)]
    order: Option<WrittenOrder>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    offset: Option<usize>,
}

/// `'title'`, `'-due'`, or several of these.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenOrder {
    One(String),
    Several(Vec<String>),
}

const SHAPE: &str =
    "a query is an object such as { where: { done: false, due: { lt: 5 } }, order: '-due', limit: 10, offset: 0 }";

impl Query {
    /// Reads what a handler wrote.
    pub fn parse(json: &[u8]) -> Result<Self, QueryError> {
        if matches!(json.trim_ascii(), b"" | b"null") {
            return Ok(Self::default());
        }
        if json.trim_ascii().first() != Some(&b'{') {
            return Err(QueryError(SHAPE.into()));
        }
        let written: Written = serde_json::from_slice(json)
            .map_err(|problem| QueryError(format!("{SHAPE}: {}", without_place(&problem))))?;
        let mut conditions = Vec::new();
        for (path, value) in written.r#where.unwrap_or_default() {
            let tests = match value {
                Value::Object(tests) => {
                    tests.into_iter().map(|(name, value)| Test::parse(&path, &name, value)).collect::<Result<_, _>>()?
                }
                value => vec![Test::Equals(value)],
            };
            let path = Path::parse(&path);
            conditions.extend(tests.into_iter().map(|test| Condition { path: path.clone(), test }));
        }
        let order = match written.order {
            None => Vec::new(),
            Some(WrittenOrder::One(one)) => vec![Order::parse(&one)],
            Some(WrittenOrder::Several(several)) => several.iter().map(|one| Order::parse(one)).collect(),
        };
        Ok(Self { conditions, order, limit: written.limit, offset: written.offset.unwrap_or(0) })
    }

    /// As adapters of the project's own know it (`StreamFilter`, L1754-L1790): equal members and one order. None if it says more than that.
    pub fn as_filter(&self) -> Option<Value> {
        let mut filter = Map::new();
        if !self.conditions.is_empty() {
            let mut wanted = Map::new();
            for Condition { path, test } in &self.conditions {
                let (Some(name), Test::Equals(value)) = (path.member(), test) else { return None };
                // Twice is once too often for an object.
                if wanted.insert(name.to_owned(), value.clone()).is_some() {
                    return None;
                }
            }
            filter.insert("where".into(), wanted.into());
        }
        match &*self.order {
            [] => {}
            [Order { path, descending }] => {
                filter.insert("orderBy".into(), path.member()?.into());
                filter.insert("orderDirection".into(), if *descending { "desc" } else { "asc" }.into());
            }
            _ => return None,
        }
        if let Some(limit) = self.limit {
            filter.insert("limit".into(), limit.into());
        }
        if self.offset > 0 {
            filter.insert("offset".into(), self.offset.into());
        }
        Some(filter.into())
    }

    /// Which of these items, JSON texts, it is about, in its order; without one they keep theirs.
    pub fn choose<T: AsRef<[u8]>>(&self, items: Vec<T>) -> Vec<T> {
        if self.conditions.is_empty() && self.order.is_empty() {
            return items.into_iter().skip(self.offset).take(self.limit.unwrap_or(usize::MAX)).collect();
        }
        let read = |item: T| {
            // What is stored is JSON.
            let value = serde_json::from_slice::<Value>(item.as_ref()).unwrap_or_default();
            self.conditions.iter().all(|condition| condition.holds(&value)).then_some((value, item))
        };
        let mut found: Vec<_> = items.into_iter().filter_map(read).collect();
        if !self.order.is_empty() {
            found.sort_by(|(one, _), (other, _)| {
                self.order
                    .iter()
                    .map(|order| order.compare(one, other))
                    .find(|order| order.is_ne())
                    .unwrap_or(Ordering::Equal)
            });
        }
        let found = found.into_iter().skip(self.offset).take(self.limit.unwrap_or(usize::MAX));
        found.map(|(_, item)| item).collect()
    }
}

impl Test {
    fn parse(path: &str, name: &str, value: Value) -> Result<Self, QueryError> {
        let wrong = |problem: &str| QueryError(format!("where '{path}': {problem}"));
        Ok(match name {
            "eq" => Self::Equals(value),
            "ne" => Self::Differs(value),
            "lt" => Self::Is(Ordering::Less, false, value),
            "lte" => Self::Is(Ordering::Less, true, value),
            "gt" => Self::Is(Ordering::Greater, false, value),
            "gte" => Self::Is(Ordering::Greater, true, value),
            "in" => match value {
                Value::Array(values) => Self::OneOf(values),
                _ => return Err(wrong("'in' takes a list")),
            },
            "exists" => match value {
                Value::Bool(exists) => Self::Exists(exists),
                _ => return Err(wrong("'exists' takes true or false")),
            },
            other => {
                let known = "eq, ne, lt, lte, gt, gte, in and exists are known; an object to compare with goes into eq";
                return Err(wrong(&format!("there is no test '{other}': {known}")));
            }
        })
    }
}

impl Condition {
    fn holds(&self, item: &Value) -> bool {
        let value = self.path.find(item);
        // What is not there is null, as handlers see it.
        let there = value.unwrap_or(&Value::Null);
        match &self.test {
            Test::Equals(wanted) => same(there, wanted),
            Test::Differs(unwanted) => !same(there, unwanted),
            Test::OneOf(wanted) => wanted.iter().any(|wanted| same(there, wanted)),
            Test::Exists(exists) => value.is_some() == *exists,
            Test::Is(order, or_equal, limit) => {
                // Only what is of one kind has an order that anybody means.
                rank(there) == rank(limit) && {
                    let compared = compare(there, limit);
                    compared == *order || (*or_equal && compared.is_eq())
                }
            }
        }
    }
}

impl Order {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('-') {
            Some(path) => Self { path: Path::parse(path), descending: true },
            None => Self { path: Path::parse(text), descending: false },
        }
    }

    fn compare(&self, one: &Value, other: &Value) -> Ordering {
        let find = |item| self.path.find(item).unwrap_or(&Value::Null);
        let order = compare(find(one), find(other));
        if self.descending { order.reverse() } else { order }
    }
}

impl Path {
    fn parse(text: &str) -> Self {
        Self(text.split('.').map(str::to_owned).collect())
    }

    /// The name, if it is that of an item's own member.
    fn member(&self) -> Option<&str> {
        if let [name] = &*self.0 { Some(name) } else { None }
    }

    fn find<'a>(&self, item: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(item, |value, name| match value {
            Value::Object(members) => members.get(name),
            Value::Array(values) => values.get(name.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

/// `1` and `1.0` are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() != other.is_f64() => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

/// Nothing, booleans, numbers, texts, everything else.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) | Value::Object(_) => 4,
    }
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => {
            let number = |number: &serde_json::Number| number.as_f64().unwrap_or_default();
            number(one).total_cmp(&number(other))
        }
        _ => rank(one).cmp(&rank(other)),
    }
}

fn without_place(problem: &serde_json::Error) -> String {
    let text = problem.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_filter_says_what_adapters_understand() {
        let filter = |query: Value| Query::parse(query.to_string().as_bytes()).expect("a query").as_filter();
        assert_eq!(filter(json!({})), Some(json!({})));
        let query = json!({ "where": { "done": false, "due": { "eq": 5 } }, "order": "-due", "limit": 2, "offset": 1 });
        let expected = json!({ "where": { "done": false, "due": 5 }, "orderBy": "due", "orderDirection": "desc", "limit": 2, "offset": 1 });
        assert_eq!(filter(query), Some(expected));
        assert_eq!(filter(json!({ "order": "due" })), Some(json!({ "orderBy": "due", "orderDirection": "asc" })));
        for more in [
            json!({ "where": { "due": { "lt": 5 } } }),
            json!({ "where": { "by.name": "ada" } }),
            json!({ "order": ["a", "b"] }),
            json!({ "order": "by.name" }),
        ] {
            assert_eq!(filter(more.clone()), None, "{more}");
        }
    }

    fn chosen(query: &Value) -> Vec<i64> {
        let items = [
            json!({ "id": 1, "title": "b", "due": 5, "done": false, "by": { "name": "ada" }, "tags": ["x"] }),
            json!({ "id": 2, "title": "a", "due": 7.5, "done": true }),
            json!({ "id": 3, "title": "c", "due": "later", "done": false, "by": { "name": "bob" } }),
            json!({ "id": 4, "title": "a", "due": null, "done": false }),
        ];
        let query = Query::parse(query.to_string().as_bytes()).expect("a query");
        let chosen = query.choose(items.iter().map(Value::to_string).collect::<Vec<_>>());
        chosen
            .iter()
            .map(|item| serde_json::from_str::<Value>(item).expect("JSON")["id"].as_i64().expect("a number"))
            .collect()
    }

    #[test]
    fn items_are_chosen_and_put_in_order() {
        for (query, expected) in [
            (json!(null), vec![1, 2, 3, 4]),
            (json!({ "where": { "done": false } }), vec![1, 3, 4]),
            (json!({ "where": { "due": { "gte": 5.0 } } }), vec![1, 2]),
            (json!({ "where": { "due": { "gt": 5, "lt": 8 } } }), vec![2]),
            (json!({ "where": { "by.name": "ada" } }), vec![1]),
            (json!({ "where": { "tags.0": "x" } }), vec![1]),
            (json!({ "where": { "by": { "exists": false } } }), vec![2, 4]),
            (json!({ "where": { "by": { "eq": { "name": "bob" } } } }), vec![3]),
            (json!({ "where": { "due": null } }), vec![4]),
            (json!({ "where": { "title": { "in": ["b", "c"] }, "done": { "ne": true } } }), vec![1, 3]),
            (json!({ "order": "title" }), vec![2, 4, 1, 3]),
            (json!({ "order": ["title", "-id"] }), vec![4, 2, 1, 3]),
            (json!({ "order": "-due" }), vec![3, 2, 1, 4]),
            (json!({ "order": "id", "limit": 2, "offset": 1 }), vec![2, 3]),
            (json!({ "limit": 1 }), vec![1]),
        ] {
            assert_eq!(chosen(&query), expected, "{query}");
        }
    }

    #[test]
    fn what_is_no_query_says_why() {
        let error = |json: &str| Query::parse(json.as_bytes()).expect_err("refused").to_string();
        assert!(error("[]").starts_with("a query is an object such as"));
        assert!(
            error(r#"{"limits":1}"#)
                .ends_with("unknown field `limits`, expected one of `where`, `order`, `limit`, `offset`")
        );
        assert!(error(r#"{"limit":-1}"#).contains("limit: 10"));
        assert!(error(r#"{"where":{"a":{"gtt":1}}}"#).starts_with("where 'a': there is no test 'gtt': eq, ne"));
        assert_eq!(error(r#"{"where":{"a":{"in":1}}}"#), "where 'a': 'in' takes a list");
    }
}
