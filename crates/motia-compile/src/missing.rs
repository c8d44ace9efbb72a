//! Why a specifier leads nowhere.

use std::fs;
use std::path::{Path, PathBuf};

use oxc_resolver::{JSONError, ResolveError};
use serde_json::Value;

use crate::installing;
use crate::resolve::is_bare;
use crate::tsconfig::TsConfig;

/// Why there is no such module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    File,
    /// The package of this name is not installed.
    Package(String),
    /// It would be a part of this module of Node, which has no such part.
    Builtin(String),
    /// It is neither a path nor what a package can be called.
    NoName,
    /// A pattern of `paths` leads it to places where nothing is.
    Alias {
        pattern: String,
        tried: Vec<PathBuf>,
    },
    /// `#name`, with what the `imports` of that `package.json` say of it, if anything.
    Import {
        manifest: Option<PathBuf>,
        target: Option<String>,
    },
    /// It would come from the network.
    Remote,
    /// This `package.json` has to be read on the way, and cannot be.
    Manifest {
        path: PathBuf,
        why: String,
        line: usize,
        column: usize,
    },
    /// It is there, and it cannot be loaded.
    Broken(String),
}

/// The parts of Node's modules that have names of their own.
const PARTS: [&str; 12] = [
    "assert/strict",
    "dns/promises",
    "fs/promises",
    "inspector/promises",
    "path/posix",
    "path/win32",
    "readline/promises",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "timers/promises",
    "util/types",
];

impl Missing {
    /// Why a file in `folder` cannot have what it asks for. `is_builtin` knows the modules of Node.
    pub(crate) fn of(
        folder: &Path,
        config: &TsConfig,
        specifier: &str,
        error: &ResolveError,
        is_builtin: impl FnOnce(&str) -> bool,
    ) -> Self {
        match error {
            ResolveError::NotFound(_) | ResolveError::MatchedAliasNotFound(..) | ResolveError::ExtensionAlias(..) => {}
            ResolveError::PackageImportNotDefined(..) => return Self::import(folder, specifier),
            ResolveError::Json(JSONError { path, message, line, column }) => {
                let (path, empty) = (path.clone(), message.starts_with("File is empty"));
                let why = if empty { "it is empty".to_owned() } else { message.clone() };
                return Self::Manifest { path, why, line: *line, column: *column };
            }
            ResolveError::Specifier(_) => return Self::NoName,
            other => return Self::Broken(other.to_string()),
        }
        if !is_bare(specifier) {
            return Self::File;
        }
        if specifier.starts_with('#') {
            return Self::import(folder, specifier);
        }
        let name = package_name(specifier);
        if let Some((pattern, tried)) = config.alias(specifier)
            && !installing::is_listed(folder, name)
        {
            return Self::Alias { pattern, tried };
        }
        if !can_be_a_package(name) {
            return Self::NoName;
        }
        let installed = folder.ancestors().map(|folder| folder.join("node_modules").join(name));
        match installed.into_iter().find(|package| package.is_dir()) {
            Some(package) => Self::Broken(format!("{} is installed, but that is not in it", package.display())),
            None if is_builtin(name) => Self::Builtin(name.to_owned()),
            None => Self::Package(name.to_owned()),
        }
    }

    fn import(folder: &Path, specifier: &str) -> Self {
        let manifest = folder.ancestors().map(|folder| folder.join("package.json")).find(|manifest| manifest.is_file());
        let text = manifest.as_ref().and_then(|manifest| fs::read(manifest).ok());
        let value: Option<Value> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let target = value.as_ref().and_then(|value| target(value.get("imports")?.as_object()?, specifier));
        match target {
            Some(target) if is_bare(&target) => Self::Package(package_name(&target).to_owned()),
            target => Self::Import { manifest, target },
        }
    }
}

/// The names that a module of Node and its parts go by.
pub(crate) fn parts(builtin: &str) -> Vec<&str> {
    let is_part = |part: &&str| part.strip_prefix(builtin).is_some_and(|rest| rest.starts_with('/'));
    [builtin].into_iter().chain(PARTS.into_iter().filter(is_part)).collect()
}

/// `a/b` → `a`, `@a/b/c` → `@a/b`.
pub(crate) fn package_name(specifier: &str) -> &str {
    let slashes = if specifier.starts_with('@') { 2 } else { 1 };
    specifier.match_indices('/').nth(slashes - 1).map_or(specifier, |(end, _)| &specifier[..end])
}

/// Whether npm would take it for the name of a package. Old ones have capital letters.
fn can_be_a_package(name: &str) -> bool {
    let is_word = |word: &str| {
        let mut chars = word.chars();
        let starts = chars.clone().next().is_some_and(|first| !matches!(first, '.' | '_'));
        starts && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| is_word(scope) && is_word(name)),
        None => is_word(name),
    }
}

/// What the `imports` of a manifest lead a specifier to: the first of several conditions but for that of types.
fn target(imports: &serde_json::Map<String, Value>, specifier: &str) -> Option<String> {
    let by_pattern = || {
        imports.iter().find_map(|(key, value)| {
            let (prefix, suffix) = key.split_once('*')?;
            let star = specifier.strip_prefix(prefix)?.strip_suffix(suffix)?;
            Some((value, star))
        })
    };
    let (value, star) = imports.get(specifier).map(|value| (value, "")).or_else(by_pattern)?;
    Some(first(value)?.replace('*', star))
}

fn first(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(list) => list.iter().find_map(first),
        Value::Object(conditions) => {
            conditions.iter().filter(|(condition, _)| *condition != "types").find_map(|(_, value)| first(value))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_packages_can_have() {
        for name in ["a", "lodash.get", "@a/b-c", "JSONStream", "left_pad", "7zip"] {
            assert!(can_be_a_package(name), "{name}");
        }
        for name in ["", "@", "@/x", "@scope", "~", "fs:promises", "C:", "a b", ".a", "_a", "@a/.b", "ü"] {
            assert!(!can_be_a_package(name), "{name}");
        }
    }

    #[test]
    fn parts_of_nodes_modules() {
        assert_eq!(parts("fs"), ["fs", "fs/promises"]);
        assert_eq!(parts("stream"), ["stream", "stream/consumers", "stream/promises", "stream/web"]);
        assert_eq!(parts("os"), ["os"]);
    }
}
