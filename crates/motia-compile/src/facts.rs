//! What the rest of a project needs to know of one file. Nothing here depends on any other file, so it is kept as
//! long as the text of the file stays the same.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::pattern::Pattern;

/// The module format of a compiled file. It follows the syntax of its source, never a `package.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Format {
    Esm,
    CommonJs,
}

impl Format {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Esm => "mjs",
            Self::CommonJs => "cjs",
        }
    }
}

/// What one file is and wants, after its types are gone.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) format: Format,
    /// Written in TypeScript: names that lead nowhere may be types.
    pub(crate) typescript: bool,
    /// The first `await` outside any function.
    pub(crate) top_level_await: Option<Range<usize>>,
    /// Every literal specifier, by way of asking; each once per kind.
    pub(crate) requests: Vec<Request>,
    /// The bindings that `import` declarations make.
    pub(crate) imports: Vec<Import>,
    pub(crate) exports: Vec<Export>,
    /// The requests of `export * from`.
    pub(crate) stars: Vec<usize>,
    /// The names that the file exports as types only.
    pub(crate) type_names: BTreeSet<String>,
    /// `import()` and `require` of something that is not a literal.
    pub(crate) computed: Vec<Computed>,
    /// It holds a `require` that is more than a call with a literal: what that stands for is decided when it runs.
    pub(crate) passes_require: bool,
}

/// A specifier that a file asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) specifier: String,
    pub(crate) kind: RequestKind,
    /// The specifier in the source; empty if the lowering made it up.
    pub(crate) span: Range<usize>,
    /// Asked for inside a function: when that runs, if ever.
    pub(crate) lazy: bool,
    /// Asked for inside `try`: it may well be missing.
    pub(crate) guarded: bool,
}

/// A specifier that is only known when it runs.
#[derive(Clone, Debug)]
pub(crate) struct Computed {
    pub(crate) pattern: Pattern,
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum RequestKind {
    /// `import … from` and `export … from`.
    Static,
    /// `import()`.
    Dynamic,
    /// `require()`.
    Require,
    /// `require.resolve()`.
    Locate,
    /// `new Worker(new URL('./x.ts', import.meta.url))`
    Thread,
}

impl RequestKind {
    /// Whether the code that asks gets a name of the file, and not what is in it.
    pub(crate) fn names(self) -> bool {
        matches!(self, Self::Locate | Self::Thread)
    }
}

/// A name of another module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Imported {
    /// `default` among them.
    Name(String),
    /// The module as a whole.
    Namespace,
}

impl Imported {
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Namespace => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) request: usize,
    pub(crate) imported: Imported,
    pub(crate) local: String,
    pub(crate) span: Range<usize>,
    /// The file does nothing with it but export it: it may be a type.
    pub(crate) only_exported: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) span: Range<usize>,
}

/// Where an exported name comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// It is declared in the file.
    Local,
    /// It is a binding of [`Facts::imports`].
    Import(usize),
    /// `export { imported as name } from`.
    Request { request: usize, imported: Imported },
}

/// A name that a file takes from another.
pub(crate) struct Use<'a> {
    pub(crate) imported: &'a Imported,
    /// The binding that it makes.
    pub(crate) local: Option<&'a str>,
    /// The names under which it is exported again.
    pub(crate) exported: Vec<&'a str>,
    /// The file does nothing with it but export it: it may be a type.
    pub(crate) passed_on: bool,
    pub(crate) span: Range<usize>,
}

impl Facts {
    /// Whether the compiled file looks modules up while it runs.
    pub(crate) fn looks_up(&self) -> bool {
        self.passes_require || !self.computed.is_empty()
    }

    /// Whether the file imports the default of the target of one of its static requests.
    pub(crate) fn wants_default(&self, request: usize) -> bool {
        self.imports.iter().any(|import| import.request == request && import.imported.name() == Some("default"))
    }

    /// What the file takes from the target of one of its static requests.
    pub(crate) fn uses(&self, request: usize) -> Vec<Use<'_>> {
        let imported = self.imports.iter().enumerate().filter(|(_, import)| import.request == request);
        let imported = imported.map(|(index, import)| {
            let again = self.exports.iter().filter(|export| matches!(export.origin, Origin::Import(of) if of == index));
            Use {
                imported: &import.imported,
                local: Some(&import.local),
                exported: again.map(|export| export.name.as_str()).collect(),
                passed_on: import.only_exported,
                span: import.span.clone(),
            }
        });
        let passed = self.exports.iter().filter_map(|export| match &export.origin {
            Origin::Request { request: of, imported } if *of == request => Some(Use {
                imported,
                local: None,
                exported: vec![export.name.as_str()],
                passed_on: true,
                span: export.span.clone(),
            }),
            _ => None,
        });
        imported.chain(passed).collect()
    }
}
