//! Small modules that the compiler makes up, which stand between an importing ES module and what it imports.
//!
//! An ES module that imports a name which the other does not export fails to link. Node learns the names of CommonJS
//! modules by looking at their text, which hides many; the names that are only types are in no module at all. A shim
//! exports exactly what the project asks for, so that bindings stay real imports and everything links.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::layout::{relative_url, short_hash};

/// The folder of a generation that holds the shims.
const FOLDER: &str = "__shims";

/// The folder that holds the lowering's helpers.
const HELPERS_FOLDER: &str = "__helpers";

/// The name under which a shim exports the module as a whole. No user's name can be this.
pub(crate) const NAMESPACE: &str = "motia:namespace";

/// What a shim stands for. Each makes one module, however many files use it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Shim {
    /// A CommonJS module, by a specifier that holds in the shim's folder.
    CommonJs { target: String },
    /// A JSON file that was made a CommonJS module.
    Json { target: String },
    /// A native addon.
    Raw { path: String },
    /// An ES module, with names that it may not have.
    Lenient { target: String },
    /// `export *` of a CommonJS module in one file: what it adds to that file's names.
    Star { target: String, file: String },
    /// A module of the SDK, with names that it does not have.
    Sdk { url: String, has_default: bool },
    /// Something that answers to every name: the default export of a module of the SDK.
    Stub { url: String },
    /// The same for `require`.
    StubRequire { path: String },
}

/// What the project asks a shim for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// `default` among them.
    pub(crate) names: BTreeSet<String>,
    pub(crate) namespace: bool,
}

impl Wanted {
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.namespace
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.names.extend(other.names.iter().cloned());
        self.namespace |= other.namespace;
    }
}

impl Shim {
    /// Where it lies in its generation.
    pub(crate) fn output(&self) -> String {
        let extension = if matches!(self, Self::StubRequire { .. }) { "cjs" } else { "mjs" };
        format!("{FOLDER}/{}.{extension}", short_hash(&format!("{self:?}")))
    }

    /// Its code.
    pub(crate) fn code(&self, wanted: &Wanted, interop: &str) -> String {
        let mut code = String::new();
        match self {
            Self::CommonJs { target } | Self::Star { target, .. } => {
                let _ = writeln!(code, "import {{ $unwrap, $namespace }} from {};", quote(interop));
                let _ = writeln!(code, "import m from {};", quote(target));
                members(&mut code, wanted, "$unwrap(m)", "$namespace(m)");
            }
            Self::Json { target } => {
                let _ = writeln!(code, "import {{ $namespace }} from {};", quote(interop));
                let _ = writeln!(code, "import m from {};", quote(target));
                members(&mut code, wanted, "m", "$namespace(m)");
            }
            Self::Raw { path } => {
                code.push_str("import { createRequire } from \"node:module\";\n");
                let _ = writeln!(code, "const m = createRequire(import.meta.url)({});", quote(path));
                members(&mut code, wanted, "m", "m");
            }
            Self::Lenient { target } => {
                let _ = writeln!(code, "import * as m from {};", quote(target));
                members(&mut code, wanted, "m.default", "m");
            }
            Self::Sdk { url, has_default } => {
                let url = quote(url);
                let _ = writeln!(code, "export * from {url};");
                if *has_default {
                    let _ = writeln!(code, "export {{ default }} from {url};");
                }
                if wanted.namespace {
                    let _ = writeln!(code, "export * as {} from {url};", quote(NAMESPACE));
                }
                code.push_str("const missing = undefined;\n");
                for name in &wanted.names {
                    let _ = writeln!(code, "export {{ missing as {} }};", quote(name));
                }
            }
            Self::Stub { url } => {
                let _ = writeln!(code, "import stub from {};", quote(url));
                let namespace = wanted.namespace.then_some(NAMESPACE);
                for name in wanted.names.iter().map(String::as_str).chain(namespace) {
                    let _ = writeln!(code, "export {{ stub as {} }};", quote(name));
                }
            }
            Self::StubRequire { path } => {
                let _ = writeln!(code, "module.exports = require({}).default;", quote(path));
            }
        }
        code
    }
}

/// Exports members of `m`. Their names may be any string, so they are not used as identifiers.
fn members(code: &mut String, wanted: &Wanted, default: &str, namespace: &str) {
    for (index, name) in wanted.names.iter().enumerate() {
        let member = if name == "default" { default.to_owned() } else { format!("m?.[{}]", quote(name)) };
        let _ = writeln!(code, "const v{index} = {member};\nexport {{ v{index} as {} }};", quote(name));
    }
    if wanted.namespace {
        let _ = writeln!(code, "const ns = {namespace};\nexport {{ ns as {} }};", quote(NAMESPACE));
    }
}

/// A JavaScript string literal.
pub(crate) fn quote(text: &str) -> String {
    // JSON is JavaScript since ES2019, so only its own escapes are needed.
    serde_json::Value::from(text).to_string()
}

/// How shims name a compiled file.
pub(crate) fn specifier(output: &str) -> String {
    relative_url(&format!("{FOLDER}/_"), output)
}

/// Where a helper of the lowering lies in its generation.
pub(crate) fn helper_output(name: &str) -> String {
    format!("{HELPERS_FOLDER}/{name}.cjs")
}
