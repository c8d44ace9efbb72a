//! Reads the [`Facts`] of a file off its lowered tree.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use oxc::ast::ast::*;
use oxc::ast_visit::{Visit, walk};
use oxc::semantic::{ReferenceId, ScopeFlags, Scoping};
use oxc::span::{GetSpan, Span};

use crate::facts::{Computed, Export, Facts, Format, Import, Imported, Origin, Request, RequestKind};
use crate::loaders::{Loaders, is_global, literal, require_kind};
use crate::lower::{self, Lowered};
use crate::pattern::Pattern;

/// What the file at `path` is and wants.
pub(crate) fn analyze(path: &Path, lowered: &Lowered<'_>) -> Facts {
    let mut reader = Reader::new(&lowered.scoping, Loaders::of(&lowered.program, &lowered.scoping));
    reader.visit_program(&lowered.program);

    let has_module_syntax = reader.has_module_syntax;
    let format = if lower::is_module(path) {
        Format::Esm
    } else if lower::is_commonjs(path) || reader.assigns_exports || !has_module_syntax {
        Format::CommonJs
    } else {
        Format::Esm
    };
    let values: HashSet<&str> = reader.exports.iter().map(|export| export.name.as_str()).collect();
    let type_names: BTreeSet<String> =
        lowered.written_exports.iter().filter(|name| !values.contains(name.as_str())).cloned().collect();
    let passes_require = reader.passes_require();
    Facts {
        format,
        typescript: lowered.typescript,
        top_level_await: reader.top_level_await,
        requests: reader.requests,
        imports: reader.imports,
        exports: reader.exports,
        stars: reader.stars,
        type_names,
        passes_require,
        computed: reader.computed,
    }
}

pub(crate) fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

struct Reader<'s> {
    scoping: &'s Scoping,
    loaders: Loaders,
    /// How many functions the walk is inside of.
    functions: usize,
    /// How many `try` blocks the walk is inside of.
    tries: usize,
    has_module_syntax: bool,
    assigns_exports: bool,
    top_level_await: Option<Range<usize>>,
    requests: Vec<Request>,
    request_ids: HashMap<(String, RequestKind), usize>,
    imports: Vec<Import>,
    import_ids: HashMap<oxc::semantic::SymbolId, usize>,
    exports: Vec<Export>,
    stars: Vec<usize>,
    computed: Vec<Computed>,
    /// Calls of the global `require` with a literal.
    literal_requires: usize,
}

impl<'s> Reader<'s> {
    fn new(scoping: &'s Scoping, loaders: Loaders) -> Self {
        Self {
            scoping,
            loaders,
            functions: 0,
            tries: 0,
            has_module_syntax: false,
            assigns_exports: false,
            top_level_await: None,
            requests: Vec::new(),
            request_ids: HashMap::new(),
            imports: Vec::new(),
            import_ids: HashMap::new(),
            exports: Vec::new(),
            stars: Vec::new(),
            computed: Vec::new(),
            literal_requires: 0,
        }
    }

    fn request(&mut self, specifier: &str, kind: RequestKind, span: Span) -> usize {
        let (lazy, guarded) = (self.functions > 0, self.tries > 0);
        if let Some(&index) = self.request_ids.get(&(specifier.to_owned(), kind)) {
            let known = &mut self.requests[index];
            // The place that is shown is the one that most surely runs.
            if (known.guarded && !guarded) || (known.lazy && !lazy && known.guarded == guarded) {
                known.span = range(span);
            }
            known.lazy &= lazy;
            known.guarded &= guarded;
            return index;
        }
        let index = self.requests.len();
        self.request_ids.insert((specifier.to_owned(), kind), index);
        self.requests.push(Request { specifier: specifier.to_owned(), kind, span: range(span), lazy, guarded });
        index
    }

    fn compute(&mut self, specifier: &Expression<'_>) {
        let pattern = Pattern::of(self.scoping, specifier);
        self.computed.push(Computed { pattern, span: range(specifier.span()) });
    }

    fn passes_require(&self) -> bool {
        let mentioned =
            self.scoping.root_unresolved_references().get("require").map_or(0, |references| references.len());
        mentioned > self.literal_requires
    }

