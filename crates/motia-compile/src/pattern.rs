//! What a specifier that is computed may stand for: `import(`./plugins/${name}.js`)` may be any file of that folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use oxc::ast::ast::*;
use oxc::semantic::Scoping;
use oxc::syntax::operator::BinaryOperator;

use crate::layout::normalize;
use crate::loaders::{called, is_global};
use crate::resolve::{is_bare, is_compiled};
use crate::tsconfig::TsConfig;

/// Stands for the parts of a specifier that are only known when it runs.
const HOLE: char = '\0';

/// More files than this are not compiled for the sake of one `import()` that may or may not ask for them.
pub(crate) const MOST: usize = 1000;

/// Folders that hold nothing which a project imports. Those whose name begins with a dot are skipped too.
const SKIPPED: [&str; 3] = ["node_modules", "python_modules", "__pycache__"];
/// The same, where nothing is known of the path but that it is one of the package's.
const SKIPPED_IN_PACKAGES: [&str; 6] = ["dist", "coverage", "test", "tests", "__tests__", "__mocks__"];

/// The text of a computed specifier, with holes. The file's own folder is `.` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

/// Files that a [`Pattern`] may mean in one file of the project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Glob {
    /// What the path begins with, the folders of it absolute.
    prefix: String,
    /// What it ends with: the extension may be left out, as in any specifier.
    suffix: String,
    /// Nothing is known of the path: any code of the package may be meant.
    any: bool,
}

impl Pattern {
    pub(crate) fn of(scoping: &Scoping, specifier: &Expression<'_>) -> Self {
        let mut text = String::new();
        write(scoping, specifier, &mut text);
        Self(text)
    }

    /// What the pattern means in the file at `path`.
    pub(crate) fn globs(&self, path: &Path, root: &Path, config: &TsConfig) -> Vec<Glob> {
        let text = self.0.strip_prefix("file://").unwrap_or(&self.0);
        let folder = path.parent().unwrap_or(path);
        if text.starts_with(HOLE) || text.is_empty() {
            let folder = package_folder(path, root);
            return vec![Glob { prefix: format!("{}/", folder.display()), suffix: String::new(), any: true }];
        }
        if !is_bare(text) {
            return vec![Glob::new(folder, text)];
        }
        config.candidates(text).iter().map(|candidate| Glob::new(folder, &candidate.to_string_lossy())).collect()
    }
}

impl Glob {
    fn new(folder: &Path, text: &str) -> Self {
        let (head, _) = text.split_once(HOLE).unwrap_or((text, ""));
        let (_, suffix) = text.rsplit_once(HOLE).unwrap_or(("", ""));
        let (folders, name) = head.rsplit_once('/').unwrap_or((head, ""));
        let folders = normalize(&folder.join(if folders.is_empty() { "/" } else { folders }));
        let prefix = format!("{}/{name}", folders.to_string_lossy().trim_end_matches('/'));
        Self { prefix, suffix: suffix.to_owned(), any: false }
    }

    /// Whether the file at `path` is among what may be meant, should it exist.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        let Some(inside) = path.strip_prefix(self.folder()) else { return false };
        let name = inside.rsplit('/').next().unwrap_or(inside);
        let mut folders = inside.split('/').rev().skip(1);
        if !is_compiled(name) || folders.any(|folder| self.skips(folder)) {
            return false;
        }
        if self.any {
            return !name.ends_with(".json") && !name.contains(".test.") && !name.contains(".spec.");
        }
        let (stem, extension) = path.rsplit_once('.').unwrap_or((&path, ""));
        let mut names = vec![path.to_string(), stem.to_owned()];
        if extension != "json" {
            names.extend(["js", "jsx", "mjs", "cjs"].map(|extension| format!("{stem}.{extension}")));
        }
        if let Some(folder) = stem.strip_suffix("/index") {
            names.push(folder.to_owned());
        }
        let fits = |name: &String| {
            name.len() >= self.prefix.len() + self.suffix.len()
                && name.starts_with(&self.prefix)
                && name.ends_with(&self.suffix)
        };
        names.iter().any(fits)
    }

    /// The files that are there, in the order of their names, and whether there are more than are told.
    pub(crate) fn files(&self) -> (Vec<PathBuf>, bool) {
        let mut found = BTreeSet::new();
        let mut folders = vec![PathBuf::from(self.folder())];
        while let Some(folder) = folders.pop() {
            let mut entries: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                match entry.file_type() {
                    // Links to folders may lead back.
                    Ok(kind) if kind.is_dir() && self.skips(&entry.file_name().to_string_lossy()) => {}
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(_) if self.matches(&path) && path.is_file() => {
                        if found.len() == MOST {
                            return (found.into_iter().collect(), true);
                        }
                        found.extend(fs::canonicalize(path));
                    }
                    _ => {}
                }
            }
        }
        (found.into_iter().collect(), false)
    }

    /// The folder that all of it lies in, with a slash at its end.
    fn folder(&self) -> &str {
        self.prefix.rfind('/').map_or("/", |end| &self.prefix[..=end])
    }

    fn skips(&self, folder: &str) -> bool {
        let in_packages = self.any && SKIPPED_IN_PACKAGES.contains(&folder);
        folder.starts_with('.') || SKIPPED.contains(&folder) || in_packages
    }
}

