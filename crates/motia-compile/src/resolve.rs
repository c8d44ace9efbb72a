//! From a specifier to what it stands for.
//!
//! A specifier is tried as: a module of the SDK, a builtin of Node, a path of `tsconfig.json`, a package by Node's own
//! rules, and last a package by the rules of a project, for workspace packages that ship TypeScript.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use oxc_resolver::{ModuleType, ResolveError, ResolveOptions, Resolver as Oxc};

use crate::layout::normalize;
use crate::lower::HELPERS;
use crate::missing::{Missing, package_name};
use crate::sdk::SdkModule;
use crate::surface::{self, Surfaces};
use crate::tsconfig::TsConfig;

/// How a module is asked for. Packages may answer differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    Import,
    Require,
}

/// What a module looks like to those who load it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub(crate) enum Shape {
    Esm,
    CommonJs,
    Json,
}

/// What a specifier stands for. `F` names a file of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target<F = PathBuf> {
    /// A file of the project: source that is compiled, or JSON.
    File(F),
    /// A declaration file: it has no values.
    Types,
    Sdk(SdkModule),
    /// One of the lowering's own helpers.
    Helper(String),
    /// A builtin of Node, or a URL that Node understands.
    Native,
    Package(Package),
    /// A native addon or the like, which `require` loads from where it is.
    Raw(PathBuf),
    Missing(Missing),
}

impl<F> Target<F> {
    /// The same with another name for its file.
    pub(crate) fn map_file<G>(self, name: impl FnOnce(F) -> G) -> Target<G> {
        match self {
            Self::File(file) => Target::File(name(file)),
            Self::Types => Target::Types,
            Self::Sdk(module) => Target::Sdk(module),
            Self::Helper(helper) => Target::Helper(helper),
            Self::Native => Target::Native,
            Self::Package(package) => Target::Package(package),
            Self::Raw(path) => Target::Raw(path),
            Self::Missing(missing) => Target::Missing(missing),
        }
    }
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) path: PathBuf,
    pub(crate) shape: Shape,
    /// Node finds the same file by the bare specifier from a compiled file.
    pub(crate) bare: bool,
}

/// The extensions of the files that are compiled, in the order in which a specifier without one is tried.
const SOURCES: [&str; 8] = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];
const DECLARATIONS: [&str; 3] = [".d.ts", ".d.mts", ".d.cts"];

pub(crate) struct Resolver {
    root: PathBuf,
    /// Compiled files are inside the root, so that they see its `node_modules`.
    sees_root: bool,
    import: Oxc,
    require: Oxc,
    /// As `import`, by the letter: what Node's own `import` finds.
    strict_import: Oxc,
    project_import: Oxc,
    project_require: Oxc,
    known: HashMap<(PathBuf, String, Mode), Target>,
    /// Whether a `.js` file without a package type is a module, by path and length.
    detected: HashMap<(PathBuf, u64), bool>,
    /// What packages export.
    pub(crate) surfaces: Surfaces,
    /// The `package.json` of every package met since the last [`Resolver::refresh`].
    pub(crate) manifests: BTreeSet<PathBuf>,
}

impl Resolver {
    pub(crate) fn new(root: &Path, motia_dir: &Path) -> Self {
        let conditions = |own: &str| ["node", own, "module-sync", "default"].map(str::to_owned).to_vec();
        let strings = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let node = ResolveOptions {
            condition_names: conditions("require"),
            builtin_modules: true,
            module_type: true,
            node_path: false,
            ..ResolveOptions::default()
        };
        let project = ResolveOptions {
            extensions: [&SOURCES[..], &[".json", ".node"], &DECLARATIONS]
                .concat()
                .iter()
                .map(ToString::to_string)
                .collect(),
            extension_alias: vec![
                (".js".to_owned(), strings(&[".ts", ".tsx", ".js", ".jsx", ".d.ts"])),
                (".jsx".to_owned(), strings(&[".tsx", ".jsx"])),
                (".mjs".to_owned(), strings(&[".mts", ".mjs", ".d.mts"])),
                (".cjs".to_owned(), strings(&[".cts", ".cjs", ".d.cts"])),
            ],
            ..node.clone()
        };
        let require = Oxc::new(node.clone());
        let importing =
            |options: &ResolveOptions| ResolveOptions { condition_names: conditions("import"), ..options.clone() };
        let strict = ResolveOptions { extensions: Vec::new(), fully_specified: true, ..importing(&node) };
        Self {
            sees_root: motia_dir.starts_with(root),
            root: root.to_path_buf(),
            // Clones share one cache of the file system.
            import: require.clone_with_options(importing(&node)),
            strict_import: require.clone_with_options(strict),
            project_import: require.clone_with_options(importing(&project)),
            project_require: require.clone_with_options(project),
            require,
            known: HashMap::new(),
            detected: HashMap::new(),
            surfaces: Surfaces::default(),
            manifests: BTreeSet::new(),
        }
    }

