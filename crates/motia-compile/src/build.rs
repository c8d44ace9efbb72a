//! One compile, once its files are linked: what is wrong with which entry, and what the generation consists of.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use motia_core::SourcePath;

use crate::check::check;
use crate::compiler::Config;
use crate::diagnostic::Diagnostic;
use crate::emit::{Emitted, emit};
use crate::facts::Facts;
use crate::generation::{Held, Item};
use crate::graph::{File, FileId, Graph, Kind};
use crate::helpers;
use crate::layout::{file_url, output_path};
use crate::link::Linked;
use crate::links::Links;
use crate::modules::{self, Modules};
use crate::parallel;
use crate::shim::{Shim, Wanted, helper_output, quote};

/// Our version, and a hash of our code: see the build script.
const COMPILER: &str = env!("MOTIA_COMPILER");

pub(crate) struct Build<'a> {
    config: &'a Config,
    graph: &'a Graph,
    linked: &'a [Linked],
    before: Option<&'a Held>,
    /// What is wrong with each file, if anything is.
    errors: Vec<Option<Diagnostic>>,
}

/// What came out of a [`Build`].
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) compiled: Vec<(SourcePath, FileId)>,
    pub(crate) failed: Vec<(SourcePath, Diagnostic)>,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) items: Vec<Item>,
}

/// The files of the generation.
#[derive(Default)]
struct Live {
    /// What the entries reach.
    needed: BTreeSet<FileId>,
    /// What they may ask for when they run.
    optional: BTreeSet<FileId>,
    /// What they may ask for and cannot have, with what is said then.
    refused: BTreeMap<FileId, String>,
    /// Those of them that a file names outright, with that file: there has to be something by that name.
    named: BTreeMap<FileId, FileId>,
}

impl Live {
    fn contains(&self, id: FileId) -> bool {
        self.needed.contains(&id) || self.optional.contains(&id)
    }
}

/// A file on its way into the generation.
struct Job<'a> {
    id: FileId,
    file: &'a File,
    links: &'a Links,
    output: String,
    key: String,
    result: Result<Option<Emitted>, Box<Diagnostic>>,
}

impl<'a> Build<'a> {
    pub(crate) fn new(config: &'a Config, graph: &'a Graph, linked: &'a [Linked], before: Option<&'a Held>) -> Self {
        let errors = graph.files.iter().zip(linked).enumerate().map(|(id, (file, linked))| match &file.kind {
            Kind::Broken(diagnostic) => Some((**diagnostic).clone()),
            Kind::Script(_) | Kind::Json => {
                linked.errors.first().cloned().or_else(|| check(graph, id).into_iter().next())
            }
        });
        Self { config, graph, linked, before, errors: errors.collect() }
    }

