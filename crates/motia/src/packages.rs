//! The packages that projects import, where their editors and `tsc` look for them: in `node_modules`. Workers never load them from
//! there; they use the SDK of the engine.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::sdk;

/// The member of a package.json by which we know what we made. Its value is the hash of the content.
const MARK: &str = "motiaManaged";

/// What came of [`place`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// They are there; so many were written.
    There { written: usize },
    /// The project has a `motia` of its own: nothing is touched.
    OwnCopy(PathBuf),
}

/// The folder below `packages/` that stands for a package, if the binary carries it.
pub(crate) fn source_of(package: &str) -> Option<&'static str> {
    match package {
        "motia" => Some("motia"),
        "@motiadev/core" => Some("@motiadev/core"),
        "@motiadev/workbench" => Some("@motiadev/workbench"),
        "@motiadev/stream-client" => Some("@motiadev/stream-client"),
        "@motiadev/stream-client-browser" => Some("@motiadev/stream-client-browser"),
        "@motiadev/stream-client-node" => Some("@motiadev/stream-client-node"),
        "@motiadev/stream-client-react" => Some("@motiadev/stream-client-react"),
        _ if package.starts_with("@motiadev/adapter-") => Some("@motiadev/adapter-shim"),
        _ if package.starts_with("@motiadev/plugin-") => Some("@motiadev/plugin-shim"),
        _ => None,
    }
}

/// The packages that a package imports.
fn imports_of(package: &str) -> &'static [&'static str] {
    match package {
        "@motiadev/stream-client-react" => &["@motiadev/stream-client-browser", "@motiadev/stream-client"],
        "@motiadev/stream-client-browser" | "@motiadev/stream-client-node" => &["@motiadev/stream-client"],
        _ => &[],
    }
}

/// Puts `motia`, `@motiadev/core` and those of `wanted` that the binary carries into the project's `node_modules`. What is there
/// and not of our making stays. Does next to nothing if all is there.
pub(crate) fn place(root: &Path, wanted: &[String]) -> Result<Placed> {
    if let Some(own) = own_copy(root) {
        return Ok(Placed::OwnCopy(own));
    }
    let mut names = vec!["motia", "@motiadev/core"];
    for name in wanted.iter().map(String::as_str) {
        names.extend(std::iter::once(name).chain(imports_of(name).iter().copied()));
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(*name));
    let mut written = 0;
    for name in names {
        let Some(source) = source_of(name) else { continue };
        let package = Package::new(name, source);
        let target = root.join("node_modules").join(name);
        match state(&target) {
            State::Foreign => {}
            State::Ours(hash) if hash == package.hash => {}
            found => {
                let replace = matches!(found, State::Ours(_));
                package.write(root, &target, replace).with_context(|| format!("cannot write {}", target.display()))?;
                written += 1;
            }
        }
    }
    Ok(Placed::There { written })
}

/// A `motia` that someone else installed, for this project or for the workspace around it. Its packages belong together.
fn own_copy(root: &Path) -> Option<PathBuf> {
    let folders = root.ancestors().map(|folder| folder.join("node_modules/motia"));
    folders.into_iter().find(|folder| matches!(state(folder), State::Foreign))
}

enum State {
    Missing,
    Ours(String),
    Foreign,
}