    /// Forgets what the file system looked like.
    pub(crate) fn refresh(&mut self) {
        self.require.clear_cache();
        self.known.clear();
        self.manifests.clear();
    }

    pub(crate) fn resolve(&mut self, folder: &Path, config: &TsConfig, specifier: &str, mode: Mode) -> Target {
        let key = (folder.to_path_buf(), specifier.to_owned(), mode);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let target = self.look_up(folder, config, specifier, mode);
        self.known.insert(key, target.clone());
        target
    }

    /// A package whose default export is wanted. One that answers `import` with a module without a default may well answer `require` with
    /// something that is one: the original compiled to `require`, so projects import such packages that way.
    pub(crate) fn with_default(
        &mut self,
        found: Package,
        folder: &Path,
        config: &TsConfig,
        specifier: &str,
    ) -> Package {
        if found.shape != Shape::Esm || self.surfaces.esm(&found.path).contains("default") {
            return found;
        }
        match self.resolve(folder, config, specifier, Mode::Require) {
            // Node's `import` would not find it by its name.
            Target::Package(other) if other.shape == Shape::CommonJs => Package { bare: false, ..other },
            _ => found,
        }
    }

    fn look_up(&mut self, folder: &Path, config: &TsConfig, specifier: &str, mode: Mode) -> Target {
        if let Some(module) = SdkModule::named(specifier) {
            return Target::Sdk(module);
        }
        if let Some(helper) = specifier.strip_prefix(HELPERS) {
            return Target::Helper(helper.trim_start_matches("/helpers/").to_owned());
        }
        if ["node:", "data:"].iter().any(|scheme| specifier.starts_with(scheme)) {
            return Target::Native;
        }
        if ["http:", "https:"].iter().any(|scheme| specifier.starts_with(scheme)) {
            return Target::Missing(Missing::Remote);
        }
        if !is_bare(specifier) {
            return self
                .in_project(folder, specifier, mode)
                .unwrap_or_else(|error| self.missing(folder, config, specifier, &error));
        }
        match self.package(folder, specifier, mode) {
            Err(ResolveError::Builtin { .. }) => Target::Native,
            found => {
                let mapped = config.candidates(specifier).into_iter().find_map(|candidate| {
                    let folder = candidate.parent()?;
                    self.in_project(folder, &candidate.to_string_lossy(), mode).ok()
                });
                mapped.or_else(|| found.clone().ok()).unwrap_or_else(|| {
                    // The first error is about what is installed, which is what the user can change.
                    let found = found.err();
                    self.in_project(folder, specifier, mode).unwrap_or_else(|error| {
                        self.missing(folder, config, specifier, found.as_ref().unwrap_or(&error))
                    })
                })
            }
        }
    }

    fn missing(&self, folder: &Path, config: &TsConfig, specifier: &str, error: &ResolveError) -> Target {
        let is_builtin = |name: &str| matches!(self.require.resolve(folder, name), Err(ResolveError::Builtin { .. }));
        Target::Missing(Missing::of(folder, config, specifier, error, is_builtin))
    }

