//! Output as an ES module: statements stay what they are, with other specifiers.

use oxc::allocator::Allocator;
use oxc::ast::ast::*;
use oxc::ast_visit::VisitMut;
use oxc::semantic::Scoping;
use oxc::span::{SPAN, SourceType};

use crate::facts::Format;
use crate::links::{Links, StaticLink};
use crate::resolve::Shape;
use crate::shim::NAMESPACE;

use super::Place;
use super::rewrite::{Binding, Rewriter};
use crate::scratch;

pub(super) fn rewrite<'a>(
    allocator: &'a Allocator,
    program: &mut Program<'a>,
    scoping: &Scoping,
    links: &Links,
    place: &Place<'_>,
) {
    let mut rewriter = Rewriter::new(allocator, program, scoping, links, Format::Esm, place.source);
    bind(&mut rewriter, program);
    rewriter.visit_program(program);
    program.body.retain_mut(|statement| keep(&rewriter, statement));

    let head = rewriter.needs.declare(Format::Esm, place);
    let mut body = scratch::statements(allocator, &head, SourceType::mjs());
    body.append(&mut program.body);
    program.body = body;
}

fn bind(rewriter: &mut Rewriter<'_, '_>, program: &Program<'_>) {
    for statement in &program.body {
        let Statement::ImportDeclaration(import) = statement else { continue };
        let link = rewriter.links.statics.get(import.source.value.as_str());
        if !link.is_some_and(|link| link.either_default) {
            continue;
        }
        for specifier in import.specifiers.iter().flatten() {
            if let Some(symbol) = specifier.local().symbol_id.get() {
                rewriter.bindings.insert(symbol, Binding { either_default: true, access: None });
            }
        }
    }
}

/// Rewrites a statement of the module's own syntax. False if nothing is left of it.
fn keep<'a>(rewriter: &Rewriter<'a, '_>, statement: &mut Statement<'a>) -> bool {
    let links = rewriter.links;
    match statement {
        Statement::ImportDeclaration(import) => {
            let Some(link) = links.statics.get(import.source.value.as_str()) else { return true };
            let import = &mut **import;
            point(rewriter, &mut import.source, &mut import.with_clause, link);
            let Some(specifiers) = &mut import.specifiers else { return !link.omitted };
            specifiers.retain(|specifier| !links.dropped_imports.contains(specifier.local().name.as_str()));
            if link.shim {
                for specifier in specifiers.iter_mut() {
                    import_whole(rewriter, specifier);
                }
            }
            !specifiers.is_empty() && !link.omitted
        }
        Statement::ExportFromDeclaration(export) => {
            let Some(link) = links.statics.get(export.source.value.as_str()) else { return true };
            let export = &mut **export;
            point(rewriter, &mut export.source, &mut export.with_clause, link);
            let had_names = !export.specifiers.is_empty();
            export.specifiers.retain(|specifier| !links.dropped_exports.contains(specifier.exported.name().as_str()));
            (!export.specifiers.is_empty() || !had_names) && !link.omitted
        }
        Statement::ExportAllDeclaration(export) => {
            let specifier = export.source.value.as_str();
            let Some(link) = links.statics.get(specifier) else { return true };
            let star = links.stars.get(specifier).filter(|_| export.exported.is_none());
            let export = &mut **export;
            point(rewriter, &mut export.source, &mut export.with_clause, link);
            if let Some(star) = star {
                export.source.value = rewriter.string(star).into();
            }
            if link.shim
                && let Some(name) = export.exported.take()
            {
                *statement = export_whole(rewriter, name, &export.source);
            }
            !link.omitted
        }
        Statement::ExportDefaultDeclaration(_) => !links.dropped_exports.contains("default"),
        Statement::ExportNamedDeclaration(export) => {
            let had_names = !export.specifiers.is_empty();
            export.specifiers.retain(|specifier| !links.dropped_exports.contains(specifier.exported.name().as_str()));
            !export.specifiers.is_empty() || !had_names
        }
        _ => true,
    }
}

fn point<'a>(
    rewriter: &Rewriter<'a, '_>,
    source: &mut StringLiteral<'a>,
    attributes: &mut Option<oxc::allocator::ArenaBox<'a, WithClause<'a>>>,
    link: &StaticLink,
) {
    source.value = rewriter.string(&link.to).into();
    source.raw = None;
    // Attributes are about the file that the user named: JSON, which is a module by now.
    if link.shim || link.shape == Shape::Json {
        *attributes = None;
    }
}

/// `* as ns` of a shim is a name that it exports.
fn import_whole<'a>(rewriter: &Rewriter<'a, '_>, specifier: &mut ImportDeclarationSpecifier<'a>) {
    let ImportDeclarationSpecifier::ImportNamespaceSpecifier(namespace) = specifier else { return };
    let ast = &rewriter.ast;
    let local = BindingIdentifier::new(namespace.local.span, namespace.local.name, ast);
    let name = ModuleExportName::new_string_literal(SPAN, NAMESPACE, None, ast);
    *specifier =
        ImportDeclarationSpecifier::new_import_specifier(namespace.span, name, local, ImportOrExportKind::Value, ast);
}

fn export_whole<'a>(
    rewriter: &Rewriter<'a, '_>,
    name: ModuleExportName<'a>,
    source: &StringLiteral<'a>,
) -> Statement<'a> {
    let ast = &rewriter.ast;
    let whole = ModuleExportName::new_string_literal(SPAN, NAMESPACE, None, ast);
    let specifier = ExportSpecifier::new(SPAN, whole, name, ImportOrExportKind::Value, ast);
    let source = StringLiteral::new(SPAN, source.value, None, ast);
    Statement::new_export_from_declaration(SPAN, [specifier], source, ImportOrExportKind::Value, None, ast)
}
