//! A folder for what a run makes: copies of projects, generated ones, logs, a Redis.
//!
//! It is in `bench/`, not in the system's folder for such things: that one may be in memory, where fdatasync costs nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const PREFIX: &str = ".scratch-";

/// Removed at the end, unless it is to be kept.
pub(crate) struct Scratch {
    bench: PathBuf,
    folder: PathBuf,
    keep: bool,
}

impl Scratch {
    /// `bench` is the folder `bench/`.
    pub(crate) fn new(bench: &Path, keep: bool) -> Result<Self> {
        remove_abandoned(bench);
        let folder = bench.join(format!("{PREFIX}{}", std::process::id()));
        let logs = folder.join("logs");
        fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        Ok(Self { bench: bench.to_owned(), folder, keep })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Where nothing is: an earlier part may have had a project of this name.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        Ok(folder)
    }

    /// A copy of `projects/<project>`, never started before. `knobs` are members of its motia.config.
    pub(crate) fn copy(&self, project: &str, name: &str, knobs: &str) -> Result<PathBuf> {
        let (from, to) = (self.bench.join("projects").join(project), self.fresh(name)?);
        copy(&from, &to)?;
        // What every candidate is asked until it answers.
        let hello = Path::new("steps/hello.step.ts");
        if !to.join(hello).exists() && !to.join("steps/hello_step.py").exists() {
            fs::copy(self.bench.join("projects/api").join(hello), to.join(hello))?;
        }
        // A config needs Node: a project without Node files has none if it can.
        if to.join(hello).exists() || !knobs.is_empty() {
            configure(&to, knobs)?;
        }
        Ok(to)
    }

    /// A project of these files, each with its path. With `packages` it has those of `projects/api`.
    pub(crate) fn generate(&self, name: &str, files: &[(String, String)], packages: bool) -> Result<PathBuf> {
        let to = self.fresh(name)?;
        fs::create_dir_all(to.join("steps"))?;
        for (path, text) in files {
            fs::write(to.join(path), text)?;
        }
        if packages {
            let api = self.bench.join("projects/api");
            copy(&api.join("node_modules"), &to.join("node_modules"))?;
            fs::copy(api.join("package.json"), to.join("package.json"))?;
            configure(&to, "")?;
        }
        Ok(to)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("motia-bench: logs and projects are kept in {}", self.folder.display());
        } else {
            // The next run tries again.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A project that was never started: what its last start left is removed.
pub(crate) fn forget(project: &Path) -> Result<()> {
    let made = project.join(".motia");
    if made.exists() {
        fs::remove_dir_all(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    }
    Ok(())
}

fn configure(project: &Path, knobs: &str) -> Result<()> {
    let file = project.join("motia.config.ts");
    fs::write(&file, format!("export default {{ {knobs} }}\n"))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Folders, files and links, but not what Motia makes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if entry.file_name() == ".motia" {
            continue;
        }
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Removes what runs that were killed have left.
fn remove_abandoned(bench: &Path) {
    let Ok(entries) = fs::read_dir(bench) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if owner.is_some_and(|id| id.parse::<u32>().is_ok() && !Path::new("/proc").join(id).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> tempfile::TempDir {
        let bench = tempfile::tempdir().expect("a folder");
        for (path, text) in [
            ("projects/api/steps/hello.step.ts", "hello"),
            ("projects/api/package.json", "{}"),
            ("projects/api/node_modules/zod/index.js", "zod"),
            ("projects/queue/steps/emit.step.ts", "emit"),
            ("projects/queue/.motia/motia.db", "old"),
        ] {
            let path = bench.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        bench
    }

    fn text(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_copy_is_fresh_and_says_hello() {
        let bench = bench();
        let scratch = Scratch::new(bench.path(), false).expect("made");
        let project = scratch.copy("queue", "queue-os", "durability: 'os'").expect("copied");
        assert_eq!(text(project.join("steps/emit.step.ts")), "emit");
        assert_eq!(text(project.join("steps/hello.step.ts")), "hello");
        assert_eq!(text(project.join("motia.config.ts")), "export default { durability: 'os' }\n");
        assert!(!project.join(".motia").exists());
        fs::create_dir(project.join(".motia")).expect("started");
        let again = scratch.copy("queue", "queue-os", "").expect("copied");
        assert_eq!(text(again.join("motia.config.ts")), "export default {  }\n");
        assert!(!again.join(".motia").exists(), "nothing is left of the one before");
    }

    #[test]
    fn a_generated_project_has_packages_where_it_needs_them() {
        let bench = bench();
        let scratch = Scratch::new(bench.path(), false).expect("made");
        let files = [("steps/a.step.ts".to_owned(), "a".to_owned())];
        let with = scratch.generate("with", &files, true).expect("made");
        assert_eq!(text(with.join("node_modules/zod/index.js")), "zod");
        let without = scratch.generate("without", &files, false).expect("made");
        assert_eq!(text(without.join("steps/a.step.ts")), "a");
        assert!(!without.join("node_modules").exists());
    }

    #[test]
    fn nothing_is_left_unless_it_is_to_be_kept() {
        let bench = bench();
        drop(Scratch::new(bench.path(), false).expect("made"));
        let left = || fs::read_dir(bench.path()).expect("readable").count();
        assert_eq!(left(), 1);
        drop(Scratch::new(bench.path(), true).expect("made"));
        assert_eq!(left(), 2, "kept");
        fs::create_dir(bench.path().join(format!("{PREFIX}4294967294"))).expect("made");
        remove_abandoned(bench.path());
        assert_eq!(left(), 2, "no process has this id; that of the other lives");
    }
}
