//! What is said about a module that is not there.

use std::fs;
use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::facts::Request;
use crate::graph::File;
use crate::installing;
use crate::layout::display_path;
use crate::missing::{Missing, parts};

use super::FileLinker;

impl FileLinker<'_> {
    pub(super) fn missing(&self, request: &Request, missing: &Missing) -> Diagnostic {
        let specifier = &request.specifier;
        let at =
            |message: String| Diagnostic::new(&self.file.name, message).at(&self.file.source, request.span.clone());
        let folder = self.file.path.parent().unwrap_or(self.root);
        let name = |path: &Path| display_path(self.root, path);
        match missing {
            Missing::File => at(format!("cannot find '{specifier}'"))
                .help("check the path and the name; extensions may be left out, upper and lower case count"),
            Missing::Package(package) => {
                at(format!("cannot find package '{package}'")).help(installing::advice(folder, package))
            }
            Missing::Builtin(builtin) => {
                let parts: Vec<String> = parts(builtin).iter().map(|part| format!("'{part}'")).collect();
                let mut help = format!("Node has {}", parts.join(", "));
                // `buffer/` is how the package is asked for that has the name of a module.
                if specifier.ends_with('/') {
                    help = format!("{help}; for the package of that name {}", installing::advice(folder, builtin));
                }
                at(format!("cannot find '{specifier}': '{builtin}' is a module of Node, which has no such part")).help(help)
            }
            Missing::NoName => at(format!("cannot find '{specifier}': it is no path, and no package can have that name"))
                .help(if specifier.contains(':') {
                    "a file is written './file', a module of Node 'node:fs' or 'node:fs/promises'"
                } else {
                    "a file is written './file'; other names of files stand in `paths`, in the compilerOptions of tsconfig.json"
                }),
            Missing::Alias { pattern, tried } => {
                let tried: Vec<String> = tried.iter().map(|path| name(path).to_string()).collect();
                at(format!("cannot find '{specifier}'")).help(format!(
                    "`paths` in tsconfig.json lead '{pattern}' to {}: nothing is there",
                    tried.join(" or ")
                ))
            }
            Missing::Import { manifest: None, .. } => at(format!("cannot find '{specifier}'"))
                .help("names with # stand in the `imports` of a package.json, and there is none"),
            Missing::Import { manifest: Some(manifest), target: None } => at(format!("cannot find '{specifier}'"))
                .help(format!("{} has no entry for it: names with # stand in its `imports`", name(manifest))),
            Missing::Import { manifest: Some(manifest), target: Some(target) } => at(format!("cannot find '{specifier}'"))
                .help(format!("`imports` in {} lead it to '{target}': nothing is there", name(manifest))),
            Missing::Remote => at(format!("cannot import '{specifier}': Node loads no modules from the network"))
                .help("install the package that it is, or save the file in the project and import that"),
            Missing::Manifest { path, why, line, column } => {
                let source = fs::read_to_string(path).unwrap_or_default();
                Diagnostic::not_json(&name(path), &source, why, *line, *column)
            }
            Missing::Broken(why) => at(format!("cannot import '{specifier}': {why}")),
        }
    }

    pub(super) fn warn_of_stub(&mut self, request: &Request, missing: &Missing) {
        let mut warning = self.missing(request, missing);
        warning.message.push_str(": what it exports does nothing here");
        self.linked.warnings.push(warning);
    }

    pub(super) fn warn(&mut self, request: &Request, message: String) {
        let warning = Diagnostic::new(&self.file.name, message).at(&self.file.source, request.span.clone());
        self.linked.warnings.push(warning);
    }
}

/// What to do about a name that a file does not export.
pub(super) fn names_help(other: &File) -> String {
    let names: Vec<&str> = other
        .facts()
        .map(|facts| facts.exports.iter().map(|export| export.name.as_str()).collect())
        .unwrap_or_default();
    if names.is_empty() {
        format!("{} exports nothing", other.name)
    } else {
        format!("{} exports {}", other.name, names.join(", "))
    }
}
