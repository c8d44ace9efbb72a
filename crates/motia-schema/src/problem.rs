//! What is wrong with data, in words. What the data holds never shows: it may be secret, and the words are logged.

use std::fmt;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde::Serialize;
use serde_json::Value;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Such as `body.items[3].price`.
    pub path: String,
    /// Such as `expected number, got string`.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl Problem {
    /// The problem without its place in lists: the same for all items that are wrong in the same way.
    pub fn shape(&self) -> String {
        let mut parts = self.path.split('[');
        let mut shape = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            shape.push('[');
            shape.push_str(if rest.len() < part.len() { "*" } else { "" });
            shape.push_str(rest);
        }
        shape + ": " + &self.message
    }
}

/// The most characters of what a schema lists.
const LONGEST_LIST: usize = 200;
/// The most unexpected members that are named, and the most characters of each.
const MOST_NAMES: usize = 5;
const LONGEST_NAME: usize = 40;

/// An error of the validator as problems of the data that is called `name`: of a union, those of the form that was meant.
pub(crate) fn of(error: &ValidationError<'_>, name: &str) -> Vec<Problem> {
    let path = path(name, error.instance_path().as_str());
    let one = |message: String| vec![Problem { path: path.clone(), message }];
    match error.kind() {
        Kind::Required { property } => {
            let mut path = path;
            push(&mut path, property.as_str().unwrap_or_default());
            vec![Problem { path, message: "is missing".into() }]
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match meant(context, error) {
            Meant::Form(errors) => errors.iter().flat_map(|error| of(error, name)).collect(),
            Meant::Types(types) => one(format!("expected {}, got {}", types.join(" or "), kind(error.instance()))),
            Meant::Nothing => one(format!("matches none of the {} forms it may have", context.len())),
        },
        _ => one(message(error)),
    }
}

fn message(error: &ValidationError<'_>) -> String {
    let members = |limit: &u64| plural(*limit, "member");
    match error.kind() {
        Kind::Type { kind: expected } => {
            format!("expected {}, got {}", types(expected).join(" or "), kind(error.instance()))
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected_members(unexpected)
        }
        Kind::AdditionalItems { limit } => format!("expected at most {}", plural(*limit as u64, "item")),
        Kind::Constant { expected_value } => format!("expected {}", short(expected_value.to_string())),
        Kind::Enum { options } => {
            let options: Vec<_> = options.as_array().into_iter().flatten().map(Value::to_string).collect();
            format!("expected one of {}", short(options.join(", ")))
        }
        Kind::Minimum { limit } => format!("expected {limit} or more"),
        Kind::Maximum { limit } => format!("expected {limit} or less"),
        Kind::ExclusiveMinimum { limit } => format!("expected more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("expected less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("expected a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("expected at least {}", plural(*limit, "character")),
        Kind::MaxLength { limit } => format!("expected at most {}", plural(*limit, "character")),
        Kind::MinItems { limit } => format!("expected at least {}", plural(*limit, "item")),
        Kind::MaxItems { limit } => format!("expected at most {}", plural(*limit, "item")),
        Kind::MinProperties { limit } => format!("expected at least {}", members(limit)),
        Kind::MaxProperties { limit } => format!("expected at most {}", members(limit)),
        Kind::UniqueItems => "expected items that differ from each other".into(),
        Kind::Contains => "has no item of the form that one of its items must have".into(),
        Kind::PropertyNames { .. } => "has a member whose name is not allowed".into(),
        Kind::OneOfMultipleValid { .. } => "matches several forms, but must match one of them alone".into(),
        Kind::Custom { message, .. } => message.clone(),
        Kind::Not { .. } | Kind::FalseSchema => "is not allowed here".into(),
        other => format!("does not match the schema's \"{}\"", other.keyword()),
    }
}

/// Which form of a union the data was meant to have.
enum Meant<'e> {
    Form(&'e [ValidationError<'static>]),
    /// All of them are of other types than the data.
    Types(Vec<String>),
    Nothing,
}

fn meant<'e>(forms: &'e [Vec<ValidationError<'static>>], union: &ValidationError<'_>) -> Meant<'e> {
    let here = union.instance_path().as_str();
    let other_type = |errors: &[ValidationError<'_>]| {
        errors.iter().find_map(|error| match error.kind() {
            Kind::Type { kind } if error.instance_path().as_str() == here => Some(types(kind)),
            _ => None,
        })
    };
    let mut other_types = Vec::new();
    let mut fitting = Vec::new();
    for errors in forms {
        match other_type(errors) {
            Some(types) => other_types.extend(types),
            None => fitting.push(errors),
        }
    }
    if fitting.is_empty() {
        other_types.dedup();
        return Meant::Types(other_types);
    }
    // A member with one value says which form it is.
    let tagged_otherwise =
        |errors: &[ValidationError<'_>]| errors.iter().any(|error| matches!(error.kind(), Kind::Constant { .. }));
    if fitting.len() > 1 {
        fitting.retain(|errors| !tagged_otherwise(errors));
    }
    match fitting[..] {
        [form] => Meant::Form(form),
        _ => Meant::Nothing,
    }
}

fn types(kind: &TypeKind) -> Vec<String> {
    match kind {
        TypeKind::Single(one) => vec![one.to_string()],
        TypeKind::Multiple(several) => {
            let mut several: Vec<_> = several.iter().map(|one| one.to_string()).collect();
            several.sort_by_key(|one| one == "null");
            several
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn unexpected_members(names: &[String]) -> String {
    let named: Vec<_> = names.iter().take(MOST_NAMES).map(|name| quoted(name)).collect();
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let word = if names.len() == 1 { "the unexpected member" } else { "the unexpected members" };
    format!("has {word} {}{more}", named.join(", "))
}

fn plural(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn short(text: String) -> String {
    match text.char_indices().nth(LONGEST_LIST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Names come from outside: no line breaks, and not too long.
fn quoted(name: &str) -> String {
    let cut: String = name.chars().take(LONGEST_NAME).collect();
    let more = if cut.len() < name.len() { "…" } else { "" };
    Value::String(cut + more).to_string()
}

/// A JSON pointer as people write paths.
fn path(name: &str, pointer: &str) -> String {
    let mut path = name.to_owned();
    for part in pointer.split('/').skip(1) {
        push(&mut path, &part.replace("~1", "/").replace("~0", "~"));
    }
    path
}

fn push(path: &mut String, member: &str) {
    let plain = |text: &str| {
        text.len() <= LONGEST_NAME && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$' || c == '-')
    };
    if !member.is_empty() && member.bytes().all(|byte| byte.is_ascii_digit()) {
        path.push_str(&format!("[{member}]"));
    } else if !member.is_empty() && plain(member) {
        path.push('.');
        path.push_str(member);
    } else {
        path.push_str(&format!("[{}]", quoted(member)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_are_wrong_in_the_same_way_have_one_shape() {
        let problem = |path: &str| Problem { path: path.into(), message: "is missing".into() }.shape();
        assert_eq!(problem("body.a[17].b[0]"), "body.a[*].b[*]: is missing");
        assert_eq!(problem("body[\"odd.name\"]"), "body[\"odd.name\"]: is missing");
    }

    #[test]
    fn long_and_odd_names_are_cut_and_quoted() {
        assert_eq!(path("body", "/a~1b/0/c"), "body[\"a/b\"][0].c");
        let many: Vec<_> = (0..7).map(|n| format!("m{n}")).collect();
        assert_eq!(
            unexpected_members(&many),
            "has the unexpected members \"m0\", \"m1\", \"m2\", \"m3\", \"m4\" and 2 more"
        );
        assert_eq!(quoted(&"x".repeat(50)).chars().count(), 43);
    }
}
