//! Which step a method and a path belong to.
//!
//! A tree of segments per method. At each segment the most specific branch is tried first: static text, then an expression, then a
//! parameter, then the rest. So `/users/me` beats `/users/:id` whatever file came first, and the cost does not grow with the
//! number of routes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use motia_core::step::{Method, Step, Trigger};

use crate::pattern::{Expression, Part, fold, parse};

/// All routes of a project.
#[derive(Default)]
pub struct Routes {
    trees: [Node; Method::ALL.len()],
}

#[derive(Default)]
struct Node {
    step: Option<Leaf>,
    statics: HashMap<String, Node>,
    segments: Vec<(Expression, Node)>,
    param: Option<Box<Node>>,
    rests: Vec<(Expression, Leaf)>,
}

/// The end of a pattern: its step, and the names of its parameters along the way.
#[derive(Clone)]
struct Leaf {
    step: Arc<Step>,
    names: Arc<[String]>,
}

/// A step that a path belongs to.
pub struct Match {
    /// The step.
    pub step: Arc<Step>,
    /// Its parameters, percent-decoded.
    pub params: Vec<(String, String)>,
}

/// Why a path leads to no step.
#[derive(Debug, PartialEq, Eq)]
pub enum NoMatch {
    /// No pattern fits.
    NotFound,
    /// A pattern fits, for these methods.
    OtherMethods(Vec<Method>),
    /// A parameter is not valid percent-encoded UTF-8.
    BadEncoding,
}

impl Routes {
    /// The routes of steps, in the order in which the original registered them. Of two with the same method and path the first wins;
    /// the others come back as warnings, as do patterns that cannot be understood.
    pub fn new<'a>(steps: impl IntoIterator<Item = &'a Arc<Step>>) -> (Self, Vec<String>) {
        let (mut routes, mut warnings) = (Self::default(), Vec::new());
        for step in steps {
            let Trigger::Api(api) = &step.trigger else { continue };
            let variants = match parse(&api.path) {
                Ok(variants) => variants,
                Err(error) => {
                    warnings.push(format!("{}: {error}; the route is left out", step.source));
                    continue;
                }
            };
            for parts in variants {
                if let Some(first) = routes.trees[api.method as usize].insert(&parts, step) {
                    warnings.push(format!(
                        "route {} {} is used by {} and by {}; the first one is used",
                        api.method, api.path, first.source, step.source
                    ));
                    break;
                }
            }
        }
        (routes, warnings)
    }

    /// The most specific step for a path, as it is on the wire, without its query.
    pub fn find(&self, method: Method, path: &str) -> Result<Match, NoMatch> {
        let path = trim(path);
        let mut found = self.trees[method as usize].find(path);
        if found.is_none() && method == Method::Head {
            found = self.trees[Method::Get as usize].find(path);
        }
        let Some((leaf, values)) = found else {
            let others: Vec<_> =
                Method::ALL.into_iter().filter(|other| self.trees[*other as usize].find(path).is_some()).collect();
            return Err(if others.is_empty() { NoMatch::NotFound } else { NoMatch::OtherMethods(others) });
        };
        let mut params = Vec::with_capacity(values.len());
        for (name, value) in leaf.names.iter().zip(values) {
            // A group that took no part in the match leaves its parameter out.
            let Some(value) = value else { continue };
            let decoded =
                percent_encoding::percent_decode_str(value).decode_utf8().map_err(|_| NoMatch::BadEncoding)?;
            params.push((name.clone(), decoded.into_owned()));
        }
        Ok(Match { step: leaf.step, params })
    }
}

/// The path without its outer slashes; `None` for the root.
fn trim(path: &str) -> Option<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    (!path.is_empty()).then_some(path)
}

