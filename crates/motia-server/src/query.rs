//! Nested queries and forms, in the shapes that 0.x projects know (behaviour-0.17.md B4): `a=1&a=2` is a list, `a[]=1` too,
//! `a[b]=1` an object.

use std::borrow::Cow;
use std::collections::BTreeMap;

use indexmap::IndexMap;

/// How deep brackets nest; what is deeper stays text of the last key.
const DEPTH: usize = 5;
/// Largest index that makes a list; a larger one makes an object.
const LARGEST_INDEX: usize = 20;
/// Most parameters of a query; the rest is left out.
const MOST: usize = 1000;

/// A value being put together.
#[derive(Debug)]
enum Node {
    Text(String),
    /// By index; written without its holes.
    List(BTreeMap<usize, Node>),
    Object(IndexMap<String, Node>),
}

/// A form has more parameters than are taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many parameters: at most {MOST} are taken")]
pub struct TooMany;

/// A query as a JSON object; empty for none.
pub fn to_json(query: &str) -> String {
    let mut root = IndexMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()).take(MOST) {
        add(&mut root, pair);
    }
    if root.is_empty() { String::new() } else { write_object(&root) }
}

/// A urlencoded form as a JSON object.
pub fn form_to_json(form: &str) -> Result<String, TooMany> {
    let mut root = IndexMap::new();
    for (n, pair) in form.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if n == MOST {
            return Err(TooMany);
        }
        add(&mut root, pair);
    }
    Ok(write_object(&root))
}

fn decode(text: &str) -> String {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn add(root: &mut IndexMap<String, Node>, pair: &str) {
    // Brackets may come encoded, so the value is what follows the `=` after them.
    let split = pair.find("]=").map(|at| at + 1).or_else(|| pair.find('='));
    let (key, value) = split.map_or((pair, ""), |at| (&pair[..at], &pair[at + 1..]));
    let (key, value) = (decode(key), decode(value));
    let path = path(&key);
    // A key that is `__proto__` would change the object's own nature in JavaScript.
    if path.first().is_none_or(String::is_empty) || path.iter().any(|key| key == "__proto__") {
        return;
    }
    put(root, &path, value);
}

/// `a[b][]` → `a`, `b`, and an empty key for "at the end".
fn path(key: &str) -> Vec<String> {
    let Some(open) = key.find('[').filter(|open| *open > 0) else { return vec![key.to_owned()] };
    let mut path = vec![key[..open].to_owned()];
    let mut rest = &key[open..];
    while let Some(inner) = rest.strip_prefix('[') {
        let Some(close) = inner.find(']') else { break };
        if path.len() > DEPTH {
            path.push(rest.to_owned());
            return path;
        }
        path.push(inner[..close].to_owned());
        rest = &inner[close + 1..];
    }
    path
}

fn put(object: &mut IndexMap<String, Node>, path: &[String], value: String) {
    let Some((key, rest)) = path.split_first() else { return };
    match object.get_mut(key) {
        Some(node) => merge(node, rest, value),
        None => {
            object.insert(key.clone(), new(rest, value));
        }
    }
}

fn new(path: &[String], value: String) -> Node {
    let Some((key, rest)) = path.split_first() else { return Node::Text(value) };
    match index(key, 0) {
        Some(at) => Node::List(BTreeMap::from([(at, new(rest, value))])),
        None => Node::Object(IndexMap::from([(key.clone(), new(rest, value))])),
    }
}

/// The place in a list of `length` that a key names: its number, or the end for an empty key.
fn index(key: &str, length: usize) -> Option<usize> {
    if key.is_empty() {
        return Some(length);
    }
    let number: usize = key.parse().ok()?;
    (number <= LARGEST_INDEX && number.to_string() == key).then_some(number)
}

fn merge(node: &mut Node, path: &[String], value: String) {
    match (&mut *node, path.split_first()) {
        (Node::Text(first), None) => {
            let first = std::mem::take(first);
            *node = Node::List(BTreeMap::from([(0, Node::Text(first)), (1, Node::Text(value))]));
        }
        (Node::Text(first), Some(_)) => {
            let first = std::mem::take(first);
            *node = Node::List(BTreeMap::from([(0, Node::Text(first)), (1, new(path, value))]));
        }
        (Node::List(list), None) => {
            list.insert(next(list), Node::Text(value));
        }
        (Node::List(list), Some((key, rest))) => match index(key, next(list)) {
            Some(at) => match list.get_mut(&at) {
                Some(node) => merge(node, rest, value),
                None => {
                    list.insert(at, new(rest, value));
                }
            },
            None => {
                let mut object: IndexMap<_, _> =
                    std::mem::take(list).into_iter().map(|(at, node)| (at.to_string(), node)).collect();
                put(&mut object, path, value);
                *node = Node::Object(object);
            }
        },
        (Node::Object(object), None) => {
            object.insert(value, Node::Text("true".into()));
        }
        (Node::Object(object), Some((key, rest))) => {
            let key = if key.is_empty() { object.len().to_string() } else { key.clone() };
            let path: Vec<_> = std::iter::once(key).chain(rest.iter().cloned()).collect();
            put(object, &path, value);
        }
    }
}

fn next(list: &BTreeMap<usize, Node>) -> usize {
    list.last_key_value().map_or(0, |(last, _)| last + 1)
}

fn write_object(object: &IndexMap<String, Node>) -> String {
    let mut out = String::from("{");
    for (n, (key, node)) in object.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_text(&mut out, key);
        out.push(':');
        write(&mut out, node);
    }
    out.push('}');
    out
}

