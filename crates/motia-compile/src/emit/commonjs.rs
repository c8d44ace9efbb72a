//! Output as CommonJS: imports become requires, exports become getters. Both stay live, as they are in ES modules.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oxc::allocator::{Allocator, TakeIn};
use oxc::ast::ast::*;
use oxc::ast_visit::VisitMut;
use oxc::semantic::Scoping;
use oxc::span::{SPAN, SourceType};
use oxc::syntax::identifier::is_identifier_name;

use crate::analyze::declared_names;
use crate::facts::Format;
use crate::links::Links;
use crate::resolve::Shape;
use crate::shim::quote;

use super::Place;
use super::rewrite::{Access, Binding, Rewriter};
use crate::scratch;

pub(super) fn rewrite<'a>(
    allocator: &'a Allocator,
    program: &mut Program<'a>,
    scoping: &Scoping,
    links: &Links,
    place: &Place<'_>,
) {
    let was_module = program.source_type.is_module();
    let rewriter = Rewriter::new(allocator, program, scoping, links, Format::CommonJs, place.source);
    let mut module = Module {
        rewriter,
        modules: BTreeMap::new(),
        exports: Vec::new(),
        requires: String::new(),
        stars: String::new(),
        exports_anything: false,
    };
    module.require_imports(program);
    module.rewriter.visit_program(program);
    module.dissolve(program);

    let head = module.head(place);
    let mut body = scratch::statements(allocator, &head, SourceType::cjs());
    body.append(&mut program.body);
    program.body = body;
    if was_module && !program.directives.iter().any(Directive::is_use_strict) {
        program.directives.insert(0, Directive::new_use_strict(&module.rewriter.ast));
    }
}

struct Module<'a, 'f> {
    rewriter: Rewriter<'a, 'f>,
    /// The variables that hold what was required, by specifier.
    modules: BTreeMap<&'a str, &'a str>,
    /// Exported names, with the code that reads them.
    exports: Vec<(String, String)>,
    requires: String,
    stars: String,
    exports_anything: bool,
}