fn state(target: &Path) -> State {
    if fs::symlink_metadata(target).is_err() {
        return State::Missing;
    }
    let manifest = fs::read(target.join("package.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
    match manifest.as_ref().and_then(|manifest: &Value| manifest.get(MARK)?.as_str()) {
        Some(hash) => State::Ours(hash.to_owned()),
        None => State::Foreign,
    }
}

struct Package {
    /// Paths inside of the package, and their content.
    files: Vec<(&'static str, Vec<u8>)>,
    hash: String,
}

impl Package {
    fn new(name: &str, source: &'static str) -> Self {
        let mut files: Vec<(&str, Vec<u8>)> =
            sdk::package_files(source).map(|(path, bytes)| (path, bytes.to_vec())).collect();
        let mut hasher = blake3::Hasher::new();
        for (path, bytes) in &files {
            hasher.update(path.as_bytes()).update(&[0]).update(bytes);
        }
        let hash = hasher.finalize().to_hex()[..16].to_owned();
        for (path, bytes) in &mut files {
            if *path == "package.json" {
                *bytes = stamped(bytes, name, &hash);
            }
        }
        Self { files, hash }
    }

    /// Written beside its place and renamed: an editor that looks finds it whole.
    fn write(&self, root: &Path, target: &Path, replace: bool) -> io::Result<()> {
        let unfinished = root.join("node_modules").join(format!(".motia-{}", std::process::id()));
        for (path, bytes) in &self.files {
            let path = unfinished.join("new").join(path);
            fs::create_dir_all(path.parent().unwrap_or(&unfinished))?;
            fs::write(path, bytes)?;
        }
        if let Some(scope) = target.parent() {
            fs::create_dir_all(scope)?;
        }
        let moved = if replace { fs::rename(target, unfinished.join("old")) } else { Ok(()) };
        let moved = moved.and_then(|()| fs::rename(unfinished.join("new"), target));
        fs::remove_dir_all(&unfinished)?;
        match moved {
            // Another process was faster: its files are the same.
            Err(_) if matches!(state(target), State::Ours(hash) if hash == self.hash) => Ok(()),
            moved => moved,
        }
    }
}

/// The package.json under the name that the project imports, with our mark.
fn stamped(manifest: &[u8], name: &str, hash: &str) -> Vec<u8> {
    let Ok(Value::Object(mut manifest)) = serde_json::from_slice(manifest) else { return manifest.to_vec() };
    manifest.insert("name".into(), name.into());
    manifest.insert("version".into(), env!("CARGO_PKG_VERSION").into());
    manifest.insert(
        "description".into(),
        "Put here by the motia binary, which carries it. `motia install` renews it".into(),
    );
    manifest.insert(MARK.into(), hash.into());
    format!("{:#}\n", Value::Object(manifest)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn name_of(root: &Path, package: &str) -> Option<String> {
        let text = fs::read(root.join("node_modules").join(package).join("package.json")).ok()?;
        let manifest: Value = serde_json::from_slice(&text).expect("JSON");
        manifest["name"].as_str().map(str::to_owned)
    }

    #[test]
    fn packages_are_written_once_and_come_back() {
        let root = folder();
        let wanted = ["@motiadev/plugin-logs", "@motiadev/adapter-redis-state", "@motiadev/stream-client-react", "zod"];
        let wanted = wanted.map(String::from);
        assert_eq!(place(root.path(), &wanted).expect("placed"), Placed::There { written: 7 });
        for name in ["plugin-logs", "stream-client-react", "stream-client-browser", "stream-client"] {
            let name = format!("@motiadev/{name}");
            assert_eq!(name_of(root.path(), &name), Some(name));
        }
        assert_eq!(name_of(root.path(), "zod"), None);
        assert_eq!(place(root.path(), &wanted).expect("placed"), Placed::There { written: 0 });
        fs::remove_dir_all(root.path().join("node_modules/@motiadev")).expect("pruned");
        assert_eq!(place(root.path(), &wanted).expect("placed"), Placed::There { written: 6 });
        let left: Vec<_> = fs::read_dir(root.path().join("node_modules")).expect("a folder").collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn packages_of_another_version_are_replaced() {
        let root = folder();
        place(root.path(), &[]).expect("placed");
        let manifest = root.path().join("node_modules/motia/package.json");
        fs::write(&manifest, r#"{ "name": "motia", "motiaManaged": "older" }"#).expect("written");
        fs::write(root.path().join("node_modules/motia/gone.d.ts"), "").expect("written");
        assert_eq!(place(root.path(), &[]).expect("placed"), Placed::There { written: 1 });
        assert!(!root.path().join("node_modules/motia/gone.d.ts").exists());
    }

    #[test]
    fn what_others_installed_stays() {
        let root = folder();
        let project = root.path().join("apps/api");
        let theirs = root.path().join("node_modules/motia");
        fs::create_dir_all(&theirs).expect("a folder");
        fs::create_dir_all(&project).expect("a folder");
        fs::write(theirs.join("package.json"), r#"{ "name": "motia", "version": "0.17.14" }"#).expect("written");
        assert_eq!(place(&project, &[]).expect("placed"), Placed::OwnCopy(theirs.clone()));
        assert!(!project.join("node_modules").exists());
        fs::remove_dir_all(&theirs).expect("removed");

        let core = project.join("node_modules/@motiadev/core");
        fs::create_dir_all(&core).expect("a folder");
        fs::write(core.join("package.json"), r#"{ "name": "@motiadev/core", "theirs": true }"#).expect("written");
        assert_eq!(place(&project, &[]).expect("placed"), Placed::There { written: 1 });
        assert!(fs::read_to_string(core.join("package.json")).expect("there").contains("theirs"));
    }
}