fn write(out: &mut String, node: &Node) {
    match node {
        Node::Text(text) => write_text(out, text),
        Node::Object(object) => out.push_str(&write_object(object)),
        Node::List(list) => {
            out.push('[');
            for (n, node) in list.values().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(out, node);
            }
            out.push(']');
        }
    }
}

/// Appends a JSON string.
pub(crate) fn write_text(out: &mut String, text: &str) {
    let plain = text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        // A string always serializes.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_have_the_shapes_that_projects_know() {
        for (query, expected) in [
            ("", ""),
            (
                "q=1&q=2&arr[]=a&obj[k]=v&empty=&flag&p%20q=%26&n=1,2",
                r#"{"q":["1","2"],"arr":["a"],"obj":{"k":"v"},"empty":"","flag":"","p q":"&","n":"1,2"}"#,
            ),
            ("a+b=c+d", r#"{"a b":"c d"}"#),
            ("a%5Bb%5D=1", r#"{"a":{"b":"1"}}"#),
            ("a[1]=x&a[0]=y", r#"{"a":["y","x"]}"#),
            ("a[100]=x", r#"{"a":{"100":"x"}}"#),
            ("a[b][c][d][e][f][g]=1", r#"{"a":{"b":{"c":{"d":{"e":{"f":{"[g]":"1"}}}}}}}"#),
            ("a[]=1&a[]=2&a=3", r#"{"a":["1","2","3"]}"#),
            ("a=1&a[b]=2", r#"{"a":["1",{"b":"2"}]}"#),
            ("a[b]=1&a=2", r#"{"a":{"b":"1","2":"true"}}"#),
            ("a[0][x]=1&a[0][y]=2", r#"{"a":[{"x":"1","y":"2"}]}"#),
            ("a==b", r#"{"a":"=b"}"#),
            ("=x&a=1", r#"{"a":"1"}"#),
            ("__proto__[x]=1&a[__proto__]=2&b=3", r#"{"b":"3"}"#),
            ("e=%F0%9F%90%BE&bad=%ff", "{\"e\":\"🐾\",\"bad\":\"\u{fffd}\"}"),
            ("quote=%22%0A", r#"{"quote":"\"\n"}"#),
            ("[a]=1&b[=2", r#"{"[a]":"1","b":"2"}"#),
        ] {
            assert_eq!(to_json(query), expected, "{query}");
        }
    }

    #[test]
    fn too_many_parameters_are_refused_in_a_form_and_cut_in_a_query() {
        let many = vec!["a=1"; 1001].join("&");
        assert_eq!(form_to_json(&many), Err(TooMany));
        assert!(to_json(&many).len() < many.len() * 3);
        assert_eq!(form_to_json(""), Ok("{}".into()));
    }
}
