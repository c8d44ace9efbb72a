//! The list by which compiled code finds what a computed specifier stands for: a module of the generation that tells the SDK which
//! source was compiled to what.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::layout::file_url;
use crate::sdk::SdkModules;

/// Where it lies in its generation.
pub(crate) const OUTPUT: &str = "__modules.cjs";

/// Keys are the paths of sources.
#[derive(Serialize)]
pub(crate) struct Modules {
    /// What a source was compiled to, relative to the generation.
    pub(crate) files: BTreeMap<String, String>,
    /// Sources that do not compile, with what is to be said when one is asked for.
    pub(crate) refused: BTreeMap<String, String>,
    /// For each file that asks: the patterns of its `tsconfig.json`, with `*` in patterns and paths.
    pub(crate) aliases: BTreeMap<String, Vec<(String, Vec<String>)>>,
    sdk: Sdk,
}

#[derive(Serialize)]
struct Sdk {
    motia: String,
    core: String,
    plugin: String,
    adapter: String,
}

impl Modules {
    pub(crate) fn new(sdk: &SdkModules) -> Self {
        let url = |path: &Path| file_url(path);
        let sdk =
            Sdk { motia: url(&sdk.motia), core: url(&sdk.core), plugin: url(&sdk.plugin), adapter: url(&sdk.adapter) };
        Self { files: BTreeMap::new(), refused: BTreeMap::new(), aliases: BTreeMap::new(), sdk }
    }

    /// `import` is in it because bare specifiers hold from where compiled files lie.
    pub(crate) fn code(&self) -> String {
        // Maps of strings: they cannot fail to serialize.
        let list = serde_json::to_string(self).unwrap_or_default();
        format!(
            "module.exports = {{\n  folder: __dirname,\n  import: (specifier, options) => import(specifier, options),\n  ...{list}\n}};\n"
        )
    }
}
