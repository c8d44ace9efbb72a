//! What `tsconfig.json` says about compiling and resolving.
//!
//! A broken or missing link of an `extends` chain is a warning, and so is a member that is wrong: the rest still counts, since an editor
//! setting must not keep a backend from starting.

mod reading;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::Diagnostic;
use crate::layout::{display_path, normalize};

use self::reading::{Plain, Raw};

/// The settings that change what a file is lowered to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Dialect {
    /// Class fields are defined (as ECMAScript has it) instead of assigned (as older targets of TypeScript have it).
    pub(crate) define_fields: bool,
    pub(crate) experimental_decorators: bool,
    pub(crate) decorator_metadata: bool,
    pub(crate) strict_null_checks: bool,
    pub(crate) jsx: Jsx,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Jsx {
    Automatic { import_source: Option<String> },
    Classic { factory: Option<String>, fragment: Option<String> },
}

impl Default for Dialect {
    fn default() -> Self {
        Options::default().dialect()
    }
}

/// One `tsconfig.json` with all that it extends.
#[derive(Debug, Default)]
pub(crate) struct TsConfig {
    pub(crate) dialect: Dialect,
    paths: IndexMap<String, Vec<PathBuf>>,
    base_url: Option<PathBuf>,
}

impl TsConfig {
    /// All patterns with the paths that they stand for, `*` in both, best first.
    pub(crate) fn aliases(&self) -> Vec<(String, Vec<String>)> {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let mut aliases: Vec<(String, Vec<String>)> =
            self.paths.iter().map(|(pattern, targets)| (pattern.clone(), targets.iter().map(text).collect())).collect();
        aliases.sort_by_key(|(pattern, _)| (pattern.contains('*'), Reverse(pattern.find('*').unwrap_or_default())));
        aliases.extend(self.base_url.as_ref().map(|base| ("*".to_owned(), vec![text(&base.join("*"))])));
        aliases
    }

    /// The files that a bare specifier may stand for, best first.
    pub(crate) fn candidates(&self, specifier: &str) -> Vec<PathBuf> {
        let mut found = self.mapped(specifier);
        found.extend(self.base_url.as_ref().map(|base| base.join(specifier)));
        found
    }

    /// The entry of `paths` that a specifier goes by, with the files that it leads to. One for every specifier does not count.
    pub(crate) fn alias(&self, specifier: &str) -> Option<(String, Vec<PathBuf>)> {
        self.matching(specifier)
            .filter(|(pattern, _)| *pattern != "*")
            .map(|(pattern, files)| (pattern.to_owned(), files))
    }

    fn mapped(&self, specifier: &str) -> Vec<PathBuf> {
        self.matching(specifier).map(|(_, files)| files).unwrap_or_default()
    }

    /// The entry of `paths` that matches: an exact one, else the one with the longest part before `*`.
    fn matching(&self, specifier: &str) -> Option<(&str, Vec<PathBuf>)> {
        if let Some((pattern, targets)) = self.paths.get_key_value(specifier) {
            return Some((pattern, targets.clone()));
        }
        let matching = self.paths.iter().filter_map(|(pattern, targets)| {
            let (prefix, suffix) = pattern.split_once('*')?;
            let matched = specifier.strip_prefix(prefix)?.strip_suffix(suffix)?;
            Some((prefix.len(), pattern, matched, targets))
        });
        let (_, pattern, matched, targets) = matching.max_by_key(|(length, ..)| *length)?;
        let file = |target: &PathBuf| PathBuf::from(target.to_string_lossy().replacen('*', matched, 1));
        Some((pattern, targets.iter().map(file).collect()))
    }
}

/// All configurations met in one compile.
#[derive(Default)]
pub(crate) struct TsConfigs {
    by_folder: HashMap<PathBuf, Arc<TsConfig>>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// Every file read, and those that would have been read had they existed.
    pub(crate) inputs: BTreeSet<PathBuf>,
}

impl TsConfigs {
    /// The configuration that holds for the files of a folder: the nearest one at or above it.
    pub(crate) fn for_folder(&mut self, folder: &Path, root: &Path) -> Arc<TsConfig> {
        if let Some(known) = self.by_folder.get(folder) {
            return Arc::clone(known);
        }
        let config = match self.load(folder, root) {
            Some(config) => Arc::new(config),
            None => match folder.parent() {
                Some(parent) => self.for_folder(parent, root),
                None => Arc::default(),
            },
        };
        self.by_folder.insert(folder.to_path_buf(), Arc::clone(&config));
        config
    }

    fn load(&mut self, folder: &Path, root: &Path) -> Option<TsConfig> {
        let file = ["tsconfig.json", "jsconfig.json"].map(|name| folder.join(name)).into_iter().find(|file| {
            // Only the root's own is worth watching for before it exists.
            if folder == root {
                self.inputs.insert(file.clone());
            }
            file.is_file()
        })?;
        let mut loader = Loader { root, leaf: folder, open: Vec::new(), configs: self };
        let options = loader.read(&file).unwrap_or_default();
        Some(TsConfig {
            dialect: options.dialect(),
            paths: options.paths.unwrap_or_default(),
            base_url: options.base_url,
        })
    }
}