    /// What decides over the output beside the files themselves: kept apart by project and by our version, and made
    /// anew when a package or a setting changes.
    pub(crate) fn state<'p>(root: &Path, files: impl Iterator<Item = &'p PathBuf>) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(COMPILER.as_bytes()).update(root.as_os_str().as_encoded_bytes());
        for file in files {
            hasher.update(file.as_os_str().as_encoded_bytes()).update(&[0]);
            hasher.update(blake3::hash(&fs::read(file).unwrap_or_default()).as_bytes());
        }
        hasher.finalize().as_bytes().to_vec()
    }

    /// What is said about a file that another names at run time, if it cannot be loaded.
    fn refuse(&self, id: FileId, diagnostic: &Diagnostic) -> String {
        let name = &self.graph.files[id].name;
        format!("{name} does not compile\n{}", diagnostic.render(false))
    }

    pub(crate) fn run(mut self, entries: &[(SourcePath, FileId)]) -> Built {
        let mut built = Built::default();
        let mut live = self.judge(entries, &mut built);
        let mut jobs = self.emit(&live);
        let mut any_failed = false;
        for job in &mut jobs {
            if let Err(diagnostic) = &job.result {
                self.errors[job.id] = Some((**diagnostic).clone());
                any_failed = true;
            }
        }
        if any_failed {
            built = Built::default();
            live = self.judge(entries, &mut built);
            jobs.retain(|job| live.contains(job.id));
        }
        self.collect(jobs, &live, &mut built);
        built
    }

    /// Tells the entries that can be compiled from those that cannot; gives the files that the former reach.
    fn judge(&self, entries: &[(SourcePath, FileId)], built: &mut Built) -> Live {
        let mut live = Live::default();
        for (entry, id) in entries {
            match self.reach(*id) {
                Ok(reached) => {
                    live.needed.extend(reached);
                    built.compiled.push((entry.clone(), *id));
                }
                Err(diagnostic) => built.failed.push((entry.clone(), *diagnostic)),
            }
        }
        self.admit_optional(&mut live);
        for (&id, &by) in &live.named {
            if let Err(mut diagnostic) = self.reach(id) {
                diagnostic.chain.insert(0, self.graph.files[by].name.clone());
                built.warnings.push(*diagnostic);
            }
        }
        live
    }

    /// Adds what computed specifiers may stand for, and what is only named. What is wrong with such a file matters only if it is
    /// asked for.
    fn admit_optional(&self, live: &mut Live) {
        let files = &self.graph.files;
        let listed_by = |id: FileId| files[id].listed.iter().flat_map(|listing| &listing.files).copied();
        let named_by = |id: FileId| files[id].named().filter(|&id| !files[id].is_data());
        let asked_by = |id: FileId| listed_by(id).chain(named_by(id));
        let mut judged = BTreeSet::new();
        let mut waiting: Vec<FileId> = live.needed.iter().copied().flat_map(asked_by).collect();
        while let Some(id) = waiting.pop() {
            if live.contains(id) || !judged.insert(id) {
                continue;
            }
            match self.reach(id) {
                Ok(reached) => {
                    let new: Vec<FileId> = reached.into_iter().filter(|&id| !live.contains(id)).collect();
                    waiting.extend(new.iter().copied().flat_map(asked_by));
                    live.optional.extend(new);
                }
                Err(diagnostic) => {
                    live.refused.insert(id, self.refuse(id, &diagnostic));
                }
            }
        }
        let named = live.needed.union(&live.optional).flat_map(|&by| named_by(by).map(move |id| (id, by)));
        live.named = named.filter(|(id, _)| live.refused.contains_key(id)).collect();
    }

    /// The files that an entry reaches, or what is wrong with the nearest that is wrong.
    fn reach(&self, entry: FileId) -> Result<Vec<FileId>, Box<Diagnostic>> {
        let mut reached = vec![entry];
        let mut from: HashMap<FileId, FileId> = HashMap::new();
        let mut next = 0;
        while let Some(&id) = reached.get(next) {
            next += 1;
            if let Some(diagnostic) = &self.errors[id] {
                let mut chain = vec![id];
                while let Some(&importer) = from.get(&chain[chain.len() - 1]) {
                    chain.push(importer);
                }
                let chain = chain.iter().rev().map(|&id| self.graph.files[id].name.clone()).collect();
                return Err(Box::new(diagnostic.clone().chain(chain)));
            }
            for (_, target) in self.graph.files[id].edges() {
                if target != entry && !from.contains_key(&target) {
                    from.insert(target, id);
                    reached.push(target);
                }
            }
        }
        Ok(reached)
    }

    fn emit(&self, live: &Live) -> Vec<Job<'a>> {
        let mut jobs: Vec<Job<'a>> = live.needed.union(&live.optional).map(|&id| self.job(id)).collect();
        let interop = self.config.sdk.interop.as_path();
        parallel::for_each(&mut jobs, |job| {
            let known = self.before.is_some_and(|before| before.has(&job.output, &job.key));
            if known {
                return;
            }
            job.result = match job.file.kind {
                Kind::Script(_) => emit(job.file, job.links, &job.output, interop).map(Some),
                // A string is quicker to parse than an object literal, and `__proto__` is just a name in it.
                _ => Ok(Some(Emitted {
                    code: format!("module.exports = JSON.parse({});\n", quote(&job.file.source)),
                    map: String::new(),
                })),
            };
        });
        jobs
    }

    /// The list for those that look modules up when they run; `None` if nobody does.
    fn modules(&self, jobs: &[Job<'_>], live: &Live) -> Option<Modules> {
        let path = |file: &File| file.path.to_string_lossy().into_owned();
        let asking: Vec<&File> =
            jobs.iter().map(|job| job.file).filter(|file| file.facts().is_some_and(Facts::looks_up)).collect();
        if asking.is_empty() {
            return None;
        }
        let mut modules = Modules::new(&self.config.sdk);
        modules.files = jobs.iter().map(|job| (path(job.file), job.output.clone())).collect();
        modules.refused = live.refused.iter().map(|(&id, said)| (path(&self.graph.files[id]), said.clone())).collect();
        let aliases = asking.iter().map(|file| (path(file), file.config.aliases()));
        modules.aliases = aliases.filter(|(_, aliases)| !aliases.is_empty()).collect();
        Some(modules)
    }

    fn job(&self, id: FileId) -> Job<'a> {
        let file = &self.graph.files[id];
        let links = &self.linked[id].links;
        let mut hasher = blake3::Hasher::new();
        hasher.update(COMPILER.as_bytes());
        hasher.update(file.path.as_os_str().as_encoded_bytes());
        hasher.update(self.config.sdk.interop.as_os_str().as_encoded_bytes());
        hasher.update(file.content.as_bytes());
        hasher.update(format!("{:?}", file.config.dialect).as_bytes());
        // Maps of strings to strings and flags: they cannot fail to serialize.
        hasher.update(&serde_json::to_vec(links).unwrap_or_default());
        let key = hasher.finalize().to_hex()[..32].to_owned();
        Job {
            id,
            file,
            links,
            output: output_path(&self.config.root, &file.path, file.format()),
            key,
            result: Ok(None),
        }
    }

    fn collect(&self, jobs: Vec<Job<'_>>, live: &Live, built: &mut Built) {
        let modules = self.modules(&jobs, live);
        let mut shims: BTreeMap<&Shim, Wanted> = BTreeMap::new();
        let mut helpers = BTreeSet::new();
        for job in jobs {
            let linked = &self.linked[job.id];
            for (shim, wanted) in &linked.shims {
                shims.entry(shim).or_default().merge(wanted);
            }
            helpers.extend(&linked.helpers);
            if live.needed.contains(&job.id) {
                built.warnings.extend(linked.warnings.iter().cloned());
            }
            let (code, map) = match job.result.ok().flatten() {
                Some(emitted) => (Some(emitted.code), Some(emitted.map)),
                None => (None, None),
            };
            if matches!(job.file.kind, Kind::Script(_)) {
                built.items.push(Item { path: format!("{}.map", job.output), key: job.key.clone(), text: map });
            }
            built.items.push(Item { path: job.output, key: job.key, text: code });
        }
        let interop = file_url(&self.config.sdk.interop);
        let made = shims.into_iter().map(|(shim, wanted)| (shim.output(), shim.code(&wanted, &interop)));
        let helpers =
            helpers.into_iter().map(|name| (helper_output(name), helpers::code(name).unwrap_or_default().to_owned()));
        let modules = modules.map(|modules| (modules::OUTPUT.to_owned(), modules.code()));
        let refused = live.named.keys().map(|id| {
            let said = live.refused.get(id).map_or("", String::as_str);
            (self.graph.files[*id].output(&self.config.root), format!("throw new SyntaxError({});\n", quote(said)))
        });
        for (path, code) in made.chain(helpers).chain(modules).chain(refused) {
            let key = blake3::hash(code.as_bytes()).to_hex()[..32].to_owned();
            let text = (!self.before.is_some_and(|before| before.has(&path, &key))).then_some(code);
            built.items.push(Item { path, key, text });
        }
    }
}
