//! What rewritten code turns out to use, and the declarations of it that go to the top of the file.

use crate::facts::Format;
use crate::layout::{file_url, relative_specifier, relative_url};
use crate::modules;
use crate::shim::quote;
use std::fmt::Write as _;

use super::Place;
use crate::scratch::Names;

#[derive(Default)]
pub(super) struct Needs<'a> {
    /// Exports of the SDK's interop module, with their local names.
    helpers: Vec<(&'static str, &'a str)>,
    /// In an ES module, a `require` that resolves as the compiled file does, and what makes it.
    compiled_require: Option<(&'a str, &'a str)>,
    /// A `require` that resolves as the source does, and what makes it.
    source_require: Option<(&'a str, &'a str)>,
    /// An `import` of computed specifiers, and what makes it.
    computed_import: Option<(&'a str, &'a str)>,
    /// The list of all compiled modules, for the two above.
    modules: Option<&'a str>,
    /// In an ES module, a `module` that is nobody's.
    module: Option<&'a str>,
}

impl<'a> Needs<'a> {
    /// The local name of an export of the interop module.
    pub(super) fn helper(&mut self, export: &'static str, names: &mut Names<'a>) -> &'a str {
        if let Some((_, local)) = self.helpers.iter().find(|(known, _)| *known == export) {
            return local;
        }
        let local = names.make(export);
        self.helpers.push((export, local));
        local
    }

    pub(super) fn compiled_require(&mut self, format: Format, names: &mut Names<'a>) -> &'a str {
        match format {
            Format::CommonJs => "require",
            Format::Esm => {
                self.compiled_require
                    .get_or_insert_with(|| (names.make("$requireCompiled"), names.make("$createRequire")))
                    .0
            }
        }
    }

    pub(super) fn source_require(&mut self, names: &mut Names<'a>) -> &'a str {
        let make = self.helper("$require", names);
        self.modules(names);
        self.source_require.get_or_insert_with(|| (names.make("$requireSource"), make)).0
    }

    /// What `import()` of a computed specifier calls.
    pub(super) fn computed_import(&mut self, names: &mut Names<'a>) -> &'a str {
        let make = self.helper("$importFrom", names);
        self.modules(names);
        self.computed_import.get_or_insert_with(|| (names.make("$importComputed"), make)).0
    }

    fn modules(&mut self, names: &mut Names<'a>) {
        self.modules.get_or_insert_with(|| names.make("$modules"));
    }

    pub(super) fn module(&mut self, names: &mut Names<'a>) -> &'a str {
        self.module.get_or_insert_with(|| names.make("$module"))
    }

    /// The declarations of everything that was asked for.
    pub(super) fn declare(&self, format: Format, place: &Place<'_>) -> String {
        let mut code = String::new();
        if !self.helpers.is_empty() {
            let list = |joint: &str| {
                let names: Vec<String> =
                    self.helpers.iter().map(|(export, local)| format!("{export}{joint}{local}")).collect();
                names.join(", ")
            };
            let _ = match format {
                Format::Esm => {
                    writeln!(code, "import {{ {} }} from {};", list(" as "), quote(&file_url(place.interop)))
                }
                Format::CommonJs => {
                    writeln!(
                        code,
                        "const {{ {} }} = require({});",
                        list(": "),
                        quote(&place.interop.with_extension("cjs").to_string_lossy())
                    )
                }
            };
        }
        if let Some((require, make)) = self.compiled_require {
            let _ = writeln!(code, "import {{ createRequire as {make} }} from \"node:module\";");
            let _ = writeln!(code, "const {require} = {make}(import.meta.url);");
        }
        if let Some(modules) = self.modules {
            let _ = match format {
                Format::Esm => {
                    writeln!(code, "import {modules} from {};", quote(&relative_url(place.output, modules::OUTPUT)))
                }
                Format::CommonJs => {
                    let list = quote(&relative_specifier(place.output, modules::OUTPUT));
                    writeln!(code, "const {modules} = require({list});")
                }
            };
            let source = quote(&place.source.to_string_lossy());
            for (name, make) in self.source_require.into_iter().chain(self.computed_import) {
                let _ = writeln!(code, "const {name} = {make}({source}, {modules});");
            }
        }
        if let Some(module) = self.module {
            let _ = writeln!(code, "const {module} = {{ exports: {{}} }};");
        }
        code
    }
}
