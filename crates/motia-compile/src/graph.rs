//! Every file of the project that the entries reach, and what each of its specifiers stands for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use motia_core::SourcePath;
use oxc::allocator::Allocator;

use crate::analyze::analyze;
use crate::diagnostic::{Diagnostic, Source};
use crate::facts::{Computed, Facts, Format, Request, RequestKind};
use crate::layout::{display_path, output_path};
use crate::lower::{Lowered, lower};
use crate::parallel;
use crate::pattern::Glob;
use crate::resolve::{Mode, Resolver, Target};
use crate::tsconfig::{TsConfig, TsConfigs};

/// The place of a file in [`Graph::files`].
pub(crate) type FileId = usize;

pub(crate) struct Graph {
    pub(crate) files: Vec<File>,
    by_path: HashMap<PathBuf, FileId>,
}

/// A file of the project.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Its path in messages.
    pub(crate) name: SourcePath,
    pub(crate) source: Source,
    pub(crate) content: blake3::Hash,
    pub(crate) config: Arc<TsConfig>,
    pub(crate) kind: Kind,
    /// What each of [`Facts::requests`] stands for.
    pub(crate) targets: Vec<Resolved>,
    /// What each of [`Facts::computed`] may stand for.
    pub(crate) listed: Vec<Listing>,
}

/// The files that match a computed specifier.
pub(crate) struct Listing {
    pub(crate) globs: Vec<Glob>,
    pub(crate) files: Vec<FileId>,
    /// There are more files than are compiled for it.
    pub(crate) cut: bool,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Script(Arc<Facts>),
    Json,
    Broken(Box<Diagnostic>),
}

/// A [`Target`] whose files are known to the graph.
pub(crate) type Resolved = Target<FileId>;

/// What is kept of a file between compiles.
pub(crate) struct Kept {
    content: blake3::Hash,
    config: Arc<TsConfig>,
    kind: Kind,
}

/// What the folders were found to hold, and whether that was cut.
type Listings = HashMap<Glob, (Vec<PathBuf>, bool)>;

pub(crate) type Memory = HashMap<PathBuf, Kept>;

impl File {
    pub(crate) fn facts(&self) -> Option<&Facts> {
        match &self.kind {
            Kind::Script(facts) => Some(facts),
            Kind::Json | Kind::Broken(_) => None,
        }
    }

    /// Its tree without types.
    pub(crate) fn lower<'a>(&'a self, allocator: &'a Allocator) -> Result<Lowered<'a>, Box<Diagnostic>> {
        lower(allocator, &self.source, &self.path, &self.config.dialect).map_err(|errors| {
            // The rest mostly follows from the first.
            Box::new(match errors.errors().next().or_else(|| errors.first()) {
                Some(error) => Diagnostic::from_oxc(&self.name, &self.source, error),
                None => Diagnostic::new(&self.name, "this file cannot be parsed"),
            })
        })
    }

    /// JSON, be it right or wrong.
    pub(crate) fn is_data(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "json")
    }

    /// The format of what it is compiled to. JSON becomes CommonJS, so that `import` and `require` share one object.
    pub(crate) fn format(&self) -> Format {
        self.facts().map_or(Format::CommonJs, |facts| facts.format)
    }

    pub(crate) fn output(&self, root: &Path) -> String {
        output_path(root, &self.path, self.format())
    }

    /// Each specifier with what it stands for.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&Request, &Resolved)> {
        self.facts().into_iter().flat_map(|facts| &facts.requests).zip(&self.targets)
    }

    /// The files of the project that it loads.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (&Request, FileId)> {
        self.asked().filter(|(request, _)| !request.kind.names())
    }

    /// The files of the project that it only names: whoever gets the name loads them, if anybody does.
    pub(crate) fn named(&self) -> impl Iterator<Item = FileId> {
        self.asked().filter(|(request, _)| request.kind.names()).map(|(_, id)| id)
    }

    fn asked(&self) -> impl Iterator<Item = (&Request, FileId)> {
        self.requests().filter_map(|(request, target)| match target {
            Resolved::File(id) => Some((request, *id)),
            _ => None,
        })
    }
}

impl Graph {
    /// Follows every specifier from the entries on. Files are read once.
    pub(crate) fn build(
        root: &Path,
        entries: impl Iterator<Item = PathBuf>,
        resolver: &mut Resolver,
        configs: &mut TsConfigs,
        memory: &mut Memory,
    ) -> Self {
        let mut graph = Self { files: Vec::new(), by_path: HashMap::new() };
        for entry in entries {
            graph.add(root, entry, configs);
        }
        let mut listings = Listings::new();
        let mut done = 0;
        while done < graph.files.len() {
            let wave = done..graph.files.len();
            load(&mut graph.files[wave.clone()], memory);
            for id in wave.clone() {
                graph.resolve(id, root, resolver, configs, &mut listings);
            }
            done = wave.end;
        }
        graph
    }

