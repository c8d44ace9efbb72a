//! Which names the files of a project export as values. No single file can know that `export { Foo } from './types'`
//! names a type.

use std::collections::HashSet;

use crate::facts::{Facts, Format, Imported, Origin};
use crate::graph::{FileId, Graph, Resolved};
use crate::resolve::Shape;

/// What a name of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is a value, or there may be one that only running can show.
    Value,
    /// It is a type.
    Type,
    /// It may come out of a CommonJS module by way of an `export *` of this file.
    Star(FileId),
    Missing,
}

/// Looks a name up.
pub(crate) fn find(graph: &Graph, file: FileId, name: &str) -> Found {
    Search { graph, seen: HashSet::new() }.file(file, name)
}

struct Search<'a> {
    graph: &'a Graph,
    /// What is being looked up already: files may re-export each other in circles.
    seen: HashSet<(FileId, String)>,
}

impl Search<'_> {
    fn file(&mut self, id: FileId, name: &str) -> Found {
        // CommonJS, JSON and broken files answer to any name.
        let Some(facts) = self.graph.files[id].facts().filter(|facts| facts.format == Format::Esm) else {
            return Found::Value;
        };
        if !self.seen.insert((id, name.to_owned())) {
            return Found::Missing;
        }
        let exported = facts.exports.iter().find(|export| export.name == name);
        match exported.map(|export| &export.origin) {
            Some(Origin::Local) => Found::Value,
            Some(Origin::Import(import)) => {
                let import = &facts.imports[*import];
                self.request(id, import.request, &import.imported)
            }
            Some(Origin::Request { request, imported }) => self.request(id, *request, imported),
            None if facts.type_names.contains(name) => Found::Type,
            None if name == "default" => Found::Missing,
            None => self.stars(id, facts, name),
        }
    }

    fn request(&mut self, id: FileId, request: usize, imported: &Imported) -> Found {
        match (&self.graph.files[id].targets[request], imported) {
            (Resolved::Types, _) => Found::Type,
            (Resolved::File(target), Imported::Name(name)) => self.file(*target, name),
            _ => Found::Value,
        }
    }

    /// The first `export *` that surely has it; else one that hides what it has.
    fn stars(&mut self, id: FileId, facts: &Facts, name: &str) -> Found {
        let mut best = Found::Missing;
        for &request in &facts.stars {
            let found = match &self.graph.files[id].targets[request] {
                Resolved::Types => Found::Type,
                Resolved::File(target) if self.graph.files[*target].format() == Format::Esm => self.file(*target, name),
                target if hides_names(self.graph, target) => Found::Star(id),
                _ => Found::Value,
            };
            match (best, found) {
                (_, Found::Value) => return Found::Value,
                (Found::Star(..), _) => {}
                (_, Found::Missing) => {}
                _ => best = found,
            }
        }
        best
    }
}

/// Whether only running it shows what a module exports.
pub(crate) fn hides_names(graph: &Graph, target: &Resolved) -> bool {
    match target {
        Resolved::File(id) => graph.files[*id].format() == Format::CommonJs,
        Resolved::Package(package) => package.shape != Shape::Esm,
        Resolved::Raw(_) => true,
        _ => false,
    }
}