impl Node {
    /// Adds a pattern. Answers with the step that has the same pattern already.
    fn insert(&mut self, parts: &[Part], step: &Arc<Step>) -> Option<Arc<Step>> {
        let mut names: Vec<String> = Vec::new();
        let mut node = self;
        for part in parts {
            node = match part {
                Part::Static(text) => node.statics.entry(text.clone()).or_default(),
                Part::Param(name) => {
                    names.push(name.clone());
                    node.param.get_or_insert_default()
                }
                Part::Segment(expression) => {
                    names.extend(expression.names.iter().cloned());
                    let known = node.segments.iter().position(|(other, _)| other.source == expression.source);
                    let at = known.unwrap_or_else(|| {
                        node.segments.push((expression.clone(), Self::default()));
                        node.segments.len() - 1
                    });
                    &mut node.segments[at].1
                }
                Part::Rest(expression) => {
                    names.extend(expression.names.iter().cloned());
                    if let Some((_, leaf)) = node.rests.iter().find(|(other, _)| other.source == expression.source) {
                        return Some(Arc::clone(&leaf.step));
                    }
                    node.rests.push((expression.clone(), Leaf { step: Arc::clone(step), names: names.into() }));
                    // The longer expression says more.
                    node.rests.sort_by_key(|(expression, _)| std::cmp::Reverse(expression.source.len()));
                    return None;
                }
            };
        }
        if let Some(leaf) = &node.step {
            return Some(Arc::clone(&leaf.step));
        }
        node.step = Some(Leaf { step: Arc::clone(step), names: names.into() });
        None
    }

    fn find<'p>(&self, path: Option<&'p str>) -> Option<(Leaf, Vec<Option<&'p str>>)> {
        let mut values = Vec::new();
        let leaf = self.walk(path, &mut values)?;
        Some((leaf.clone(), values))
    }

    /// Goes along `path`, what is left of it; `None` is its end. `values` gets what the parameters stand for.
    fn walk<'p>(&self, path: Option<&'p str>, values: &mut Vec<Option<&'p str>>) -> Option<&Leaf> {
        let Some(path) = path else {
            // `/w/*` takes `/w/` too, with an empty rest.
            return self.step.as_ref().or_else(|| self.rest("", values));
        };
        let (first, left) = path.split_once('/').map_or((path, None), |(first, left)| (first, Some(left)));
        let mark = values.len();
        if !self.statics.is_empty()
            && let Some(node) = self.statics.get(&*folded(first))
            && let Some(leaf) = node.walk(left, values)
        {
            return Some(leaf);
        }
        for (expression, node) in &self.segments {
            values.truncate(mark);
            if expression.capture(first, values)
                && let Some(leaf) = node.walk(left, values)
            {
                return Some(leaf);
            }
        }
        values.truncate(mark);
        if let Some(node) = &self.param
            && !first.is_empty()
        {
            values.push(Some(first));
            if let Some(leaf) = node.walk(left, values) {
                return Some(leaf);
            }
        }
        values.truncate(mark);
        self.rest(path, values)
    }

    fn rest<'p>(&self, path: &'p str, values: &mut Vec<Option<&'p str>>) -> Option<&Leaf> {
        let mark = values.len();
        self.rests.iter().find_map(|(expression, leaf)| {
            values.truncate(mark);
            expression.capture(path, values).then_some(leaf)
        })
    }
}

impl Expression {
    /// Whether it matches; `values` gets its groups.
    fn capture<'p>(&self, text: &'p str, values: &mut Vec<Option<&'p str>>) -> bool {
        // An expression that backtracks too long counts as no match: the path then is not found, and nothing hangs.
        let Ok(Some(captures)) = self.regex.captures(text) else { return false };
        values.extend((1..=self.names.len()).map(|n| captures.get(n).map(|group| group.as_str())));
        true
    }
}

/// [`fold`], without allocating for the usual segment.
fn folded(segment: &str) -> Cow<'_, str> {
    let plain = segment.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase() && byte != b'%');
    if plain { Cow::Borrowed(segment) } else { Cow::Owned(fold(segment)) }
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
