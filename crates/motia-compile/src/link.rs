//! Decides, for one file at a time, what each of its specifiers becomes.

mod missing;
mod statics;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::facts::{Facts, Format, Request, RequestKind};
use crate::graph::{File, FileId, Graph, Resolved};
use crate::helpers;
use crate::layout::{file_url, relative_specifier, relative_url};
use crate::links::{DynamicLink, Links};
use crate::pattern::MOST;
use crate::resolve::{Package, Shape};
use crate::sdk::{SdkModule, SdkModules};
use crate::shim::{self, Shim, Wanted};
use crate::surface::Surfaces;

/// What is the same for all files of a compile.
pub(crate) struct Linker<'a> {
    pub(crate) root: &'a Path,
    pub(crate) sdk: &'a SdkModules,
    pub(crate) graph: &'a Graph,
    pub(crate) surfaces: &'a mut Surfaces,
    /// The project's configuration: nothing that it imports may keep the rest of it from being read.
    pub(crate) lenient: Option<FileId>,
}

/// What linking a file found out.
#[derive(Default)]
pub(crate) struct Linked {
    pub(crate) links: Links,
    /// The shims that it needs, with the names that it wants of each.
    pub(crate) shims: BTreeMap<Shim, Wanted>,
    /// The lowering's helpers that it calls.
    pub(crate) helpers: BTreeSet<String>,
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Linker<'_> {
    pub(crate) fn link(&mut self, id: FileId) -> Linked {
        let file = &self.graph.files[id];
        let Some(facts) = file.facts() else { return Linked::default() };
        let mut one = FileLinker {
            root: self.root,
            sdk: self.sdk,
            graph: self.graph,
            surfaces: &mut *self.surfaces,
            lenient: self.lenient == Some(id),
            id,
            file,
            facts,
            output: file.output(self.root),
            linked: Linked::default(),
        };
        for (index, (request, target)) in file.requests().enumerate() {
            match request.kind {
                RequestKind::Static if facts.format == Format::Esm => one.import(index, request, target),
                RequestKind::Static => one.import_by_require(request, target),
                RequestKind::Dynamic => one.import_dynamically(request, target),
                RequestKind::Require => one.require(request, target),
                RequestKind::Locate => one.locate(request, target),
                RequestKind::Thread => one.thread(request, target),
            }
        }
        one.repeated_exports();
        one.cut_listings();
        one.linked
    }
}

struct FileLinker<'a> {
    root: &'a Path,
    sdk: &'a SdkModules,
    graph: &'a Graph,
    surfaces: &'a mut Surfaces,
    lenient: bool,
    id: FileId,
    file: &'a File,
    facts: &'a Facts,
    /// Where the file is compiled to.
    output: String,
    linked: Linked,
}

