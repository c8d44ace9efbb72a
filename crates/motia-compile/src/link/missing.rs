//! What is said about a module that is not there.

use crate::diagnostic::Diagnostic;
use crate::facts::Request;
use crate::graph::File;
use crate::installing;
use crate::resolve::Missing;

use super::FileLinker;

impl FileLinker<'_> {
    pub(super) fn missing(&self, request: &Request, missing: &Missing) -> Diagnostic {
        let specifier = &request.specifier;
        let at =
            |message: String| Diagnostic::new(&self.file.name, message).at(&self.file.source, request.span.clone());
        match missing {
            Missing::File => at(format!("cannot find '{specifier}'"))
                .help("check the path and the name; extensions may be left out, upper and lower case count"),
            Missing::Package(package) => {
                let folder = self.file.path.parent().unwrap_or(self.root);
                at(format!("cannot find package '{package}'")).help(installing::advice(folder, package))
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