    fn import(&mut self, declaration: &ImportDeclaration<'_>) {
        let request = self.request(&declaration.source.value, RequestKind::Static, declaration.source.span);
        for specifier in declaration.specifiers.iter().flatten() {
            let (imported, local) = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => {
                    (Imported::Name(named.imported.name().to_string()), &named.local)
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(default) => {
                    (Imported::Name("default".to_owned()), &default.local)
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(namespace) => {
                    (Imported::Namespace, &namespace.local)
                }
            };
            if let Some(symbol) = local.symbol_id.get() {
                self.import_ids.insert(symbol, self.imports.len());
            }
            self.imports.push(Import {
                request,
                imported,
                local: local.name.to_string(),
                span: range(specifier.span()),
                only_exported: false,
            });
        }
    }

    /// Exports of names. Imports may stand below the exports of what they bind, so this comes after all of them.
    fn named_exports(&mut self, program: &Program<'_>) {
        let mut exporting: HashMap<usize, HashSet<ReferenceId>> = HashMap::new();
        let mut origin = |local: Option<&IdentifierReference<'_>>| {
            let reference = local.and_then(|local| local.reference_id.get());
            let symbol = reference.and_then(|reference| self.scoping.get_reference(reference).symbol_id());
            match (reference, symbol.and_then(|symbol| self.import_ids.get(&symbol))) {
                (Some(reference), Some(&import)) => {
                    exporting.entry(import).or_default().insert(reference);
                    Origin::Import(import)
                }
                _ => Origin::Local,
            }
        };
        let mut exports = Vec::new();
        for statement in &program.body {
            match statement {
                Statement::ExportNamedDeclaration(declaration) => {
                    for specifier in &declaration.specifiers {
                        let local = match &specifier.local {
                            ModuleExportName::IdentifierReference(local) => Some(local),
                            _ => None,
                        };
                        exports.push((specifier.exported.name().to_string(), origin(local), specifier.span));
                    }
                }
                Statement::ExportDefaultDeclaration(export) => {
                    let local = match &export.declaration {
                        ExportDefaultDeclarationKind::Identifier(local) => Some(&**local),
                        _ => None,
                    };
                    exports.push(("default".to_owned(), origin(local), export.span));
                }
                _ => {}
            }
        }
        for (name, origin, span) in exports {
            self.export(&name, origin, span);
        }
        for (&symbol, &import) in &self.import_ids {
            if let Some(exporting) = exporting.get(&import) {
                let references = self.scoping.get_resolved_reference_ids(symbol);
                self.imports[import].only_exported = references.iter().all(|id| exporting.contains(id));
            }
        }
    }

    fn export(&mut self, name: &str, origin: Origin, span: Span) {
        self.exports.push(Export { name: name.to_owned(), origin, span: range(span) });
    }

    fn in_function(&mut self, visit: impl FnOnce(&mut Self)) {
        self.functions += 1;
        visit(self);
        self.functions -= 1;
    }

    fn awaits(&mut self, span: Span) {
        if self.functions == 0 {
            self.has_module_syntax = true;
            self.top_level_await.get_or_insert_with(|| range(span));
        }
    }

    /// `exports` or `module.exports`.
    fn is_exports(&self, expression: &Expression<'_>) -> bool {
        match expression {
            Expression::Identifier(identifier) => is_global(self.scoping, identifier, "exports"),
            _ => expression.as_member_expression().is_some_and(|member| self.is_module_exports(member)),
        }
    }

    fn is_module_exports(&self, member: &MemberExpression<'_>) -> bool {
        member.static_property_name() == Some("exports")
            && matches!(member.object(), Expression::Identifier(object) if is_global(self.scoping, object, "module"))
    }
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_program(&mut self, program: &Program<'a>) {
        walk::walk_program(self, program);
        self.named_exports(program);
    }

    fn visit_import_declaration(&mut self, declaration: &ImportDeclaration<'a>) {
        self.has_module_syntax = true;
        self.import(declaration);
    }

    fn visit_export_named_declaration(&mut self, _: &ExportNamedDeclaration<'a>) {
        self.has_module_syntax = true;
    }

    fn visit_export_from_declaration(&mut self, declaration: &ExportFromDeclaration<'a>) {
        self.has_module_syntax = true;
        let request = self.request(&declaration.source.value, RequestKind::Static, declaration.source.span);
        for specifier in &declaration.specifiers {
            let imported = Imported::Name(specifier.local.name().to_string());
            let name = specifier.exported.name();
            self.export(name.as_str(), Origin::Request { request, imported }, specifier.span);
        }
    }

    fn visit_export_all_declaration(&mut self, declaration: &ExportAllDeclaration<'a>) {
        self.has_module_syntax = true;
        let request = self.request(&declaration.source.value, RequestKind::Static, declaration.source.span);
        match &declaration.exported {
            Some(name) => {
                let origin = Origin::Request { request, imported: Imported::Namespace };
                self.export(name.name().as_str(), origin, declaration.span);
            }
            None => self.stars.push(request),
        }
    }