/// The folder of the package that a file belongs to.
fn package_folder<'p>(path: &'p Path, root: &'p Path) -> &'p Path {
    let own = path.parent().unwrap_or(path);
    let fallback = if path.starts_with(root) { root } else { own };
    own.ancestors().find(|folder| *folder == root || folder.join("package.json").is_file()).unwrap_or(fallback)
}

/// Appends what is known of a specifier.
fn write(scoping: &Scoping, expression: &Expression<'_>, text: &mut String) {
    match expression {
        Expression::StringLiteral(string) => text.push_str(&string.value),
        Expression::TemplateLiteral(template) => {
            for (index, quasi) in template.quasis.iter().enumerate() {
                text.push_str(quasi.value.cooked.as_deref().unwrap_or("\0"));
                if let Some(expression) = template.expressions.get(index) {
                    write(scoping, expression, text);
                }
            }
        }
        Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => {
            write(scoping, &sum.left, text);
            write(scoping, &sum.right, text);
        }
        Expression::Identifier(identifier) if is_global(scoping, identifier, "__dirname") => text.push('.'),
        Expression::StaticMemberExpression(member) => match (&member.object, member.property.name.as_str()) {
            (Expression::ImportMeta(_), "dirname") => text.push('.'),
            (object, "href" | "pathname") => write(scoping, object, text),
            _ => text.push(HOLE),
        },
        Expression::CallExpression(call) => write_call(scoping, call, text),
        // `new URL('./x', import.meta.url)`
        Expression::NewExpression(new) => match new.arguments.first().and_then(Argument::as_expression) {
            Some(first) if called(&new.callee) == Some("URL") => write(scoping, first, text),
            _ => text.push(HOLE),
        },
        _ => text.push(HOLE),
    }
}

/// `path.join(__dirname, 'plugins', name)` and `pathToFileURL(…)`. Only what follows the file's folder is worth knowing, so the
/// names of the functions are enough.
fn write_call(scoping: &Scoping, call: &CallExpression<'_>, text: &mut String) {
    let arguments = call.arguments.iter().map(Argument::as_expression);
    match called(&call.callee) {
        Some("join" | "resolve") => {
            for (index, argument) in arguments.enumerate() {
                if index > 0 {
                    text.push('/');
                }
                match argument {
                    Some(argument) => write(scoping, argument, text),
                    None => text.push(HOLE),
                }
            }
        }
        Some("pathToFileURL" | "fileURLToPath" | "String") => match arguments.flatten().next() {
            Some(argument) => write(scoping, argument, text),
            None => text.push(HOLE),
        },
        _ => text.push(HOLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        let [glob] =
            &Pattern(text.to_owned()).globs(Path::new("/p/steps/a.ts"), Path::new("/p"), &TsConfig::default())[..]
        else {
            panic!("one glob");
        };
        glob.clone()
    }

    #[test]
    fn a_pattern_means_the_files_that_its_specifiers_can_name() {
        let plugins = glob("../plugins/p-\0.js");
        for path in ["/p/plugins/p-a.ts", "/p/plugins/p-a.js", "/p/plugins/p-deep/a.tsx"] {
            assert!(plugins.matches(Path::new(path)), "{path}");
        }
        for path in [
            "/p/plugins/a.ts",
            "/p/plugins/p-a.json",
            "/p/plugins/p-a.d.ts",
            "/p/other/p-a.ts",
            "/p/plugins/p-x/node_modules/b.js",
        ] {
            assert!(!plugins.matches(Path::new(path)), "{path}");
        }
        let without = glob("./\0");
        assert!(without.matches(Path::new("/p/steps/x/index.ts")));
        assert!(without.matches(Path::new("/p/steps/data.json")));
        let locale = glob("./locales/\0.json");
        assert!(locale.matches(Path::new("/p/steps/locales/de.json")));
        assert!(!locale.matches(Path::new("/p/steps/locales/de.ts")));
    }

    #[test]
    fn nothing_known_means_the_code_of_the_package() {
        let any = glob("\0");
        assert!(any.matches(Path::new("/p/lib/a.ts")));
        for path in [
            "/p/data.json",
            "/p/lib/a.test.ts",
            "/p/tests/a.ts",
            "/p/dist/a.js",
            "/p/.cache/a.js",
            "/q/a.js",
            "/p/node_modules/a/a.js",
        ] {
            assert!(!any.matches(Path::new(path)), "{path}");
        }
    }
}
