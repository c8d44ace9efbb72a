//! The modules that workers import: compiled for Node, copies of the sources for the others, and for each file the one that worked last.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use motia_compile::{Compiler, Diagnostic, Discovery, FileKind, Generation, Snapshot, Snapshots, SourceFile, discover};
use motia_core::SourcePath;
use motia_core::ids::Runtime;
use motia_worker::message::LoadKind;
use motia_worker::{LoadReport, Plan, PlannedFile};

/// Generations that workers may still load files from: the current one's, and those of the old workers that a pool keeps.
const KEPT: usize = 5;

/// A project's files as they were at one moment.
pub(super) struct Current {
    pub(super) discovery: Discovery,
    pub(super) generation: Arc<Generation>,
    pub(super) snapshot: Arc<Snapshot>,
}

/// A module that was imported, and what keeps it on disk.
struct Good {
    module: PathBuf,
    _generation: Arc<Generation>,
}

/// What makes modules of files.
pub(super) struct Modules {
    root: PathBuf,
    /// Away while it compiles.
    makers: Option<Makers>,
    /// What may be in use, the newest last.
    kept: VecDeque<Arc<Current>>,
    last_good: HashMap<SourcePath, Good>,
    /// Files whose import held things up the last time.
    troubled: HashSet<SourcePath>,
}

struct Makers {
    compiler: Compiler,
    snapshots: Snapshots,
}

impl Makers {
    fn make(&mut self, root: &Path) -> Result<Current, motia_compile::Error> {
        let discovery = discover(root)?;
        let generation = Arc::new(self.compiler.compile(&discovery.files)?);
        let interpreted = discovery.files.iter().filter(|file| file.language.runtime() != Runtime::Node);
        let snapshot = Arc::new(self.snapshots.take(root, interpreted));
        Ok(Current { discovery, generation, snapshot })
    }
}

impl Modules {
    pub(super) fn new(root: PathBuf, compiler: Compiler, snapshots: Snapshots) -> Self {
        let makers = Some(Makers { compiler, snapshots });
        Self { root, makers, kept: VecDeque::new(), last_good: HashMap::new(), troubled: HashSet::new() }
    }

    /// Makes modules of what is on disk now; `None` if that is under way already. Both answers and what was before: the newest.
    pub(super) async fn make(&mut self) -> Result<Option<(Arc<Current>, Option<Arc<Current>>)>> {
        let Some(mut makers) = self.makers.take() else { return Ok(None) };
        let root = self.root.clone();
        // Both read many files: not on a thread that requests need.
        let (makers, made) = tokio::task::spawn_blocking(move || {
            let made = makers.make(&root);
            (makers, made)
        })
        .await?;
        self.makers = Some(makers);
        let before = self.kept.back().cloned();
        let current = Arc::new(made?);
        self.kept.push_back(Arc::clone(&current));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
        Ok(Some((current, before)))
    }

    /// The newest.
    pub(super) fn current(&self) -> Option<&Arc<Current>> {
        self.kept.back()
    }

    /// The files whose change matters.
    pub(super) fn inputs(&self) -> &BTreeSet<PathBuf> {
        static NONE: BTreeSet<PathBuf> = BTreeSet::new();
        self.current().map_or(&NONE, |current| &current.generation.inputs)
    }

    /// What the workers of a language are to import.
    pub(super) fn plan(&self, runtime: Runtime, current: &Current) -> Plan {
        let files = current.files_of(runtime).filter_map(|file| {
            let last_good = self.last_good.get(&file.path).map(|good| good.module.clone());
            let module = current.module(file).cloned().or_else(|| last_good.clone())?;
            let kind = match file.kind {
                FileKind::Step => LoadKind::Step,
                FileKind::Stream => LoadKind::Stream,
                FileKind::Config => LoadKind::Config,
            };
            let troubled = self.troubled.contains(&file.path);
            Some(PlannedFile { source: file.path.clone(), kind, module, last_good, troubled })
        });
        Plan { root: self.root.clone(), files: files.collect() }
    }

    /// A worker has imported a plan of the newest modules.
    pub(super) fn imported(&mut self, runtime: Runtime, report: &LoadReport) {
        let Some(current) = self.kept.back() else { return };
        self.troubled.retain(|source| !current.files_of(runtime).any(|file| file.path == *source));
        let trouble = report.failed.iter().filter(|(_, failure)| failure.is_trouble());
        self.troubled.extend(trouble.map(|(source, _)| source.clone()));
        for (source, imported) in &report.imported {
            // A module of an older generation was kept: so is its generation.
            if self.last_good.get(source).is_none_or(|good| good.module != imported.module) {
                let good = Good { module: imported.module.clone(), _generation: Arc::clone(&current.generation) };
                self.last_good.insert(source.clone(), good);
            }
        }
    }

    /// What does not compile or cannot be read, for people. `color`: for a terminal.
    pub(super) fn errors(&self, current: &Current, color: bool) -> Vec<String> {
        let kept = |source: &SourcePath| {
            if self.last_good.contains_key(source) { "; its last good version goes on" } else { "" }
        };
        let compiled = |(source, diagnostic): &(SourcePath, Diagnostic)| {
            format!("{source} does not compile{}\n{}", kept(source), diagnostic.render(color))
        };
        let read = |(source, why): &(SourcePath, String)| format!("{source} cannot be read{}: {why}", kept(source));
        current.generation.failed.iter().map(compiled).chain(current.snapshot.failed.iter().map(read)).collect()
    }

    /// Removes what nobody uses any more. Answers with why something could not be removed: only disk space is lost, and the next time
    /// tries again.
    pub(super) fn prune(&self) -> Vec<String> {
        let Some(makers) = &self.makers else { return Vec::new() };
        let good = self.last_good.values();
        let generations: Vec<_> = self
            .kept
            .iter()
            .map(|current| &current.generation)
            .chain(good.map(|good| &good._generation))
            .map(|generation| generation.hash.clone())
            .collect();
        let copies = self.kept.iter().flat_map(|current| current.snapshot.modules.values());
        let copies = copies.chain(self.last_good.values().map(|good| &good.module)).map(PathBuf::as_path).collect();
        let compiled = makers.compiler.prune(&generations).map_err(|error| error.to_string());
        let copied = makers.snapshots.prune(&copies).map_err(|error| format!("old copies of sources stay: {error}"));
        [compiled, copied].into_iter().filter_map(Result::err).collect()
    }
}

impl Current {
    /// The files of a language.
    pub(super) fn files_of(&self, runtime: Runtime) -> impl Iterator<Item = &SourceFile> {
        self.discovery.files.iter().filter(move |file| file.language.runtime() == runtime)
    }

    fn module(&self, file: &SourceFile) -> Option<&PathBuf> {
        match file.language.runtime() {
            Runtime::Node => self.generation.modules.get(&file.path),
            Runtime::Python | Runtime::Ruby => self.snapshot.modules.get(&file.path),
        }
    }

    /// Whether a worker that has imported the modules of `before` has those of a language as they are now.
    pub(super) fn is_as(&self, before: &Self, runtime: Runtime) -> bool {
        let same_files = self.files_of(runtime).eq(before.files_of(runtime));
        let same_modules = match runtime {
            // What does not compile is tried again: a package that it needs may have come.
            Runtime::Node => self.generation.hash == before.generation.hash && self.generation.failed.is_empty(),
            Runtime::Python | Runtime::Ruby => {
                self.files_of(runtime).all(|file| self.module(file) == before.module(file))
            }
        };
        same_files && same_modules
    }
}