/// Follows `extends`.
struct Loader<'a> {
    root: &'a Path,
    /// What `${configDir}` stands for.
    leaf: &'a Path,
    /// The files being read, to stop at a circle.
    open: Vec<PathBuf>,
    configs: &'a mut TsConfigs,
}

impl Loader<'_> {
    fn read(&mut self, file: &Path) -> Option<Options> {
        self.configs.inputs.insert(file.to_path_buf());
        if self.open.iter().any(|open| open == file) {
            self.warn(file, "this configuration extends itself: the circle is ignored".to_owned());
            return None;
        }
        let raw = reading::read(file, &display_path(self.root, file), &mut self.configs.warnings)?;
        let folder = file.parent().unwrap_or(file);
        let mut options = Options::default();
        self.open.push(file.to_path_buf());
        for base in &raw.extends {
            match find_base(folder, base) {
                Some(base) => options = self.read(&base).unwrap_or_default().over(options),
                None => self
                    .warn(file, format!("this configuration extends '{base}', which does not exist: that is ignored")),
            }
        }
        self.open.pop();
        Some(Options::own(raw, folder, self.leaf).over(options))
    }

    fn warn(&mut self, file: &Path, message: String) {
        self.configs.warnings.push(Diagnostic::new(&display_path(self.root, file), message));
    }
}

/// The file that `extends` names: a path, or a file in a package.
fn find_base(folder: &Path, specifier: &str) -> Option<PathBuf> {
    if specifier.starts_with('.') || Path::new(specifier).is_absolute() {
        return config_file(&normalize(&folder.join(specifier)));
    }
    folder.ancestors().find_map(|ancestor| config_file(&ancestor.join("node_modules").join(specifier)))
}

fn config_file(path: &Path) -> Option<PathBuf> {
    let with_extension = PathBuf::from(format!("{}.json", path.display()));
    [path.to_path_buf(), with_extension, path.join("tsconfig.json")].into_iter().find(|path| path.is_file())
}

/// The options of a file, with its paths made absolute.
#[derive(Debug, Default)]
struct Options {
    paths: Option<IndexMap<String, Vec<PathBuf>>>,
    base_url: Option<PathBuf>,
    plain: Plain,
}

impl Options {
    fn own(raw: Raw, folder: &Path, leaf: &Path) -> Self {
        let absolute = |base: &Path, path: &str| {
            let path = path.replace("${configDir}", &leaf.to_string_lossy());
            normalize(&base.join(path))
        };
        let base_url = raw.base_url.map(|base| absolute(folder, &base));
        let paths = raw.paths.map(|paths| {
            let base = base_url.as_deref().unwrap_or(folder);
            let targets = |targets: Vec<String>| targets.iter().map(|target| absolute(base, target)).collect();
            paths.into_iter().map(|(pattern, list)| (pattern, targets(list))).collect()
        });
        Self { paths, base_url, plain: raw.plain }
    }

    /// These options, and those of `base` where these say nothing.
    fn over(self, base: Self) -> Self {
        let (own, base_plain) = (self.plain, base.plain);
        Self {
            paths: self.paths.or(base.paths),
            base_url: self.base_url.or(base.base_url),
            plain: Plain {
                target: own.target.or(base_plain.target),
                use_define_for_class_fields: own.use_define_for_class_fields.or(base_plain.use_define_for_class_fields),
                experimental_decorators: own.experimental_decorators.or(base_plain.experimental_decorators),
                emit_decorator_metadata: own.emit_decorator_metadata.or(base_plain.emit_decorator_metadata),
                strict: own.strict.or(base_plain.strict),
                strict_null_checks: own.strict_null_checks.or(base_plain.strict_null_checks),
                jsx: own.jsx.or(base_plain.jsx),
                jsx_import_source: own.jsx_import_source.or(base_plain.jsx_import_source),
                jsx_factory: own.jsx_factory.or(base_plain.jsx_factory),
                jsx_fragment_factory: own.jsx_fragment_factory.or(base_plain.jsx_fragment_factory),
            },
        }
    }

    fn dialect(&self) -> Dialect {
        let plain = &self.plain;
        let jsx = if plain.jsx.as_deref().is_some_and(|jsx| jsx.eq_ignore_ascii_case("react")) {
            Jsx::Classic { factory: plain.jsx_factory.clone(), fragment: plain.jsx_fragment_factory.clone() }
        } else {
            Jsx::Automatic { import_source: plain.jsx_import_source.clone() }
        };
        Dialect {
            define_fields: plain.use_define_for_class_fields.unwrap_or_else(|| defines_fields(plain.target.as_deref())),
            experimental_decorators: plain.experimental_decorators.unwrap_or_default(),
            decorator_metadata: plain.emit_decorator_metadata.unwrap_or_default(),
            strict_null_checks: plain.strict_null_checks.or(plain.strict).unwrap_or_default(),
            jsx,
        }
    }
}

/// TypeScript's own rule: fields are defined from ES2022 on, and its default target in the days of 0.x was older.
fn defines_fields(target: Option<&str>) -> bool {
    let target = target.unwrap_or_default().to_ascii_lowercase();
    match target.strip_prefix("es") {
        Some("next") => true,
        Some(year) => year.parse().is_ok_and(|year: u32| year >= 2022),
        None => false,
    }
}