impl<'a> Module<'a, '_> {
    /// Requires everything that is imported, in the order of the source, and tells the rewriter how to read it.
    fn require_imports(&mut self, program: &Program<'a>) {
        for statement in &program.body {
            match statement {
                Statement::ImportDeclaration(import) => {
                    let Some(module) = self.require(import.source.value.as_str()) else { continue };
                    for specifier in import.specifiers.iter().flatten() {
                        let (local, imported) = match specifier {
                            ImportDeclarationSpecifier::ImportSpecifier(named) => {
                                (&named.local, Some(self.rewriter.string(&named.imported.name())))
                            }
                            ImportDeclarationSpecifier::ImportDefaultSpecifier(default) => {
                                (&default.local, Some("default"))
                            }
                            ImportDeclarationSpecifier::ImportNamespaceSpecifier(namespace) => (&namespace.local, None),
                        };
                        let (access, either_default) = self.access(import.source.value.as_str(), module, imported);
                        if let Some(symbol) = local.symbol_id.get() {
                            self.rewriter.bindings.insert(symbol, Binding { either_default, access: Some(access) });
                        }
                    }
                }
                Statement::ExportFromDeclaration(export) => {
                    self.require(export.source.value.as_str());
                }
                Statement::ExportAllDeclaration(export) => {
                    self.require(export.source.value.as_str());
                }
                _ => {}
            }
        }
    }

    /// The variable that holds a module. `None` if there is nothing of value in it.
    fn require(&mut self, specifier: &'a str) -> Option<&'a str> {
        if let Some(known) = self.modules.get(specifier) {
            return Some(known);
        }
        let link = self.rewriter.links.statics.get(specifier);
        if link.is_some_and(|link| link.omitted) {
            return None;
        }
        let to = link.map_or(specifier, |link| link.to.as_str());
        let module = self.rewriter.names.make("$module");
        let _ = writeln!(self.requires, "const {module} = require({});", quote(to));
        self.modules.insert(specifier, module);
        Some(module)
    }

    fn access(&mut self, specifier: &str, module: &'a str, imported: Option<&'a str>) -> (Access<'a>, bool) {
        let link = self.rewriter.links.statics.get(specifier);
        let shape = link.map_or(Shape::Esm, |link| link.shape);
        let access = match (imported, shape) {
            (Some("default"), Shape::CommonJs) => Access::Default(module),
            (Some("default"), Shape::Json) => Access::Module(module),
            (Some(name), _) => Access::Member(module, name),
            (None, Shape::CommonJs) => Access::Module(self.namespace(module)),
            (None, _) => Access::Module(module),
        };
        (access, link.is_some_and(|link| link.either_default))
    }

    fn namespace(&mut self, module: &str) -> &'a str {
        let helper = self.rewriter.helper("$namespace");
        let namespace = self.rewriter.names.make("$namespaceOf");
        let _ = writeln!(self.requires, "const {namespace} = {helper}({module});");
        namespace
    }

    /// The code that reads an import.
    fn reading(&mut self, access: Access<'a>) -> String {
        match access {
            Access::Module(module) => module.to_owned(),
            Access::Member(module, name) if is_identifier_name(name) => format!("{module}.{name}"),
            Access::Member(module, name) => format!("{module}[{}]", quote(name)),
            Access::Default(module) => format!("{}({module})", self.rewriter.helper("$unwrap")),
        }
    }

    /// Takes the module's own syntax out of the statements.
    fn dissolve(&mut self, program: &mut Program<'a>) {
        for mut statement in program.body.take_in(&self.rewriter.ast) {
            match &mut statement {
                Statement::ImportDeclaration(_) => continue,
                Statement::ExportDeclaration(export) => {
                    for name in declared_names(&export.declaration) {
                        self.export(name.clone(), name);
                    }
                    let declaration = export.declaration.take_in(&self.rewriter.ast);
                    program.body.push(Statement::from(declaration));
                    continue;
                }
                Statement::ExportDefaultDeclaration(export) => {
                    let declaration = export.declaration.take_in(&self.rewriter.ast);
                    program.body.push(self.export_default(declaration));
                    continue;
                }
                Statement::ExportNamedDeclaration(export) => self.export_names(&export.specifiers),
                Statement::ExportFromDeclaration(export) => {
                    self.exports_anything = true;
                    let source = export.source.value.as_str();
                    if let Some(module) = self.require(source) {
                        for specifier in &export.specifiers {
                            let local = self.rewriter.string(&specifier.local.name());
                            let (access, _) = self.access(source, module, Some(local));
                            let reading = self.reading(access);
                            self.export(specifier.exported.name().to_string(), reading);
                        }
                    }
                }
                Statement::ExportAllDeclaration(export) => {
                    self.exports_anything = true;
                    let source = export.source.value.as_str();
                    if let Some(module) = self.require(source) {
                        match &export.exported {
                            Some(name) => {
                                let (access, _) = self.access(source, module, None);
                                let reading = self.reading(access);
                                self.export(name.name().to_string(), reading);
                            }
                            None => self.export_star(module),
                        }
                    }
                }
                _ => {
                    program.body.push(statement);
                    continue;
                }
            }
        }
    }

    fn export(&mut self, name: String, reading: String) {
        self.exports_anything = true;
        self.exports.push((name, reading));
    }

    fn export_names(&mut self, specifiers: &[ExportSpecifier<'a>]) {
        self.exports_anything = true;
        for specifier in specifiers {
            let exported = specifier.exported.name().to_string();
            let access = match &specifier.local {
                ModuleExportName::IdentifierReference(local) => {
                    let symbol =
                        local.reference_id.get().and_then(|id| self.rewriter.scoping.get_reference(id).symbol_id());
                    symbol.and_then(|symbol| self.rewriter.bindings.get(&symbol)).and_then(|binding| binding.access)
                }
                _ => None,
            };
            let reading = match access {
                Some(access) => self.reading(access),
                None => specifier.local.name().to_string(),
            };
            self.export(exported, reading);
        }
    }

    fn export_default(&mut self, declaration: ExportDefaultDeclarationKind<'a>) -> Statement<'a> {
        let mut named = |id: &mut Option<BindingIdentifier<'a>>| {
            let names = &mut self.rewriter.names;
            let ast = &self.rewriter.ast;
            id.get_or_insert_with(|| BindingIdentifier::new(SPAN, names.make("$default$"), ast)).name.to_string()
        };
        match declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(mut function) => {
                let name = named(&mut function.id);
                self.export("default".to_owned(), name);
                Statement::FunctionDeclaration(function)
            }
            ExportDefaultDeclarationKind::ClassDeclaration(mut class) => {
                let name = named(&mut class.id);
                self.export("default".to_owned(), name);
                Statement::ClassDeclaration(class)
            }
            other => {
                let ast = &self.rewriter.ast;
                let name = self.rewriter.names.make("$default$");
                let id = BindingPattern::new_binding_identifier(SPAN, name, ast);
                let value = VariableDeclarator::new(SPAN, id, None, Some(other.into_expression()), false, ast);
                let statement =
                    Statement::new_variable_declaration(SPAN, VariableDeclarationKind::Const, [value], false, ast);
                self.export("default".to_owned(), name.to_owned());
                statement
            }
        }
    }

    /// The names of the other module that this one does not export by itself.
    fn export_star(&mut self, module: &str) {
        let _ = writeln!(
            self.stars,
            "for (const name in {module}) if (name !== \"default\" && !Object.hasOwn(exports, name)) \
             Object.defineProperty(exports, name, {{ enumerable: true, get: () => {module}[name] }});"
        );
    }

    /// Getters first, so that files that require each other in a circle see them; then what the code needs.
    fn head(&mut self, place: &Place<'_>) -> String {
        let mut code = String::new();
        if self.exports_anything {
            code.push_str("Object.defineProperty(exports, \"__esModule\", { value: true });\n");
        }
        for (name, reading) in &self.exports {
            let name = quote(name);
            let _ =
                writeln!(code, "Object.defineProperty(exports, {name}, {{ enumerable: true, get: () => {reading} }});");
        }
        code += &self.rewriter.needs.declare(Format::CommonJs, place);
        code + &self.requires + &self.stars
    }
}
