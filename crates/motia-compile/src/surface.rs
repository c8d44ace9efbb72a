//! What modules that are not compiled export, as far as their text tells.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use oxc::allocator::Allocator;
use oxc::ast::ast::*;
use oxc::ast_visit::{Visit, walk};
use oxc::syntax::module_record::ExportExportName;

use crate::layout::normalize;
use crate::loaders::literal;
use crate::lower;

/// How deep `export * from` and `module.exports = require()` are followed.
const DEPTH: usize = 8;

/// The names already looked up, which is worth keeping: packages are large and seldom change.
#[derive(Default)]
pub(crate) struct Surfaces {
    known: HashMap<(PathBuf, Option<SystemTime>), Arc<BTreeSet<String>>>,
}

impl Surfaces {
    /// The names that an ES module exports. Only relative `export *` are followed; the others are left out.
    pub(crate) fn esm(&mut self, path: &Path) -> Arc<BTreeSet<String>> {
        self.look_up(path, esm_names)
    }

    /// The names that a CommonJS or JSON file exports, as far as its text tells: `exports.x =`,
    /// `module.exports = { x }`, `Object.defineProperty(exports, 'x'` and a relative `module.exports = require()`.
    pub(crate) fn commonjs(&mut self, path: &Path) -> Arc<BTreeSet<String>> {
        self.look_up(path, commonjs_names)
    }

    fn look_up(&mut self, path: &Path, read: fn(&Path) -> BTreeSet<String>) -> Arc<BTreeSet<String>> {
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        Arc::clone(self.known.entry((path.to_path_buf(), modified)).or_insert_with(|| Arc::new(read(path))))
    }
}

/// Whether Node would take a file for a module by its syntax.
pub(crate) fn has_module_syntax(path: &Path, source: &str) -> bool {
    let suspicious = source.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("import") || line.starts_with("export") || line.contains("import.meta")
    });
    suspicious
        && lower::parse(&Allocator::default(), source, path).is_ok_and(|parsed| parsed.module_record.has_module_syntax)
}

fn esm_names(path: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect_esm(path, DEPTH, &mut names);
    names
}

fn collect_esm(path: &Path, depth: usize, names: &mut BTreeSet<String>) {
    let Ok(source) = fs::read_to_string(path) else { return };
    let allocator = Allocator::default();
    let Ok(parsed) = lower::parse(&allocator, &source, path) else { return };
    let record = &parsed.module_record;
    for entry in record.local_export_entries.iter().chain(&record.indirect_export_entries) {
        match &entry.export_name {
            ExportExportName::Name(name) => names.insert(name.name.to_string()),
            ExportExportName::Default(_) => names.insert("default".to_owned()),
            ExportExportName::Null => false,
        };
    }
    for entry in &record.star_export_entries {
        match (&entry.export_name, &entry.module_request) {
            (ExportExportName::Name(name), _) => {
                names.insert(name.name.to_string());
            }
            (_, Some(request)) if depth > 0 && request.name.starts_with('.') => {
                let target = normalize(&path.with_file_name("").join(request.name.as_str()));
                let had_default = names.contains("default");
                collect_esm(&target, depth - 1, names);
                if !had_default {
                    names.remove("default");
                }
            }
            _ => {}
        }
    }
}

fn commonjs_names(path: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect_commonjs(path, DEPTH, &mut names);
    names.remove("default");
    names.remove("__esModule");
    names
}

fn collect_commonjs(path: &Path, depth: usize, names: &mut BTreeSet<String>) {
    if path.extension().is_some_and(|extension| extension == "json") {
        let object = fs::read(path).ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
        names.extend(object.iter().filter_map(|value| value.as_object()).flat_map(|map| map.keys().cloned()));
        return;
    }
    let Ok(source) = fs::read_to_string(path) else { return };
    let allocator = Allocator::default();
    let Ok(parsed) = lower::parse(&allocator, &source, path) else { return };
    let mut finder = ExportFinder::default();
    finder.visit_program(&parsed.program);
    names.append(&mut finder.names);
    for request in finder.whole {
        if depth > 0 && request.starts_with('.') {
            let target = normalize(&path.with_file_name("").join(&request));
            let candidates = ["", ".js", ".cjs", ".json", "/index.js"];
            let file = candidates
                .iter()
                .map(|suffix| format!("{}{suffix}", target.display()))
                .find(|file| Path::new(file).is_file());
            if let Some(file) = file {
                collect_commonjs(Path::new(&file), depth - 1, names);
            }
        }
    }
}

/// Goes by names alone: a package that shadows `exports` costs a name too many, which is harmless.
#[derive(Default)]
struct ExportFinder {
    names: BTreeSet<String>,
    /// What is required as a whole and passed on.
    whole: Vec<String>,
}

impl ExportFinder {
    fn is_exports(expression: &Expression<'_>) -> bool {
        match expression {
            Expression::Identifier(identifier) => identifier.name == "exports",
            _ => expression.as_member_expression().is_some_and(Self::is_module_exports),
        }
    }

    fn is_module_exports(member: &MemberExpression<'_>) -> bool {
        member.static_property_name() == Some("exports")
            && matches!(member.object(), Expression::Identifier(object) if object.name == "module")
    }

    fn whole(&mut self, value: &Expression<'_>) {
        match value {
            Expression::ObjectExpression(object) => {
                for property in &object.properties {
                    match property {
                        ObjectPropertyKind::ObjectProperty(property) => {
                            self.names.extend(property.key.static_name().map(|name| name.to_string()));
                        }
                        ObjectPropertyKind::SpreadProperty(spread) => self.whole(&spread.argument),
                    }
                }
            }
            Expression::CallExpression(call) => {
                if matches!(&call.callee, Expression::Identifier(callee) if callee.name == "require") {
                    let request = call.arguments.first().and_then(Argument::as_expression).and_then(literal);
                    self.whole.extend(request.map(str::to_owned));
                }
            }
            Expression::AssignmentExpression(inner) => self.whole(&inner.right),
            _ => {}
        }
    }
}

impl<'a> Visit<'a> for ExportFinder {
    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        if let Some(member) = assignment.left.as_member_expression() {
            if Self::is_module_exports(member) {
                self.whole(&assignment.right);
            } else if Self::is_exports(member.object()) {
                self.names.extend(member.static_property_name().map(str::to_owned));
            }
        }
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        let arguments: Vec<_> = call.arguments.iter().filter_map(Argument::as_expression).collect();
        let method = call.callee.as_member_expression().and_then(MemberExpression::static_property_name);
        if let (Some(method), [target, rest @ ..]) = (method, arguments.as_slice())
            && Self::is_exports(target)
        {
            match method {
                "defineProperty" => {
                    self.names.extend(rest.first().and_then(|name| literal(name)).map(str::to_owned));
                }
                "assign" => rest.iter().for_each(|value| self.whole(value)),
                _ => {}
            }
        }
        // `__exportStar(require('./x'), exports)`, as TypeScript writes it.
        if let [Expression::CallExpression(_), target] = arguments.as_slice()
            && Self::is_exports(target)
        {
            self.whole(arguments[0]);
        }
        walk::walk_call_expression(self, call);
    }
}
