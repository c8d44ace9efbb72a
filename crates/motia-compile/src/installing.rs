//! What to type to get a package that is missing.

use std::fs;
use std::path::Path;

/// The lock file of each package manager, with what it adds a package by and what it installs all of them by.
const MANAGERS: [(&str, &str, &str); 6] = [
    ("pnpm-lock.yaml", "pnpm add", "pnpm install"),
    ("yarn.lock", "yarn add", "yarn install"),
    ("bun.lock", "bun add", "bun install"),
    ("bun.lockb", "bun add", "bun install"),
    ("package-lock.json", "npm install", "npm install"),
    ("npm-shrinkwrap.json", "npm install", "npm install"),
];

/// What to do about a package that a file in `folder` cannot find, by the package manager that the project uses. The lock file may
/// lie above the project, at the root of a workspace.
pub(crate) fn advice(folder: &Path, package: &str) -> String {
    let manager = folder.ancestors().find_map(|folder| MANAGERS.iter().find(|(lock, ..)| folder.join(lock).is_file()));
    let (add, install) = manager.map_or(("npm install", "npm install"), |&(_, add, install)| (add, install));
    let manifest = folder.ancestors().map(|folder| folder.join("package.json")).find(|manifest| manifest.is_file());
    match manifest {
        Some(manifest) if lists(&manifest, package) => {
            format!("run `{install}`: package.json lists it, and it is not installed")
        }
        _ => format!("run `{add} {package}`"),
    }
}

/// Whether the `package.json` that a folder belongs to lists a package.
pub(crate) fn is_listed(folder: &Path, package: &str) -> bool {
    let manifest = folder.ancestors().map(|folder| folder.join("package.json")).find(|manifest| manifest.is_file());
    manifest.is_some_and(|manifest| lists(&manifest, package))
}

fn lists(manifest: &Path, package: &str) -> bool {
    let manifest = fs::read(manifest).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let groups = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
    manifest.is_some_and(|manifest| groups.iter().any(|group| manifest[*group].get(package).is_some()))
}
