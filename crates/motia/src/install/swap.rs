//! A package.json that is another one for a while. Package managers read it from its place alone, with everything around it: lock
//! files, workspaces, `file:` packages, `.npmrc`. So the filtered one stands there while they run, and the project's own comes back
//! afterwards, whatever happens: after a `kill -9` with the next `motia` command.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const MANIFEST: &str = "package.json";
const SUFFIX: &str = ".before-motia-install";

/// Files that are other ones, or may become so, until this is dropped.
pub(crate) struct Swap {
    manifest: PathBuf,
    locks: Vec<(PathBuf, Option<Vec<u8>>)>,
    /// Says to other processes that the backup is in use.
    _lock: File,
}

impl Swap {
    /// Puts `content` into the place of the package.json; it and the lock files come back with [`Swap::end`].
    pub(crate) fn begin(root: &Path, content: &str, locks: &[PathBuf]) -> Result<Self> {
        let manifest = root.join(MANIFEST);
        let kept = backup_of(&manifest);
        let mut copies = Vec::new();
        for lock in locks {
            let before = fs::read(lock).ok();
            if before.is_some() {
                fs::copy(lock, backup_of(lock)).with_context(|| format!("cannot copy {}", lock.display()))?;
            }
            copies.push((lock.clone(), before));
        }
        // The very file is kept, not a copy: what comes back has its times and owner.
        fs::hard_link(&manifest, &kept)
            .or_else(|_| fs::copy(&manifest, &kept).map(drop))
            .with_context(|| format!("cannot keep package.json as {}", kept.display()))?;
        let lock = File::open(&kept)?;
        lock.lock()?;
        let swap = Self { manifest, locks: copies, _lock: lock };
        let unfinished = root.join(format!(".package-{}.json", std::process::id()));
        fs::write(&unfinished, content)?;
        fs::rename(&unfinished, &swap.manifest)?;
        Ok(swap)
    }

    /// Everything is as it was.
    pub(crate) fn end(mut self) -> Result<()> {
        self.restore().context("package.json could not be put back: it is in package.json.before-motia-install")
    }

    fn restore(&mut self) -> io::Result<()> {
        for (lock, before) in std::mem::take(&mut self.locks) {
            match before {
                Some(before) if fs::read(&lock).ok().as_ref() == Some(&before) => fs::remove_file(backup_of(&lock))?,
                Some(_) => fs::rename(backup_of(&lock), &lock)?,
                None if lock.exists() => fs::remove_file(&lock)?,
                None => {}
            }
        }
        let kept = backup_of(&self.manifest);
        if kept.exists() { fs::rename(kept, &self.manifest) } else { Ok(()) }
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        // What could not be put back now comes back with the next command.
        let _ = self.restore();
    }
}

/// Puts back what an install left behind that was cut off. Answers with what it put back.
pub(crate) fn recover(root: &Path) -> Result<Vec<PathBuf>> {
    let manifest = root.join(MANIFEST);
    let kept = backup_of(&manifest);
    let Ok(file) = File::open(&kept) else { return Ok(Vec::new()) };
    if file.try_lock().is_err() {
        bail!("`motia install` is running in this folder: wait for it to end");
    }
    let mut restored = Vec::new();
    for lock in root.ancestors().flat_map(super::manager::locks_in) {
        if backup_of(&lock).exists() {
            fs::rename(backup_of(&lock), &lock)?;
            restored.push(lock);
        }
    }
    fs::rename(&kept, &manifest).context("cannot put package.json back")?;
    restored.push(manifest);
    Ok(restored)
}

fn backup_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_as_it_was() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        fs::write(at("package.json"), "mine").expect("written");
        fs::write(at("pnpm-lock.yaml"), "locked").expect("written");
        let before = fs::metadata(at("package.json")).and_then(|file| file.modified()).expect("a time");
        let locks = [at("pnpm-lock.yaml"), at("yarn.lock")];
        let swap = Swap::begin(root.path(), "filtered", &locks).expect("swapped");
        assert_eq!(fs::read_to_string(at("package.json")).expect("there"), "filtered");
        let busy = recover(root.path()).expect_err("in use");
        assert!(busy.to_string().contains("is running"), "{busy}");
        fs::write(at("pnpm-lock.yaml"), "changed").expect("written");
        fs::write(at("yarn.lock"), "new").expect("written");
        swap.end().expect("put back");
        assert_eq!(fs::read_to_string(at("package.json")).expect("there"), "mine");
        assert_eq!(fs::metadata(at("package.json")).and_then(|file| file.modified()).expect("a time"), before);
        assert_eq!(fs::read_to_string(at("pnpm-lock.yaml")).expect("there"), "locked");
        assert_eq!(fs::read_dir(root.path()).expect("a folder").count(), 2, "no file more than before");
        assert!(recover(root.path()).expect("nothing to do").is_empty());
    }

    #[test]
    fn what_was_cut_off_comes_back() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        for (name, content) in [
            ("package.json", "filtered"),
            ("package.json.before-motia-install", "mine"),
            ("yarn.lock", "changed"),
            ("yarn.lock.before-motia-install", "locked"),
        ] {
            fs::write(at(name), content).expect("written");
        }
        assert_eq!(recover(root.path()).expect("recovered"), [at("yarn.lock"), at("package.json")]);
        assert_eq!(fs::read_to_string(at("package.json")).expect("there"), "mine");
        assert_eq!(fs::read_to_string(at("yarn.lock")).expect("there"), "locked");
    }
}
