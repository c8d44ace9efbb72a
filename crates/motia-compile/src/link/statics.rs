//! `import … from` and `export … from`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::diagnostic::Diagnostic;
use crate::facts::{Format, Imported, Request, Use};
use crate::graph::{FileId, Resolved};
use crate::layout::{file_url, relative_url};
use crate::links::StaticLink;
use crate::names::{self, Found};
use crate::resolve::{Package, Shape};
use crate::sdk::SdkModule;
use crate::shim::{self, Shim, Wanted};

use super::missing::names_help;
use super::{FileLinker, package_path, package_url};

impl FileLinker<'_> {
    /// In an ES module.
    pub(super) fn import(&mut self, index: usize, request: &Request, target: &Resolved) {
        if self.facts.stars.contains(&index) && names::hides_names(self.graph, target) {
            self.pass_on_hidden_names(index, request);
        }
        let link = match target {
            Resolved::File(target) => self.import_file(index, *target),
            Resolved::Types => {
                self.drop_all(index);
                StaticLink { omitted: true, ..StaticLink::direct(request.specifier.clone(), Shape::Esm) }
            }
            Resolved::Sdk(module) => self.import_sdk(index, request, *module),
            Resolved::Helper(name) => StaticLink::direct(self.helper(name), Shape::Json),
            Resolved::Native => self.import_foreign_esm(index, request.specifier.clone()),
            Resolved::Package(package) if package.shape == Shape::Esm => StaticLink {
                either_default: true,
                ..self.import_foreign_esm(index, package_url(package, &request.specifier))
            },
            Resolved::Package(package) if package.shape == Shape::CommonJs => {
                let to = package_url(package, &request.specifier);
                let link = self.import_hidden(index, to.clone(), to, package.shape);
                StaticLink { either_default: true, ..link }
            }
            Resolved::Package(Package { path, .. }) | Resolved::Raw(path) => {
                let shim = Shim::Raw { path: path.to_string_lossy().into_owned() };
                self.through(&shim, self.wanted(index), Shape::Json)
            }
            Resolved::Missing(missing) if self.lenient => {
                self.warn_of_stub(request, missing);
                self.stub(index)
            }
            Resolved::Missing(missing) => {
                let error = self.missing(request, missing);
                return self.linked.errors.push(error);
            }
        };
        self.linked.links.statics.insert(request.specifier.clone(), link);
    }

    /// In a file that becomes CommonJS: a `require` at its top. Members are read when they are used, so names that do
    /// not exist are merely undefined.
    pub(super) fn import_by_require(&mut self, request: &Request, target: &Resolved) {
        let link = match target {
            Resolved::File(target) => {
                let other = &self.graph.files[*target];
                let shape = match other.facts().map(|facts| facts.format) {
                    Some(Format::Esm) => Shape::Esm,
                    Some(Format::CommonJs) => Shape::CommonJs,
                    None => Shape::Json,
                };
                let link = StaticLink::direct(self.file_specifier(*target), shape);
                StaticLink { either_default: shape == Shape::CommonJs, ..link }
            }
            Resolved::Types => {
                StaticLink { omitted: true, ..StaticLink::direct(request.specifier.clone(), Shape::Esm) }
            }
            Resolved::Sdk(SdkModule::Plugin) => StaticLink::direct(self.stub_for_require(), Shape::Esm),
            Resolved::Sdk(module) => {
                StaticLink::direct(self.sdk.path(*module).to_string_lossy().into_owned(), Shape::Esm)
            }
            Resolved::Helper(name) => StaticLink::direct(self.helper(name), Shape::Json),
            // The default of a builtin is all of it.
            Resolved::Native => StaticLink::direct(request.specifier.clone(), Shape::Json),
            Resolved::Package(package) => {
                // What format a package answers `require` with may depend on Node's version. Unwrapping suits both.
                let shape = if package.shape == Shape::Json { Shape::Json } else { Shape::CommonJs };
                let link = StaticLink::direct(package_path(package, &request.specifier), shape);
                StaticLink { either_default: shape == Shape::CommonJs, ..link }
            }
            Resolved::Raw(path) => StaticLink::direct(path.to_string_lossy().into_owned(), Shape::Json),
            Resolved::Missing(missing) if self.lenient => {
                self.warn_of_stub(request, missing);
                StaticLink::direct(self.stub_for_require(), Shape::Esm)
            }
            Resolved::Missing(missing) => {
                let error = self.missing(request, missing);
                return self.linked.errors.push(error);
            }
        };
        self.linked.links.statics.insert(request.specifier.clone(), link);
    }

    fn import_file(&mut self, index: usize, target: FileId) -> StaticLink {
        let other = &self.graph.files[target];
        let output = other.output(self.root);
        let here = relative_url(&self.output, &output);
        match other.facts().map(|facts| facts.format) {
            Some(Format::Esm) => {
                self.check_names(index, target);
                StaticLink::direct(here, Shape::Esm)
            }
            Some(Format::CommonJs) => {
                let link = self.import_hidden(index, here, shim::specifier(&output), Shape::CommonJs);
                StaticLink { either_default: true, ..link }
            }
            None => self.import_hidden(index, here, shim::specifier(&output), Shape::Json),
        }
    }

    /// A module whose names Node may not see: it goes through a shim, unless it is imported for its effects alone.
    fn import_hidden(&mut self, index: usize, here: String, from_shim: String, shape: Shape) -> StaticLink {
        let wanted = self.wanted(index);
        if wanted.is_empty() {
            return StaticLink::direct(here, shape);
        }
        let shim = match shape {
            Shape::Json => Shim::Json { target: from_shim },
            Shape::CommonJs | Shape::Esm => Shim::CommonJs { target: from_shim },
        };
        self.through(&shim, wanted, shape)
    }

    /// An ES module that is not compiled. What the file merely passes on may be a type, which must not be linked.
    fn import_foreign_esm(&mut self, index: usize, to: String) -> StaticLink {
        let uses = self.facts.uses(index);
        let passes_on = |used: &Use<'_>| used.passed_on && used.imported.name().is_some();
        if self.facts.typescript && uses.iter().any(passes_on) {
            self.through(&Shim::Lenient { target: to }, self.wanted(index), Shape::Esm)
        } else {
            StaticLink::direct(to, Shape::Esm)
        }
    }

    fn import_sdk(&mut self, index: usize, request: &Request, module: SdkModule) -> StaticLink {
        let path = self.sdk.path(module);
        let url = file_url(path);
        let exported = self.surfaces.esm(path);
        let wanted = self.wanted(index);
        let missing: BTreeSet<String> = wanted.names.difference(&exported).cloned().collect();
        if missing.is_empty() {
            return StaticLink::direct(url, Shape::Esm);
        }
        if module == SdkModule::Plugin {
            return self.stub(index);
        }
        for name in &missing {
            self.warn(request, format!("'{}' has no export '{name}': it is undefined here", request.specifier));
        }
        let shim = Shim::Sdk { url, has_default: exported.contains("default") };
        self.through(&shim, Wanted { names: missing, ..wanted }, Shape::Esm)
    }

    /// What answers to every name.
    fn stub(&mut self, index: usize) -> StaticLink {
        let shim = Shim::Stub { url: file_url(&self.sdk.plugin) };
        self.through(&shim, self.wanted(index), Shape::Esm)
    }

    fn through(&mut self, shim: &Shim, wanted: Wanted, shape: Shape) -> StaticLink {
        self.shim(shim, &wanted);
        StaticLink { shim: true, ..StaticLink::direct(relative_url(&self.output, &shim.output()), shape) }
    }

    fn wanted(&self, index: usize) -> Wanted {
        let mut wanted = Wanted::default();
        for used in self.facts.uses(index) {
            match used.imported {
                Imported::Name(name) => wanted.names.extend([name.clone()]),
                Imported::Namespace => wanted.namespace = true,
            }
        }
        wanted
    }

    /// Drops the names of an ES module of the project that are types, and refuses those that do not exist.
    fn check_names(&mut self, index: usize, target: FileId) {
        let facts = self.facts;
        for used in facts.uses(index) {
            let Imported::Name(name) = used.imported else { continue };
            match names::find(self.graph, target, name) {
                Found::Value => {}
                Found::Type => self.drop(&used),
                Found::Missing if used.passed_on && facts.typescript => self.drop(&used),
                Found::Star(file) => self.want_of_star(file, name),
                Found::Missing => {
                    let message = format!("'{}' has no export '{name}'", facts.requests[index].specifier);
                    let error = Diagnostic::new(&self.file.name, message)
                        .at(&self.file.source, used.span.clone())
                        .help(names_help(&self.graph.files[target]));
                    self.linked.errors.push(error);
                }
            }
        }
    }

    fn drop(&mut self, used: &Use<'_>) {
        self.linked.links.dropped_imports.extend(used.local.map(str::to_owned));
        self.linked.links.dropped_exports.extend(used.exported.iter().map(|name| (*name).to_owned()));
    }

    fn drop_all(&mut self, index: usize) {
        let facts = self.facts;
        for used in facts.uses(index) {
            self.drop(&used);
        }
    }

    /// `export *` of a module whose names only running it shows: what its text tells is passed on, and what the
    /// project's files ask for (see [`Self::want_of_star`]).
    fn pass_on_hidden_names(&mut self, index: usize, request: &Request) {
        let Some((shim, path)) = self.star(self.id, index) else { return };
        let listed = self.surfaces.commonjs(&path);
        if listed.is_empty() {
            let specifier = &request.specifier;
            self.warn(request, format!("what '{specifier}' exports cannot be told from its text: only the names that the project imports are passed on"));
        }
        let mut names = BTreeSet::new();
        for name in listed.iter() {
            // A name that comes twice would be no name at all.
            let hidden = names::find(self.graph, self.id, name) == Found::Star(self.id);
            if hidden && self.owner(self.id, name) == Some(index) {
                names.insert(name.clone());
            }
        }
        self.shim(&shim, &Wanted { names, namespace: false });
        let to = relative_url(&self.output, &shim.output());
        self.linked.links.stars.insert(request.specifier.clone(), to);
    }

    /// Makes an `export *` of `file` pass on a name that this file imports.
    fn want_of_star(&mut self, file: FileId, name: &str) {
        let owner = self.owner(file, name);
        if let Some((shim, _)) = owner.and_then(|owner| self.star(file, owner)) {
            self.shim(&shim, &Wanted { names: BTreeSet::from([name.to_owned()]), namespace: false });
        }
    }

    /// Which `export *` of `file` passes a hidden name on: the first whose text tells of it, else the first.
    fn owner(&mut self, file: FileId, name: &str) -> Option<usize> {
        let facts = self.graph.files[file].facts()?;
        let mut first = None;
        for &star in &facts.stars {
            if let Some((_, path)) = self.star(file, star) {
                if self.surfaces.commonjs(&path).contains(name) {
                    return Some(star);
                }
                first = first.or(Some(star));
            }
        }
        first
    }

    /// The shim behind an `export *`, and the file whose names it passes on. Each file has its own, since which names
    /// it leaves out depends on the others that the file exports.
    fn star(&self, file: FileId, index: usize) -> Option<(Shim, PathBuf)> {
        let of = &self.graph.files[file];
        let (target, path) = match &of.targets[index] {
            Resolved::File(target) if names::hides_names(self.graph, &of.targets[index]) => {
                let other = &self.graph.files[*target];
                (shim::specifier(&other.output(self.root)), other.path.clone())
            }
            Resolved::Package(package) if package.shape == Shape::CommonJs => {
                (package_url(package, &of.facts()?.requests[index].specifier), package.path.clone())
            }
            _ => return None,
        };
        Some((Shim::Star { target, file: of.output(self.root) }, path))
    }
}
