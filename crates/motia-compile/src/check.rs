//! What Node refuses about `require` of an ES module, told before it does, with the files that lead there.

use std::collections::HashSet;

use motia_core::SourcePath;

use crate::diagnostic::Diagnostic;
use crate::facts::{Format, Request, RequestKind};
use crate::graph::{FileId, Graph};

/// What is wrong with how a file loads others.
pub(crate) fn check(graph: &Graph, id: FileId) -> Vec<Diagnostic> {
    let file = &graph.files[id];
    let Some(facts) = file.facts() else { return Vec::new() };
    let at = |request: &Request, message: String| {
        Diagnostic::new(&file.name, message).at(&file.source, request.span.clone())
    };
    let mut errors = Vec::new();
    if let (Format::CommonJs, Some(span)) = (facts.format, &facts.top_level_await) {
        let message = "await outside a function needs an ES module, and this file is CommonJS";
        let help = "export with `export` instead of `module.exports`, or await inside an async function";
        errors.push(Diagnostic::new(&file.name, message).at(&file.source, span.clone()).help(help));
    }
    for (request, target) in requires(graph, id) {
        if graph.files[target].format() != Format::Esm {
            continue;
        }
        let waits = |file: FileId| {
            graph.files[file]
                .facts()
                .is_some_and(|facts| facts.top_level_await.is_some() && facts.format == Format::Esm)
        };
        let circle = |file: FileId| file == id && !request.lazy;
        if let Some(path) = path(graph, target, waits) {
            let message = format!(
                "require of '{}', which uses await outside a function: {}",
                request.specifier,
                names(graph, id, &path)
            );
            errors.push(
                at(request, message).help("use `import` or `await import()` instead, or await inside a function"),
            );
        } else if let Some(path) = path(graph, target, circle) {
            let message = format!(
                "require of '{}' goes round in a circle between CommonJS and ES modules: {}",
                request.specifier,
                names(graph, id, &path)
            );
            errors.push(at(request, message).help(
                "use the same kind of export in all of these files, or move what they share to a file of its own",
            ));
        }
    }
    errors
}

/// The files that a file requires: by `require`, and by `import` where that becomes one.
fn requires(graph: &Graph, id: FileId) -> impl Iterator<Item = (&Request, FileId)> {
    let format = graph.files[id].format();
    graph.files[id].edges().filter(move |(request, _)| match request.kind {
        RequestKind::Require => true,
        RequestKind::Static => format == Format::CommonJs,
        RequestKind::Dynamic | RequestKind::Locate | RequestKind::Thread => false,
    })
}

/// The way from a file to the nearest that is looked for, along what loading it loads at once.
fn path(graph: &Graph, from: FileId, goal: impl Fn(FileId) -> bool) -> Option<Vec<FileId>> {
    let mut ways = vec![vec![from]];
    let mut seen = HashSet::from([from]);
    let mut next = 0;
    while let Some(way) = ways.get(next).cloned() {
        next += 1;
        let end = way[way.len() - 1];
        if goal(end) {
            return Some(way);
        }
        for (request, target) in graph.files[end].edges() {
            if request.kind != RequestKind::Dynamic && !request.lazy && seen.insert(target) {
                ways.push([way.as_slice(), &[target]].concat());
            }
        }
    }
    None
}

fn names(graph: &Graph, from: FileId, path: &[FileId]) -> String {
    let names: Vec<&str> = [from].iter().chain(path).map(|&id| SourcePath::as_str(&graph.files[id].name)).collect();
    names.join(" → ")
}