    pub(crate) fn find(&self, path: &Path) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    fn add(&mut self, root: &Path, path: PathBuf, configs: &mut TsConfigs) -> FileId {
        match self.by_path.entry(path) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let path = new.key().clone();
                self.files.push(File {
                    name: display_path(root, &path),
                    config: configs.for_folder(path.parent().unwrap_or(&path), root),
                    path,
                    source: Source::from(""),
                    content: blake3::Hash::from_bytes([0; 32]),
                    // Until it is loaded.
                    kind: Kind::Json,
                    targets: Vec::new(),
                    listed: Vec::new(),
                });
                *new.insert(self.files.len() - 1)
            }
        }
    }

    fn resolve(
        &mut self,
        id: FileId,
        root: &Path,
        resolver: &mut Resolver,
        configs: &mut TsConfigs,
        listings: &mut Listings,
    ) {
        let file = &self.files[id];
        let Kind::Script(facts) = &file.kind else { return };
        let facts = Arc::clone(facts);
        let (config, path) = (Arc::clone(&file.config), file.path.clone());
        let folder = path.parent().unwrap_or(&path);
        let mut targets = Vec::with_capacity(facts.requests.len());
        for (index, request) in facts.requests.iter().enumerate() {
            let mode = match (request.kind, facts.format) {
                (RequestKind::Dynamic | RequestKind::Thread, _) | (RequestKind::Static, Format::Esm) => Mode::Import,
                _ => Mode::Require,
            };
            let target = match resolver.resolve(folder, &config, &request.specifier, mode) {
                Target::Package(package) if mode == Mode::Import && facts.wants_default(index) => {
                    Target::Package(resolver.with_default(package, folder, &config, &request.specifier))
                }
                target => target,
            };
            targets.push(target.map_file(|path| self.add(root, path, configs)));
        }
        self.files[id].targets = targets;
        let list = |computed: &Computed| {
            let globs = computed.pattern.globs(&path, root, &config);
            let mut listing = Listing { globs, files: Vec::new(), cut: false };
            for glob in &listing.globs {
                let (files, cut) = listings.entry(glob.clone()).or_insert_with(|| glob.files());
                listing.cut |= *cut;
                listing.files.extend(files.iter().map(|path| self.add(root, path.clone(), configs)));
            }
            listing
        };
        let listed = facts.computed.iter().map(list).collect();
        self.files[id].listed = listed;
    }
}

/// Reads files and learns their facts, unless they are remembered.
fn load(files: &mut [File], memory: &mut Memory) {
    let known: &Memory = memory;
    parallel::for_each(files, |file| {
        match fs::read(&file.path) {
            // As Node reads it.
            Ok(bytes) => file.source = Source::from(String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}')),
            Err(error) => {
                let message = format!("cannot read this file: {error}");
                file.kind = Kind::Broken(Box::new(Diagnostic::new(&file.name, message)));
                return;
            }
        }
        file.content = blake3::hash(file.source.as_bytes());
        file.kind = match known.get(&file.path) {
            Some(kept) if kept.content == file.content && kept.config.dialect == file.config.dialect => {
                kept.kind.clone()
            }
            _ => learn(file).unwrap_or_else(Kind::Broken),
        };
    });
    for file in files {
        let kept = Kept { content: file.content, config: Arc::clone(&file.config), kind: file.kind.clone() };
        memory.insert(file.path.clone(), kept);
    }
}

fn learn(file: &File) -> Result<Kind, Box<Diagnostic>> {
    if file.is_data() {
        return match serde_json::from_str::<serde::de::IgnoredAny>(&file.source) {
            Ok(_) => Ok(Kind::Json),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                Err(Box::new(Diagnostic::not_json(&file.name, &file.source, &error.to_string(), line, column)))
            }
        };
    }
    guard(&file.name, || {
        let allocator = Allocator::default();
        let lowered = file.lower(&allocator)?;
        Ok(Kind::Script(Arc::new(analyze(&file.path, &lowered))))
    })
}

/// A panic in the parser or in a pass costs the file that caused it, and nothing else.
pub(crate) fn guard<T>(
    name: &SourcePath,
    work: impl FnOnce() -> Result<T, Box<Diagnostic>>,
) -> Result<T, Box<Diagnostic>> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let cause = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        let message = format!("the compiler failed on this file: {}", cause.unwrap_or("unknown cause"));
        Err(Box::new(Diagnostic::new(name, message).help("this is a bug in motia: please report it with the file")))
    })
}