impl FileLinker<'_> {
    fn import_dynamically(&mut self, request: &Request, target: &Resolved) {
        let (to, wrap) = match target {
            Resolved::File(target) => {
                let other = &self.graph.files[*target];
                (relative_url(&self.output, &other.output(self.root)), other.format() == Format::CommonJs)
            }
            Resolved::Sdk(module) => (file_url(self.sdk.path(*module)), false),
            Resolved::Package(package) if package.shape == Shape::Json => {
                (self.raw_with_all_names(&package.path), false)
            }
            Resolved::Package(package) => (package_url(package, &request.specifier), package.shape != Shape::Esm),
            Resolved::Raw(path) => (self.raw_with_all_names(path), false),
            Resolved::Helper(_) | Resolved::Types | Resolved::Native => return,
            // It may never run, and may be meant to fail.
            Resolved::Missing(missing) => {
                let warning = self.missing(request, missing);
                return self.linked.warnings.push(warning);
            }
        };
        self.linked.links.dynamics.insert(request.specifier.clone(), DynamicLink { to, wrap });
    }

    fn require(&mut self, request: &Request, target: &Resolved) {
        let to = match target {
            Resolved::File(target) => self.file_specifier(*target),
            Resolved::Sdk(SdkModule::Plugin) => self.stub_for_require(),
            Resolved::Sdk(module) => self.sdk.path(*module).to_string_lossy().into_owned(),
            Resolved::Helper(name) => self.helper(name),
            Resolved::Package(package) => package_path(package, &request.specifier),
            Resolved::Raw(path) => path.to_string_lossy().into_owned(),
            Resolved::Types | Resolved::Native => request.specifier.clone(),
            // In a `try` it is the usual way to ask for what may be missing; in a function it may never run.
            Resolved::Missing(_) if request.guarded || request.lazy => request.specifier.clone(),
            Resolved::Missing(missing) if self.lenient => {
                self.warn_of_stub(request, missing);
                self.stub_for_require()
            }
            Resolved::Missing(missing) => {
                let error = self.missing(request, missing);
                return self.linked.errors.push(error);
            }
        };
        self.linked.links.requires.insert(request.specifier.clone(), to);
    }

    /// `require.resolve` of code is where that was compiled to; of anything else, where the user put it.
    fn locate(&mut self, request: &Request, target: &Resolved) {
        let to = match target {
            Resolved::File(target) => match &self.graph.files[*target] {
                data if data.is_data() => data.path.to_string_lossy().into_owned(),
                _ => self.file_specifier(*target),
            },
            Resolved::Sdk(module) => self.sdk.path(*module).to_string_lossy().into_owned(),
            Resolved::Package(package) => package_path(package, &request.specifier),
            _ => return,
        };
        self.linked.links.locates.insert(request.specifier.clone(), to);
    }

    fn thread(&mut self, request: &Request, target: &Resolved) {
        match target {
            Resolved::File(target) if !self.graph.files[*target].is_data() => {
                let to = self.file_specifier(*target);
                self.linked.links.threads.insert(request.specifier.clone(), to);
            }
            Resolved::Missing(missing) => {
                let warning = self.missing(request, missing);
                self.linked.warnings.push(warning);
            }
            _ => {}
        }
    }

    /// Types are gone by now, which may share a name with a value.
    fn repeated_exports(&mut self) {
        let mut seen = BTreeSet::new();
        for export in &self.facts.exports {
            if !self.linked.links.dropped_exports.contains(&export.name) && !seen.insert(&export.name) {
                let error = Diagnostic::new(&self.file.name, format!("'{}' is exported twice", export.name));
                self.linked.errors.push(error.at(&self.file.source, export.span.clone()));
            }
        }
    }

    fn cut_listings(&mut self) {
        let cut = self.facts.computed.iter().zip(&self.file.listed).filter(|(_, listing)| listing.cut);
        for (computed, _) in cut {
            let message = format!("this may stand for more than {} files: the others cannot be loaded by it", MOST);
            let warning = Diagnostic::new(&self.file.name, message)
                .at(&self.file.source, computed.span.clone())
                .help("let it begin with the folder that is meant, as in `./plugins/${name}.js`");
            self.linked.warnings.push(warning);
        }
    }

    /// How compiled CommonJS names a file of the project.
    fn file_specifier(&self, target: FileId) -> String {
        relative_specifier(&self.output, &self.graph.files[target].output(self.root))
    }

    fn helper(&mut self, name: &str) -> String {
        if helpers::code(name).is_none() {
            let message = format!("this file uses syntax that is not supported: it would need the helper '{name}'");
            self.linked.errors.push(Diagnostic::new(&self.file.name, message));
        }
        self.linked.helpers.insert(name.to_owned());
        relative_specifier(&self.output, &shim::helper_output(name))
    }

    fn shim(&mut self, shim: &Shim, wanted: &Wanted) {
        self.linked.shims.entry(shim.clone()).or_default().merge(wanted);
    }

    /// A shim for what only `require` loads, to be imported by who knows what names.
    fn raw_with_all_names(&mut self, path: &Path) -> String {
        let mut names = (*self.surfaces.commonjs(path)).clone();
        names.insert("default".to_owned());
        let shim = Shim::Raw { path: path.to_string_lossy().into_owned() };
        self.shim(&shim, &Wanted { names, namespace: false });
        relative_url(&self.output, &shim.output())
    }

    /// What answers to every name, for `require`.
    fn stub_for_require(&mut self) -> String {
        let shim = Shim::StubRequire { path: self.sdk.plugin.to_string_lossy().into_owned() };
        self.shim(&shim, &Wanted::default());
        relative_specifier(&self.output, &shim.output())
    }
}

/// What `import` asks Node for to get a file of a package.
fn package_url(package: &Package, specifier: &str) -> String {
    if package.bare { specifier.to_owned() } else { file_url(&package.path) }
}

/// The same for `require`.
fn package_path(package: &Package, specifier: &str) -> String {
    if package.bare { specifier.to_owned() } else { package.path.to_string_lossy().into_owned() }
}
