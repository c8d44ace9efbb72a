//! A project's package.json, and what it asks the original for.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::packages;

const DEPENDENCIES: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/// A package.json.
pub(crate) struct Manifest {
    content: Map<String, Value>,
}

impl Manifest {
    /// That of a project, if it has one.
    pub(crate) fn read(root: &Path) -> Result<Option<Self>> {
        let text = match fs::read(root.join("package.json")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("cannot read package.json"),
        };
        Self::parse(&text).map(Some)
    }

    fn parse(text: &[u8]) -> Result<Self> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        Ok(Self { content: serde_json::from_slice(text).context("package.json is not a JSON object")? })
    }

    /// `packageManager`, such as `pnpm@10.1.0`.
    pub(crate) fn package_manager(&self) -> Option<&str> {
        self.content.get("packageManager")?.as_str()
    }

    /// The packages that it names and that come with the binary, or that nobody can install any more.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let mut names: Vec<String> = self.dependencies().filter(|name| is_left_out(name)).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// How many packages are left to install.
    pub(crate) fn others(&self) -> usize {
        self.dependencies().filter(|name| !is_left_out(name)).count()
    }

    /// Whether an npm script calls `motia`.
    pub(crate) fn runs_motia(&self) -> bool {
        let scripts = self.content.get("scripts").and_then(Value::as_object).into_iter().flat_map(Map::values);
        scripts.filter_map(Value::as_str).any(|script| script.split_whitespace().any(|word| word == "motia"))
    }

    /// The same without them.
    pub(crate) fn filtered(&self) -> String {
        let mut content = self.content.clone();
        for kind in DEPENDENCIES.into_iter().chain(["peerDependenciesMeta", "dependenciesMeta"]) {
            if let Some(Value::Object(packages)) = content.get_mut(kind) {
                packages.retain(|name, _| !is_left_out(name));
            }
        }
        format!("{:#}\n", Value::Object(content))
    }

    fn dependencies(&self) -> impl Iterator<Item = &String> {
        DEPENDENCIES.iter().filter_map(|kind| self.content.get(*kind)?.as_object()).flat_map(Map::keys)
    }
}

fn is_left_out(name: &str) -> bool {
    packages::source_of(name).is_some() || name == "@motiadev/test"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_binary_is_left_out_and_the_rest_stays_in_its_order() {
        let text = r#"{ "name": "p", "scripts": { "dev": "PORT=1 motia dev" }, "packageManager": "pnpm@9",
            "dependencies": { "zod": "1", "motia": "0.17", "@motiadev/core": "0", "@motiadev/stream-client-react": "0", "axios": "1" },
            "devDependencies": { "@motiadev/plugin-logs": "0", "@motiadev/test": "0" }, "overrides": { "a": "1" } }"#;
        let manifest = Manifest::parse(text.as_bytes()).expect("parsed");
        assert_eq!(
            manifest.left_out(),
            ["@motiadev/core", "@motiadev/plugin-logs", "@motiadev/stream-client-react", "@motiadev/test", "motia"]
        );
        assert_eq!(manifest.others(), 2);
        assert!(manifest.runs_motia());
        assert_eq!(manifest.package_manager(), Some("pnpm@9"));
        let filtered: Value = serde_json::from_str(&manifest.filtered()).expect("JSON");
        let expected = r#"{"name":"p","scripts":{"dev":"PORT=1 motia dev"},"packageManager":"pnpm@9","dependencies":{"zod":"1","axios":"1"},"devDependencies":{},"overrides":{"a":"1"}}"#;
        assert_eq!(filtered.to_string(), expected);
    }

    #[test]
    fn a_script_that_only_contains_the_word_is_none_of_ours() {
        let manifest = Manifest::parse(br#"{ "scripts": { "dev": "./motia-old dev", "x": 5 } }"#).expect("parsed");
        assert!(!manifest.runs_motia());
        let error = Manifest::parse(b"[]").err().expect("refused");
        assert_eq!(error.to_string(), "package.json is not a JSON object");
    }
}