    fn visit_export_declaration(&mut self, export: &ExportDeclaration<'a>) {
        self.has_module_syntax = true;
        for name in declared_names(&export.declaration) {
            self.export(&name, Origin::Local, export.span);
        }
        walk::walk_export_declaration(self, export);
    }

    fn visit_export_default_declaration(&mut self, export: &ExportDefaultDeclaration<'a>) {
        self.has_module_syntax = true;
        walk::walk_export_default_declaration(self, export);
    }

    fn visit_import_meta(&mut self, _: &ImportMeta) {
        self.has_module_syntax = true;
    }

    fn visit_await_expression(&mut self, expression: &AwaitExpression<'a>) {
        self.awaits(expression.span);
        walk::walk_await_expression(self, expression);
    }

    fn visit_for_of_statement(&mut self, statement: &ForOfStatement<'a>) {
        if statement.r#await {
            self.awaits(statement.span);
        }
        walk::walk_for_of_statement(self, statement);
    }

    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        self.in_function(|reader| walk::walk_function(reader, function, flags));
    }

    fn visit_arrow_function_expression(&mut self, function: &ArrowFunctionExpression<'a>) {
        self.in_function(|reader| walk::walk_arrow_function_expression(reader, function));
    }

    fn visit_property_definition(&mut self, property: &PropertyDefinition<'a>) {
        if property.r#static {
            walk::walk_property_definition(self, property);
        } else {
            self.in_function(|reader| walk::walk_property_definition(reader, property));
        }
    }

    fn visit_try_statement(&mut self, statement: &TryStatement<'a>) {
        self.tries += 1;
        self.visit_block_statement(&statement.block);
        self.tries -= 1;
        if let Some(handler) = &statement.handler {
            self.visit_catch_clause(handler);
        }
        if let Some(finalizer) = &statement.finalizer {
            self.visit_block_statement(finalizer);
        }
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        match literal(&import.source) {
            Some(specifier) => {
                self.request(specifier, RequestKind::Dynamic, import.source.span());
            }
            None => self.compute(&import.source),
        }
        walk::walk_import_expression(self, import);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Some((kind, specifier)) = self.loaders.call(self.scoping, call) {
            let span = call.arguments.first().map_or(call.span, GetSpan::span);
            self.request(specifier, kind, span);
            let is_global = require_kind(self.scoping, &call.callee) == Some(RequestKind::Require);
            self.literal_requires += usize::from(is_global);
        } else if require_kind(self.scoping, &call.callee).is_some()
            && let Some(specifier) = call.arguments.first().and_then(Argument::as_expression)
            && literal(specifier).is_none()
        {
            self.compute(specifier);
        }
        // `Object.assign(exports, …)` and `Object.defineProperty(exports, …)`.
        if let Some(member) = call.callee.as_member_expression()
            && matches!(member.object(), Expression::Identifier(object) if is_global(self.scoping, object, "Object"))
            && matches!(member.static_property_name(), Some("assign" | "defineProperty" | "defineProperties"))
            && let Some(first) = call.arguments.first().and_then(Argument::as_expression)
        {
            self.assigns_exports |= self.is_exports(first);
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_new_expression(&mut self, new: &NewExpression<'a>) {
        if let Some(path) = self.loaders.thread(self.scoping, new) {
            let span = new.arguments.first().map_or(new.span, GetSpan::span);
            self.request(&path, RequestKind::Thread, span);
        }
        walk::walk_new_expression(self, new);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        if let Some(member) = assignment.left.as_member_expression() {
            self.assigns_exports |= self.is_module_exports(member) || self.is_exports(member.object());
        }
        walk::walk_assignment_expression(self, assignment);
    }
}

/// The names that an exported declaration binds.
pub(crate) fn declared_names(declaration: &Declaration<'_>) -> Vec<String> {
    match declaration {
        Declaration::VariableDeclaration(variables) => {
            let declarators = variables.declarations.iter();
            declarators
                .flat_map(|declarator| declarator.id.get_binding_identifiers())
                .map(|id| id.name.to_string())
                .collect()
        }
        Declaration::FunctionDeclaration(function) => function.id.iter().map(|id| id.name.to_string()).collect(),
        Declaration::ClassDeclaration(class) => class.id.iter().map(|id| id.name.to_string()).collect(),
        _ => Vec::new(),
    }
}
