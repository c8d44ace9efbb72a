//! From source text to a syntax tree without types.

mod decorators;
mod enums;
mod namespaces;

use std::collections::BTreeSet;
use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::ast::{Decorator, Program};
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::Visit;
use oxc::diagnostics::{Diagnostics, OxcDiagnostic};
use oxc::parser::{ParseOptions, Parser, ParserReturn};
use oxc::semantic::{Scoping, SemanticBuilder};
use oxc::span::{SourceType, Span};
use oxc::syntax::module_record::ExportExportName;
use oxc::transformer::{
    CompilerAssumptions, DecoratorOptions, EnvOptions, HelperLoaderMode, HelperLoaderOptions, JsxOptions, JsxRuntime,
    TransformOptions, Transformer, TypeScriptOptions,
};

use crate::nesting::{MOST_NESTED, too_deep};
use crate::tsconfig::{Dialect, Jsx};

/// Where the lowering thinks its run-time helpers come from. No package can have this name.
pub(crate) const HELPERS: &str = "motia:helpers";

/// A file as plain JavaScript.
pub(crate) struct Lowered<'a> {
    pub(crate) program: Program<'a>,
    /// In step with the tree.
    pub(crate) scoping: Scoping,
    pub(crate) typescript: bool,
    /// Every name that the source exports, types among them.
    pub(crate) written_exports: BTreeSet<String>,
}

/// Parses and lowers a file. All that is wrong with it comes back at once.
pub(crate) fn lower<'a>(
    allocator: &'a Allocator,
    source: &'a str,
    path: &Path,
    dialect: &Dialect,
) -> Result<Lowered<'a>, Diagnostics> {
    let parsed = parse(allocator, source, path)?;
    let written_exports = written_exports(&parsed);
    let mut program = parsed.program;
    let typescript = program.source_type.is_typescript();
    let ast = AstBuilder::new(allocator);
    if typescript {
        enums::define_declared(&ast, &mut program);
    }
    if !dialect.experimental_decorators {
        refuse_decorators(&program, typescript)?;
    }

    let checked = SemanticBuilder::new_compiler().with_check_syntax_error(true).with_enum_eval(true).build(&program);
    if checked.diagnostics.has_errors() {
        return Err(checked.diagnostics);
    }
    let mut scoping = checked.semantic.into_scoping();
    let qualified = typescript && namespaces::qualify(allocator, &mut program, &scoping)?;
    let arranged = decorators::arrange(&ast, &mut program, dialect)?;
    if qualified || arranged.changed {
        scoping = SemanticBuilder::new_compiler().with_enum_eval(true).build(&program).semantic.into_scoping();
    }
    if typescript && dialect.decorator_metadata {
        decorators::aliases::resolve(allocator, &mut program, &scoping);
    }
    let transformer = Transformer::new(allocator, path, &options(dialect)).build_with_scoping(scoping, &mut program);
    // What it merely warns of is lowered to something else than was written.
    if !transformer.diagnostics.is_empty() {
        return Err(transformer.diagnostics.into_iter().map(plainer).collect());
    }
    if arranged.unfinished {
        decorators::finish(&ast, &mut program);
    }
    // The transformer lets its symbols drift from the tree. What TypeScript allows twice, JavaScript may not.
    let checked = SemanticBuilder::new_compiler().with_check_syntax_error(typescript).build(&program);
    if checked.diagnostics.has_errors() {
        return Err(checked.diagnostics);
    }
    let scoping = checked.semantic.into_scoping();
    Ok(Lowered { program, scoping, typescript, written_exports })
}

/// Parses by the rules of the file's extension. A file that may be either format is a module if it has the syntax of
/// one. If it is neither as a script nor as a module right, what is wrong with the script is told.
pub(crate) fn parse<'a>(
    allocator: &'a Allocator,
    source: &'a str,
    path: &Path,
) -> Result<ParserReturn<'a>, Diagnostics> {
    if let Some(at) = too_deep(source) {
        return Err(OxcDiagnostic::error(format!("more than {MOST_NESTED} brackets are open here"))
            .with_help(
                "Node cannot load code that is nested so deeply: keep such data in a JSON file, or build it in a loop",
            )
            .with_label(Span::new(at, at + 1))
            .into());
    }
    let stated = SourceType::from_path(path).unwrap_or_default();
    let first = parse_as(allocator, source, if is_module(path) { stated } else { stated.with_unambiguous(true) });
    if !first.panicked && first.diagnostics.is_empty() {
        return Ok(first);
    }
    // `return` outside a function is for CommonJS, `await` outside one for modules.
    let others = [stated.with_commonjs(true), stated.with_module(true)];
    let right = others.into_iter().filter(|_| !is_module(path)).map(|kind| parse_as(allocator, source, kind));
    right.into_iter().find(|parsed| !parsed.panicked && parsed.diagnostics.is_empty()).ok_or(first.diagnostics)
}

