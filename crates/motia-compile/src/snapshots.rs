//! Sources that an interpreter runs as they are, kept by their content: the version that worked last can be loaded again, and what a
//! replaced worker loads is what the one before had.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use motia_core::SourcePath;

use crate::SourceFile;

/// Where copies of sources lie: `.motia/sources`.
pub struct Snapshots {
    folder: PathBuf,
}

/// Sources as they were.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Each source's copy.
    pub modules: HashMap<SourcePath, PathBuf>,
    /// What could not be read or copied, and why.
    pub failed: Vec<(SourcePath, String)>,
}

impl Snapshots {
    /// Those of a project. No file is touched.
    pub fn new(motia_dir: &Path) -> Self {
        Self { folder: motia_dir.join("sources") }
    }

    /// Copies files as they are now.
    pub fn take<'a>(&self, root: &Path, files: impl IntoIterator<Item = &'a SourceFile>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for file in files {
            match self.copy(&root.join(file.path.as_str())) {
                Ok(copy) => drop(snapshot.modules.insert(file.path.clone(), copy)),
                Err(error) => snapshot.failed.push((file.path.clone(), error.to_string())),
            }
        }
        snapshot
    }

    /// Removes every copy that is not in use.
    pub fn prune(&self, in_use: &HashSet<&Path>) -> io::Result<()> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if !in_use.contains(path.as_path()) && path.is_file() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn copy(&self, source: &Path) -> io::Result<PathBuf> {
        let content = fs::read(source)?;
        let mut name = blake3::hash(&content).to_hex()[..32].to_owned();
        if let Some(extension) = source.extension().and_then(|extension| extension.to_str()) {
            name = format!("{name}.{extension}");
        }
        let copy = self.folder.join(name);
        if !copy.is_file() {
            fs::create_dir_all(&self.folder)?;
            // Written beside its place and renamed: whoever finds it finds it whole.
            let unfinished = copy.with_extension(format!("unfinished-{}", std::process::id()));
            fs::write(&unfinished, content)?;
            fs::rename(unfinished, &copy)?;
        }
        Ok(copy)
    }
}

#[cfg(test)]
mod tests {
    use motia_core::Language;

    use super::*;
    use crate::FileKind;

    #[test]
    fn a_version_stays_until_nobody_uses_it() {
        let root = tempfile::tempdir().expect("a folder");
        let snapshots = Snapshots::new(&root.path().join(".motia"));
        let file = |path: &str| SourceFile { path: path.into(), kind: FileKind::Step, language: Language::Python };
        let take = || snapshots.take(root.path(), &[file("a_step.py"), file("b.step.py")]);
        fs::write(root.path().join("a_step.py"), "first").expect("written");
        let first = take();
        assert_eq!(first.failed.len(), 1, "b is not there: {first:?}");
        let copy = &first.modules[&"a_step.py".into()];
        assert_eq!(copy.extension().and_then(|extension| extension.to_str()), Some("py"));
        fs::write(root.path().join("a_step.py"), "second").expect("written");
        fs::write(root.path().join("b.step.py"), "second").expect("written");
        let second = take();
        assert_eq!(second.modules[&"a_step.py".into()], second.modules[&"b.step.py".into()]);
        assert_eq!(fs::read_to_string(copy).expect("kept"), "first");
        snapshots.prune(&second.modules.values().map(PathBuf::as_path).collect()).expect("pruned");
        assert!(!copy.exists());
        assert_eq!(take().modules, second.modules);
    }
}
