//! From the entries of a project to a generation.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use motia_core::{Language, SourcePath};

use crate::Error;
use crate::build::Build;
use crate::diagnostic::Diagnostic;
use crate::discovery::{FileKind, SourceFile};
use crate::generation::{GenerationHash, Generations, Held};
use crate::graph::{File, FileId, Graph, Memory, Resolved};
use crate::layout::normalize;
use crate::link::{Linked, Linker};
use crate::missing::Missing;
use crate::parallel;
use crate::pattern::Glob;
use crate::resolve::{Resolver, candidates};
use crate::sdk::SdkModules;
use crate::tsconfig::TsConfigs;

/// Where a project is, and what its code runs on.
#[derive(Clone, Debug)]
pub struct Config {
    /// The project's folder.
    pub root: PathBuf,
    /// The engine's own folder, usually `.motia` in the root. Compiled files go to `compiled/` in it.
    pub motia_dir: PathBuf,
    /// What stands in for `motia` and `@motiadev/*`.
    pub sdk: SdkModules,
}

/// Compiles a project, again and again. It remembers what it learned of each file.
pub struct Compiler {
    config: Config,
    generations: Generations,
    resolver: Resolver,
    memory: Memory,
    /// The generation that was made last, whose files the next one shares.
    last: Option<Arc<Held>>,
}

/// A compiled project. It stays on disk while this lives.
#[derive(Clone, Debug)]
pub struct Generation {
    /// What it is called. Equal hashes are equal code.
    pub hash: GenerationHash,
    /// Where it is.
    pub dir: PathBuf,
    /// The compiled module of every entry that could be compiled, in the order of the entries.
    pub modules: IndexMap<SourcePath, PathBuf>,
    /// The entries that could not, and why.
    pub failed: Vec<(SourcePath, Diagnostic)>,
    /// What was passed over.
    pub warnings: Vec<Diagnostic>,
    /// Every file whose change matters, by real path: sources, settings, the manifests of packages. Also where files
    /// that were not found would have to be.
    pub inputs: BTreeSet<PathBuf>,
    /// What computed specifiers may stand for.
    listed: BTreeSet<Glob>,
    _held: Arc<Held>,
}

impl Compiler {
    /// A compiler that knows nothing yet. It touches no file.
    pub fn new(config: Config) -> Self {
        // Links in the root would make every source look as if it lay outside.
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| normalize(path));
        let root = real(&config.root);
        let motia_dir = match config.motia_dir.strip_prefix(&config.root) {
            Ok(inside) => root.join(inside),
            Err(_) => real(&config.motia_dir),
        };
        Self {
            generations: Generations::new(&motia_dir),
            resolver: Resolver::new(&root, &motia_dir),
            memory: Memory::new(),
            last: None,
            config: Config { root, motia_dir, sdk: config.sdk },
        }
    }

    /// Compiles the entries that Node runs, with all that they import. What is wrong with a file costs the entries that
    /// reach it, and nothing else.
    pub fn compile(&mut self, entries: &[SourceFile]) -> Result<Generation, Error> {
        parallel::on_large_stack(|| self.compile_here(entries))
    }

    fn compile_here(&mut self, entries: &[SourceFile]) -> Result<Generation, Error> {
        let entries: Vec<&SourceFile> = entries
            .iter()
            .filter(|entry| matches!(entry.language, Language::TypeScript | Language::JavaScript))
            .collect();
        let root = self.config.root.clone();
        let paths: Vec<PathBuf> = entries.iter().map(|entry| real_path(&root, &entry.path)).collect();

        self.resolver.refresh();
        let mut configs = TsConfigs::default();
        let graph = Graph::build(&root, paths.iter().cloned(), &mut self.resolver, &mut configs, &mut self.memory);
        self.memory.retain(|path, _| graph.find(path).is_some());

        let lenient = entries.iter().position(|entry| entry.kind == FileKind::Config);
        let lenient = lenient.and_then(|index| graph.find(&paths[index]));
        let mut linker = Linker {
            root: &root,
            sdk: &self.config.sdk,
            graph: &graph,
            surfaces: &mut self.resolver.surfaces,
            lenient,
        };
        let linked: Vec<Linked> = (0..graph.files.len()).map(|id| linker.link(id)).collect();

        // Users empty `.motia` while we run.
        self.last = self.last.take().filter(|last| last.is_whole()).or_else(|| self.generations.newest().map(Arc::new));
        let build = Build::new(&self.config, &graph, &linked, self.last.as_deref());
        let targets: Vec<(SourcePath, FileId)> = entries
            .iter()
            .zip(&paths)
            .filter_map(|(entry, path)| Some((entry.path.clone(), graph.find(path)?)))
            .collect();
        let built = build.run(&targets);
        let state = Build::state(&root, self.resolver.manifests.iter().chain(&configs.inputs));
        let hash = Generations::hash(&built.items, &state);
        let held = match &self.last {
            Some(last) if last.hash == hash => Arc::clone(last),
            before => Arc::new(self.generations.write(hash, &built.items, before.as_deref())?),
        };
        self.last = Some(Arc::clone(&held));

        let mut warnings = configs.warnings;
        warnings.extend(built.warnings);
        let mut inputs = configs.inputs;
        inputs.extend(graph.files.iter().map(|file| file.path.clone()));
        inputs.extend(self.resolver.manifests.iter().cloned());
        inputs.insert(root.join("package.json"));
        inputs.extend(graph.files.iter().flat_map(missing_inputs));
        let listed =
            graph.files.iter().flat_map(|file| &file.listed).flat_map(|listing| listing.globs.clone()).collect();
        let module = |(entry, id): (SourcePath, FileId)| (entry, held.folder.join(graph.files[id].output(&root)));
        Ok(Generation {
            hash: held.hash.clone(),
            dir: held.folder.clone(),
            modules: built.compiled.into_iter().map(module).collect(),
            failed: built.failed,
            warnings,
            inputs,
            listed,
            _held: held,
        })
    }

    /// Removes the generations that no [`Generation`] and no compiler of any process holds, except those to be kept. A
    /// compiler holds the last that it made.
    pub fn prune(&self, keep: &[GenerationHash]) -> Result<(), Error> {
        self.generations.prune(keep)
    }
}

impl Generation {
    /// Whether a file that is no input yet would become one: a new plugin, say, of a folder from which code loads what a request
    /// names.
    pub fn may_load(&self, path: &Path) -> bool {
        self.listed.iter().any(|glob| glob.matches(path))
    }
}

/// The files that would help if they came to be.
fn missing_inputs(file: &File) -> impl Iterator<Item = PathBuf> {
    let folder = file.path.parent().unwrap_or(&file.path);
    file.requests().flat_map(|(request, target)| match target {
        Resolved::Missing(Missing::Alias { tried, .. }) => {
            tried.iter().flat_map(|path| candidates(folder, &path.to_string_lossy())).collect()
        }
        Resolved::Missing(Missing::Manifest { path, .. }) => vec![path.clone()],
        Resolved::Missing(_) => candidates(folder, &request.specifier),
        _ => Vec::new(),
    })
}

/// Entries are known by their real path, as what they import is.
fn real_path(root: &Path, entry: &SourcePath) -> PathBuf {
    let path = root.join(entry.as_str());
    fs::canonicalize(&path).unwrap_or(path)
}