    /// By Node's rules.
    fn package(&mut self, folder: &Path, specifier: &str, mode: Mode) -> Result<Target, ResolveError> {
        let resolver = match mode {
            Mode::Import => &self.import,
            Mode::Require => &self.require,
        };
        let resolution = resolver.resolve(folder, specifier)?;
        let path = resolution.path().to_path_buf();
        // A package without a manifest of its own does not belong to the project's.
        let manifest = resolution
            .package_json()
            .map(|manifest| manifest.path())
            .filter(|manifest| is_installed(&self.root, manifest));
        let stated = resolution.module_type().filter(|_| manifest.is_some() || !has_extension(&path, "js"));
        let manifest = manifest.map(Path::to_path_buf);
        if !is_installed(&self.root, &path) {
            return Ok(self.local(path));
        }
        self.manifests.extend(manifest);
        let shape = match (stated, path.extension().and_then(|extension| extension.to_str())) {
            (Some(ModuleType::Module), _) => Shape::Esm,
            (Some(ModuleType::Json), _) => Shape::Json,
            (Some(ModuleType::Addon | ModuleType::Wasm), _) => return Ok(Target::Raw(path)),
            (None, Some("js")) if self.detects_module(&path) => Shape::Esm,
            (_, Some("ts" | "tsx" | "mts" | "cts" | "jsx")) => {
                return Ok(Target::Missing(Missing::Broken(format!(
                    "'{specifier}' leads to {}, which Node cannot load: packages in node_modules have to ship JavaScript",
                    path.display()
                ))));
            }
            _ => Shape::CommonJs,
        };
        let bare = self.sees_root && {
            let resolver = match mode {
                // Only below a package does Node's `import` want the whole name of a file.
                Mode::Import if package_name(specifier) != specifier => &self.strict_import,
                Mode::Import => &self.import,
                Mode::Require => &self.require,
            };
            resolver.resolve(&self.root, specifier).is_ok_and(|from_root| from_root.path() == path)
        };
        Ok(Target::Package(Package { path, shape, bare }))
    }

    /// By the rules of a project: TypeScript's extensions, and `.js` for `.ts`.
    fn in_project(&mut self, folder: &Path, specifier: &str, mode: Mode) -> Result<Target, ResolveError> {
        let resolver = match mode {
            Mode::Import => &self.project_import,
            Mode::Require => &self.project_require,
        };
        let path = resolver.resolve(folder, specifier)?.into_path_buf();
        if is_installed(&self.root, &path) {
            // What lies in `node_modules` is Node's to load, but not by the name that led us there.
            return self.package(folder, &path.to_string_lossy(), mode).map(|target| match target {
                Target::Package(package) => Target::Package(Package { bare: false, ..package }),
                other => other,
            });
        }
        Ok(self.local(path))
    }

    fn local(&mut self, path: PathBuf) -> Target {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if DECLARATIONS.iter().any(|extension| name.ends_with(extension)) {
            Target::Types
        } else if is_compiled(&name) {
            Target::File(path)
        } else if name.ends_with(".node") {
            Target::Raw(path)
        } else {
            Target::Missing(Missing::Broken(format!("{} is not a kind of file that can be imported", path.display())))
        }
    }

    /// A `.js` file whose package states no type is a module if it has the syntax of one. Nearly all have not, so the
    /// text is searched before it is parsed.
    fn detects_module(&mut self, path: &Path) -> bool {
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        *self
            .detected
            .entry((path.to_path_buf(), length))
            .or_insert_with(|| fs::read_to_string(path).is_ok_and(|source| surface::has_module_syntax(path, &source)))
    }
}

/// Whether a file of this name becomes a module of a generation. Declaration files do not.
pub(crate) fn is_compiled(name: &str) -> bool {
    let has = |extensions: &[&str]| extensions.iter().any(|extension| name.ends_with(extension));
    (has(&SOURCES) || has(&[".json"])) && !has(&DECLARATIONS)
}

/// Where a file that a relative specifier does not find would have to be.
pub(crate) fn candidates(folder: &Path, specifier: &str) -> Vec<PathBuf> {
    if is_bare(specifier) {
        return Vec::new();
    }
    let path = normalize(&folder.join(specifier));
    // `./x.js` may stand for `x.ts`.
    let stem = path.with_extension("");
    let name = path.to_string_lossy().into_owned();
    let endings = SOURCES.iter().chain([&".json"]);
    let mut found = vec![path.clone()];
    for ending in endings {
        found.push(PathBuf::from(format!("{name}{ending}")));
        found.push(PathBuf::from(format!("{}{ending}", stem.display())));
        found.push(path.join(format!("index{ending}")));
    }
    found
}

/// Neither relative nor absolute nor a file URL.
pub(crate) fn is_bare(specifier: &str) -> bool {
    !(specifier.starts_with('.') || specifier.starts_with('/') || specifier.starts_with("file:"))
}

/// Whether a file is a package's and not the project's own. The project itself may lie in a `node_modules`.
pub(crate) fn is_installed(root: &Path, path: &Path) -> bool {
    path.strip_prefix(root).unwrap_or(path).components().any(|component| component.as_os_str() == "node_modules")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|actual| actual == extension)
}
