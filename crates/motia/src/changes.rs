//! Changes of a project's files, as the reload loop takes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use motia_compile::{CONFIG_NAMES, Changes, SOURCE_FOLDERS, Watcher};
use tokio::sync::mpsc;

/// A project that is watched.
pub(crate) struct Watched {
    watcher: Watcher,
    changed: mpsc::UnboundedReceiver<Changes>,
}

impl Watched {
    pub(crate) fn start(root: &Path, motia_dir: &Path) -> Result<Self> {
        let (tell, changed) = mpsc::unbounded_channel();
        // Nobody may listen any more.
        let watcher = Watcher::new(root, motia_dir, move |changes| drop(tell.send(changes)))?;
        Ok(Self { watcher, changed })
    }

    /// Sources outside of the root are watched one by one.
    pub(crate) fn watch_outside(&self, inputs: &BTreeSet<PathBuf>) {
        self.watcher.watch_outside(inputs);
    }

    /// What changed since the last time, at once where much came while a reload was under way.
    pub(crate) async fn next(&mut self) -> Changes {
        let Some(mut changes) = self.changed.recv().await else { return std::future::pending().await };
        while let Ok(more) = self.changed.try_recv() {
            changes.paths.extend(more.paths);
            changes.everything |= more.everything;
            changes.errors.extend(more.errors);
        }
        changes
    }
}

/// Whether a changed file can make a difference: handlers write files too, and those must not set off a reload.
pub(crate) fn matters(root: &Path, inputs: &BTreeSet<PathBuf>, path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(root) else { return inputs.contains(path) };
    let in_sources = SOURCE_FOLDERS.iter().any(|folder| inside.starts_with(folder));
    let name = inside.to_str().unwrap_or_default();
    let known = name == ".env" || CONFIG_NAMES.contains(&name);
    in_sources || known || inputs.contains(path) || inputs.iter().any(|input| input.starts_with(path))
}

/// Whether a package manager has done something when this file changes.
pub(crate) fn is_lock_file(path: &Path) -> bool {
    const NAMES: [&str; 6] =
        ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"];
    path.file_name().is_some_and(|name| NAMES.iter().any(|lock| name == *lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_handlers_write_does_not_matter() {
        let root = Path::new("/p");
        let inputs = BTreeSet::from(["/p/lib/a.ts", "/p/tsconfig.json", "/shared/b.ts"].map(PathBuf::from));
        for path in [
            "steps/a.step.ts",
            "src/x/new_step.js",
            ".env",
            "motia.config.ts",
            "lib/a.ts",
            "lib",
            "tsconfig.json",
            "../shared/b.ts",
        ] {
            let path = match path.strip_prefix("../") {
                Some(outside) => Path::new("/").join(outside),
                None => root.join(path),
            };
            assert!(matters(root, &inputs, &path), "{}", path.display());
        }
        for path in ["data/pets.json", "types.d.ts", "lib/b.ts", "motia-workbench.json", ".data/x", "stepson/a.step.ts"]
        {
            assert!(!matters(root, &inputs, &root.join(path)), "{path}");
        }
    }
}
