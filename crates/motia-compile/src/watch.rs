//! Tells when files of a project change.
//!
//! On Linux a recursive watch costs one watch per folder, `node_modules` included, so folders are watched one by one
//! and new ones are added as they come. Elsewhere the system watches trees by itself.

use std::collections::BTreeSet;
use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use motia_core::{Clock, SystemClock};
use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::Error;
use crate::resolve::is_installed;

/// Folders that hold nothing of the project's own. Those whose name begins with a dot are ignored too.
const IGNORED: [&str; 3] = ["node_modules", "python_modules", "__pycache__"];

/// The same, in the root only: deeper down it may well hold sources.
const IGNORED_IN_ROOT: &str = "dist";

/// Changes are told once nothing more came for this long,
const QUIET: Duration = Duration::from_millis(30);
/// but not later than this after the first.
const LATEST: Duration = Duration::from_millis(200);

const WATCHES_TREES: bool = !cfg!(target_os = "linux");

/// Files that changed at about the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files and folders that were written, made, renamed or removed, by absolute path.
    pub paths: BTreeSet<PathBuf>,
    /// The system lost track: anything may have changed.
    pub everything: bool,
    /// What could not be watched from now on, and why.
    pub errors: Vec<String>,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.everything && self.errors.is_empty()
    }
}

/// Watches a project until it is dropped.
pub struct Watcher {
    messages: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Event(notify::Result<Event>),
    Outside(BTreeSet<PathBuf>),
    Stop,
}

impl Watcher {
    /// Watches all of `root` but `motia_dir` and the folders that tools fill: dependencies, build output, and those that
    /// begin with a dot. `on_change` runs on a thread of the watcher's own.
    pub fn new(root: &Path, motia_dir: &Path, on_change: impl FnMut(Changes) + Send + 'static) -> Result<Self, Error> {
        let failed = |cause| Error::Watch { path: root.to_path_buf(), cause };
        let root = fs::canonicalize(root).map_err(|cause| Error::Root { path: root.to_path_buf(), cause })?;
        let motia_dir = fs::canonicalize(motia_dir).unwrap_or_else(|_| motia_dir.to_path_buf());
        let (messages, inbox) = mpsc::channel();
        let events = messages.clone();
        let system = notify::recommended_watcher(move |event| {
            // Nobody listens any more once the watcher is dropped.
            let _ = events.send(Message::Event(event));
        });
        let mut tree = Tree {
            root: root.clone(),
            motia_dir,
            system: system.map_err(failed)?,
            outside: BTreeSet::new(),
            watched: BTreeSet::new(),
        };
        let mode = if WATCHES_TREES { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        tree.system.watch(&root, mode).map_err(failed)?;
        let mut errors = Vec::new();
        tree.add(&root, &mut errors);
        let thread = thread::Builder::new()
            .name("motia-watch".to_owned())
            .spawn(move || tree.run(&inbox, errors, on_change))
            .map_err(|error| failed(notify::Error::io(error)))?;
        Ok(Self { messages, thread: Some(thread) })
    }

    /// Watches these files too, where they are outside of the root; forgets those of the call before. Meant for
    /// [`Generation::inputs`](crate::Generation::inputs).
    pub fn watch_outside(&self, inputs: &BTreeSet<PathBuf>) {
        let _ = self.messages.send(Message::Outside(inputs.clone()));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take()
            // The callback may own the watcher.
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

struct Tree {
    root: PathBuf,
    /// Never to be told of: each compile writes there.
    motia_dir: PathBuf,
    system: RecommendedWatcher,
    /// Files that are not in the root.
    outside: BTreeSet<PathBuf>,
    /// The real paths of the folders of the root that were ever watched one by one.
    watched: BTreeSet<PathBuf>,
}

impl Tree {
    fn run(mut self, inbox: &Receiver<Message>, errors: Vec<String>, mut on_change: impl FnMut(Changes)) {
        let clock = SystemClock::default();
        let mut changes = Changes { errors, ..Changes::default() };
        let mut first = clock.elapsed();
        loop {
            let message = if changes.is_empty() {
                inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                let left = LATEST.saturating_sub(clock.elapsed().saturating_sub(first));
                inbox.recv_timeout(QUIET.min(left))
            };
            let was_empty = changes.is_empty();
            match message {
                Ok(Message::Event(event)) => self.take(event, &mut changes),
                Ok(Message::Outside(inputs)) => self.watch_outside(inputs, &mut changes.errors),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => on_change(mem::take(&mut changes)),
            }
            if was_empty {
                first = clock.elapsed();
            }
        }
    }

    fn take(&mut self, event: notify::Result<Event>, changes: &mut Changes) {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                changes.everything = true;
                return changes.errors.push(format!("cannot follow all changes: {error}"));
            }
        };
        if event.need_rescan() {
            changes.everything = true;
            let root = self.root.clone();
            self.add(&root, &mut changes.errors);
        }
        let may_be_new = match event.kind {
            EventKind::Access(_) => return,
            EventKind::Create(_) | EventKind::Any | EventKind::Other => true,
            EventKind::Modify(ModifyKind::Name(mode)) => mode != RenameMode::From,
            EventKind::Modify(_) | EventKind::Remove(_) => false,
        };
        for path in event.paths {
            if !self.matters(&path) {
                continue;
            }
            if may_be_new && path.is_dir() {
                // What was put into the folder before it was watched has made no events.
                self.add(&path, &mut changes.errors);
                files_in(&path, &mut changes.paths);
            }
            // Inputs are known by their real paths.
            changes.paths.extend(fs::canonicalize(&path));
            changes.paths.insert(path);
        }
    }

    fn matters(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.root) else { return self.outside.contains(path) };
        // A file may begin with a dot, as `.env` does; a folder that is ignored is not worth telling of itself.
        let folders = inside.parent().is_none_or(|parent| !self.is_ignored_in_root(parent));
        let name = inside.file_name().is_some_and(|name| !IGNORED.iter().any(|ignored| name == *ignored));
        folders && name && !path.starts_with(&self.motia_dir) && inside != Path::new(IGNORED_IN_ROOT)
    }

