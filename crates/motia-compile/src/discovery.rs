//! Which files of a project are steps and streams, in the order that decides between duplicates.
//!
//! The order is the original's, since projects with two files for one route rely on it: `steps/` before `src/`; in
//! each first the files named `*.step.*`, then those named `*_step.*`; and in one such pass the files of a folder in
//! reverse alphabetical order, then its sub-folders.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use motia_core::{Language, SourcePath};

use crate::Error;

/// The folders that hold steps, in the order in which they are searched.
pub const SOURCE_FOLDERS: [&str; 2] = ["steps", "src"];

/// The names that the project's configuration may have. The first that exists is taken.
pub const CONFIG_NAMES: [&str; 5] =
    ["motia.config.ts", "motia.config.mts", "motia.config.js", "motia.config.mjs", "motia.config.cjs"];

/// Folders that never hold a project's own sources, whatever their depth. Folders whose name begins with a dot are
/// skipped too.
const SKIPPED_FOLDERS: [&str; 3] = ["node_modules", "python_modules", "__pycache__"];

/// What a file is to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// `motia.config.*` at the root.
    Config,
    /// `*.step.*` or `*_step.*`.
    Step,
    /// `*.stream.*` or `*_stream.*`.
    Stream,
}

/// A file that the engine loads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceFile {
    /// Where it is, relative to the root.
    pub path: SourcePath,
    /// What it is.
    pub kind: FileKind,
    /// What it is written in.
    pub language: Language,
}

/// The files of a project.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// The configuration first, if there is one; then steps, then streams, each in the order of registration.
    pub files: Vec<SourceFile>,
    /// What was passed over, and why.
    pub warnings: Vec<DiscoveryWarning>,
}

/// Something under the source folders that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryWarning {
    /// The file or folder.
    pub path: PathBuf,
    /// Why it was passed over.
    pub reason: String,
}

impl fmt::Display for DiscoveryWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Finds the project's configuration, steps and streams.
pub fn discover(root: &Path) -> Result<Discovery, Error> {
    fs::read_dir(root).map_err(|cause| Error::Root { path: root.to_path_buf(), cause })?;

    let mut found = Discovery::default();
    if let Some(name) = CONFIG_NAMES.into_iter().find(|name| root.join(name).is_file())
        && let Some((_, language)) = name.rsplit_once('.').and_then(|(_, extension)| script(extension))
    {
        found.files.push(SourceFile { path: SourcePath::from(name), kind: FileKind::Config, language });
    }

    let mut candidates = Vec::new();
    for folder in SOURCE_FOLDERS {
        let path = root.join(folder);
        if path.is_dir() {
            let mut walk = Walk { found: Vec::new(), warnings: &mut found.warnings, open: HashSet::new() };
            walk.folder(&path, folder);
            // The sort is stable, so within one pass the order of the walk remains.
            walk.found.sort_by_key(|candidate| candidate.infix);
            candidates.append(&mut walk.found);
        }
    }
    candidates.sort_by_key(|candidate| candidate.file.kind);
    found.files.extend(candidates.into_iter().map(|candidate| candidate.file));
    Ok(found)
}

/// What the name of a file says about it; `None` for files that the engine does not load.
pub fn classify(name: &str) -> Option<(FileKind, Language)> {
    candidate(name).map(|(kind, _, language)| (kind, language))
}

/// How the kind is joined to the name: `a.step.ts` is registered before `a_step.ts`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Infix {
    Dot,
    Underscore,
}

struct Candidate {
    file: SourceFile,
    infix: Infix,
}

fn candidate(name: &str) -> Option<(FileKind, Infix, Language)> {
    let (stem, extension) = name.rsplit_once('.').filter(|(stem, _)| !stem.starts_with('.'))?;
    let language = match extension {
        "py" => Language::Python,
        "rb" => Language::Ruby,
        _ => script(extension)?.1,
    };
    [
        (".step", FileKind::Step, Infix::Dot),
        ("_step", FileKind::Step, Infix::Underscore),
        (".stream", FileKind::Stream, Infix::Dot),
        ("_stream", FileKind::Stream, Infix::Underscore),
    ]
    .into_iter()
    .find(|(suffix, ..)| stem.ends_with(suffix))
    .map(|(_, kind, infix)| (kind, infix, language))
}

/// The extensions that Node steps may have. `.tsx` and `.jsx` beside a step draw its node in the Workbench.
fn script(extension: &str) -> Option<(&str, Language)> {
    match extension {
        "ts" | "mts" | "cts" => Some((extension, Language::TypeScript)),
        "js" | "mjs" | "cjs" => Some((extension, Language::JavaScript)),
        _ => None,
    }
}

struct Walk<'a> {
    found: Vec<Candidate>,
    warnings: &'a mut Vec<DiscoveryWarning>,
    /// The real paths of the folders that the walk is inside of, so that a symlink cannot lead it round in a circle.
    open: HashSet<PathBuf>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, relative: &str) {
        let real = match fs::canonicalize(folder) {
            Ok(real) => real,
            Err(error) => return self.warn(folder, format!("cannot open this folder: {error}")),
        };
        if !self.open.insert(real.clone()) {
            return self.warn(folder, "this link leads back to a folder that contains it");
        }
        match fs::read_dir(folder) {
            Ok(entries) => self.entries(entries, relative),
            Err(error) => self.warn(folder, format!("cannot read this folder: {error}")),
        }
        self.open.remove(&real);
    }

    fn entries(&mut self, entries: fs::ReadDir, relative: &str) {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries.flatten() {
            let path = entry.path();
            // Follows links, and passes over broken ones.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let Ok(name) = entry.file_name().into_string() else {
                self.warn(&path, "the name is not valid UTF-8");
                continue;
            };
            if metadata.is_dir() {
                if !name.starts_with('.') && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                    folders.push((name, path));
                }
            } else if metadata.is_file() {
                files.push(name);
            }
        }

        files.sort_unstable_by(|a, b| b.cmp(a));
        for name in files {
            if let Some((kind, infix, language)) = candidate(&name) {
                let path = SourcePath::from(format!("{relative}/{name}"));
                self.found.push(Candidate { file: SourceFile { path, kind, language }, infix });
            }
        }
        folders.sort_unstable();
        for (name, path) in folders {
            self.folder(&path, &format!("{relative}/{name}"));
        }
    }

    fn warn(&mut self, path: &Path, reason: impl Into<String>) {
        self.warnings.push(DiscoveryWarning { path: path.to_path_buf(), reason: reason.into() });
    }
}
