//! What emitting a file needs to know of all others. With the file's own text it decides every byte of the output, so
//! its hash tells whether the output of an earlier compile still holds.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::resolve::Shape;

#[derive(Debug, Default, Serialize)]
pub(crate) struct Links {
    /// By specifier, for `import … from` and `export … from`.
    pub(crate) statics: BTreeMap<String, StaticLink>,
    /// By specifier, for `export * from` where it goes elsewhere than the other statements.
    pub(crate) stars: BTreeMap<String, String>,
    /// By specifier, for `import()`.
    pub(crate) dynamics: BTreeMap<String, DynamicLink>,
    /// By specifier, for `require()`: what to ask for instead, from the compiled file.
    pub(crate) requires: BTreeMap<String, String>,
    /// The same for `require.resolve()`.
    pub(crate) locates: BTreeMap<String, String>,
    /// The same for files that run as threads.
    pub(crate) threads: BTreeMap<String, String>,
    /// Local names of imports that turned out to be types.
    pub(crate) dropped_imports: BTreeSet<String>,
    /// Exported names that turned out to be types.
    pub(crate) dropped_exports: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StaticLink {
    pub(crate) to: String,
    pub(crate) shape: Shape,
    /// `to` is a generated module that exports the names asked for, the module as a whole among them.
    pub(crate) shim: bool,
    /// The module may be written for either idiom of default imports, so that `X.default` may mean `X`.
    pub(crate) either_default: bool,
    /// There is nothing of value behind it.
    pub(crate) omitted: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct DynamicLink {
    pub(crate) to: String,
    /// The result has to be made into the namespace that the user expects.
    pub(crate) wrap: bool,
}

impl StaticLink {
    pub(crate) fn direct(to: String, shape: Shape) -> Self {
        Self { to, shape, shim: false, either_default: false, omitted: false }
    }
}