    /// Whether a folder, relative to the root, is ignored or lies in one that is.
    fn is_ignored_in_root(&self, inside: &Path) -> bool {
        let mut names = inside.components().map(|component| component.as_os_str().to_string_lossy());
        inside.starts_with(IGNORED_IN_ROOT) || names.any(|name| is_ignored(&name))
    }

    /// Watches a folder of the root and those in it.
    fn add(&mut self, folder: &Path, errors: &mut Vec<String>) {
        if WATCHES_TREES {
            return;
        }
        // Links may lead back.
        let mut seen = BTreeSet::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let inside = folder.strip_prefix(&self.root).unwrap_or(&folder);
            let Ok(real) = fs::canonicalize(&folder) else { continue };
            if self.is_ignored_in_root(inside) || real.starts_with(&self.motia_dir) || !seen.insert(real.clone()) {
                continue;
            }
            self.watched.insert(real);
            if let Err(error) = self.system.watch(&folder, RecursiveMode::NonRecursive) {
                // It may be gone already.
                if folder.exists() {
                    errors.push(format!("cannot watch {}: {error}", folder.display()));
                }
                continue;
            }
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            folders.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
        }
    }

    fn watch_outside(&mut self, inputs: BTreeSet<PathBuf>, errors: &mut Vec<String>) {
        let is_outside = |path: &PathBuf| !path.starts_with(&self.root) && !is_installed(&self.root, path);
        let outside: BTreeSet<PathBuf> = inputs.into_iter().filter(is_outside).collect();
        let folders = |files: &BTreeSet<PathBuf>| -> BTreeSet<PathBuf> {
            files.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect()
        };
        let (before, now) = (folders(&self.outside), folders(&outside));
        for folder in before.difference(&now) {
            // A folder that is gone is not watched any more.
            let _ = self.system.unwatch(folder);
        }
        for folder in now.difference(&before) {
            // One that a link of the root leads to is watched by that name already.
            if !fs::canonicalize(folder).is_ok_and(|real| !self.watched.contains(&real)) {
                continue;
            }
            // The folder, not the file: editors save by putting a new file in the old one's place.
            if let Err(error) = self.system.watch(folder, RecursiveMode::NonRecursive) {
                errors.push(format!("cannot watch {}: {error}", folder.display()));
            }
        }
        self.outside = outside;
    }
}

fn is_ignored(folder: &str) -> bool {
    folder.starts_with('.') || IGNORED.contains(&folder)
}

fn files_in(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            // Links are not followed: they may lead back.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_ignored(&entry.file_name().to_string_lossy()) => {
                    folders.push(entry.path())
                }
                Ok(kind) if !kind.is_dir() => {
                    files.insert(entry.path());
                }
                _ => {}
            }
        }
    }
}