fn parse_as<'a>(allocator: &'a Allocator, source: &'a str, kind: SourceType) -> ParserReturn<'a> {
    // Without parentheses in the tree the passes need not look through them.
    let options = ParseOptions { preserve_parens: false, ..ParseOptions::default() };
    Parser::new(allocator, source, kind).with_options(options).parse()
}

/// Whether the name says that the file is a module.
pub(crate) fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "mjs" || extension == "mts")
}

/// Whether the name says that the file is CommonJS.
pub(crate) fn is_commonjs(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "cjs" || extension == "cts")
}

fn written_exports(parsed: &ParserReturn<'_>) -> BTreeSet<String> {
    let record = &parsed.module_record;
    let entries = record.local_export_entries.iter().chain(&record.indirect_export_entries);
    entries
        .filter_map(|entry| match &entry.export_name {
            ExportExportName::Name(name) => Some(name.name.to_string()),
            ExportExportName::Default(_) => Some("default".to_owned()),
            ExportExportName::Null => None,
        })
        .collect()
}

/// Decorators are those of the proposal unless the configuration asks for TypeScript's own older ones. Neither Node nor the lowering
/// knows the former, and to take them for the latter would call them with other arguments.
fn refuse_decorators(program: &Program<'_>, typescript: bool) -> Result<(), Diagnostics> {
    #[derive(Default)]
    struct First(Option<Span>);
    impl<'a> Visit<'a> for First {
        fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
            self.0.get_or_insert(decorator.span);
        }
    }
    if !program.source_text.contains('@') {
        return Ok(());
    }
    let config = if typescript { "tsconfig.json" } else { "tsconfig.json or jsconfig.json" };
    let mut first = First::default();
    first.visit_program(program);
    match first.0 {
        Some(span) => Err(OxcDiagnostic::error("decorators of the ECMAScript proposal are not supported")
            .with_help(format!(
                "set \"experimentalDecorators\": true in the compilerOptions of {config} to use TypeScript's decorators"
            ))
            .with_label(span)
            .into()),
        None => Ok(()),
    }
}

/// Says what the lowering cannot do without naming the lowering.
fn plainer(error: OxcDiagnostic) -> OxcDiagnostic {
    if !error.message.starts_with("Namespaces exporting non-const") {
        return error;
    }
    OxcDiagnostic::error("a namespace cannot export what is not constant")
        .with_help("declare it with const, or make the namespace a module of its own")
        .with_labels(error.labels.clone())
}

fn options(dialect: &Dialect) -> TransformOptions {
    let mut env = EnvOptions::default();
    // `using` is the one piece of settled syntax that Node 20 and 22 do not know.
    env.es2026.explicit_resource_management = true;
    TransformOptions {
        assumptions: CompilerAssumptions {
            set_public_class_fields: !dialect.define_fields,
            ..CompilerAssumptions::default()
        },
        typescript: TypeScriptOptions {
            remove_class_fields_without_initializer: !dialect.define_fields,
            // They may be used above the line that declares them.
            optimize_const_enums: true,
            ..TypeScriptOptions::default()
        },
        decorator: DecoratorOptions {
            legacy: true,
            emit_decorator_metadata: dialect.decorator_metadata,
            strict_null_checks: dialect.strict_null_checks,
        },
        jsx: jsx(&dialect.jsx),
        env,
        helper_loader: HelperLoaderOptions { module_name: HELPERS.into(), mode: HelperLoaderMode::Runtime },
        ..TransformOptions::default()
    }
}

fn jsx(jsx: &Jsx) -> JsxOptions {
    let base = JsxOptions { pure: false, display_name_plugin: false, ..JsxOptions::enable() };
    match jsx {
        Jsx::Automatic { import_source } => {
            JsxOptions { runtime: JsxRuntime::Automatic, import_source: import_source.clone(), ..base }
        }
        Jsx::Classic { factory, fragment } => {
            JsxOptions { runtime: JsxRuntime::Classic, pragma: factory.clone(), pragma_frag: fragment.clone(), ..base }
        }
    }
}
