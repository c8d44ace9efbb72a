//! Enums that are only declared.
//!
//! TypeScript writes the values of `declare const enum` where they are used, in every file, and makes nothing of the declaration. Other
//! files cannot see the values here, so the declaration becomes an enum like any other, with the values that it states.

use oxc::allocator::{ArenaVec, TakeIn};
use oxc::ast::ast::*;
use oxc::ast::builder::AstBuilder;
use oxc::span::SPAN;

/// Gives every `declare const enum` its values.
pub(super) fn define_declared<'a>(ast: &AstBuilder<'a>, program: &mut Program<'a>) {
    if program.source_text.contains("declare") && program.source_text.contains("const enum") {
        define(ast, &mut program.body, false);
    }
}

/// `ambient` if the statements stand in a `declare namespace`, which exports all of them.
fn define<'a>(ast: &AstBuilder<'a>, statements: &mut ArenaVec<'a, Statement<'a>>, ambient: bool) {
    for statement in statements {
        match statement {
            Statement::ExportDeclaration(export) => define_in(ast, &mut export.declaration, ambient),
            _ => {
                let Some(declaration) = statement.as_declaration_mut() else { continue };
                define_in(ast, declaration, ambient);
                if ambient {
                    let declaration = declaration.take_in(ast);
                    *statement = Statement::new_export_declaration(SPAN, declaration, ast);
                }
            }
        }
    }
}

fn define_in<'a>(ast: &AstBuilder<'a>, declaration: &mut Declaration<'a>, ambient: bool) {
    match declaration {
        Declaration::TSEnumDeclaration(it) if it.r#const => it.declare = false,
        Declaration::TSNamespaceDeclaration(namespace) => define_in_namespace(ast, namespace, ambient),
        _ => {}
    }
}

fn define_in_namespace<'a>(ast: &AstBuilder<'a>, namespace: &mut TSNamespaceDeclaration<'a>, ambient: bool) {
    let ambient = ambient || namespace.declare;
    if ambient && !is_plain(namespace) {
        return;
    }
    namespace.declare = false;
    match &mut namespace.body {
        TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => define_in_namespace(ast, inner, ambient),
        TSNamespaceDeclarationBody::TSModuleBlock(block) => define(ast, &mut block.body, ambient),
    }
}

/// Whether a namespace that is only declared consists of constant enums and types: nothing else makes it when it runs.
fn is_plain(namespace: &TSNamespaceDeclaration<'_>) -> bool {
    let fits = |declaration: &Declaration<'_>| match declaration {
        Declaration::TSEnumDeclaration(it) => it.r#const,
        Declaration::TSNamespaceDeclaration(inner) => is_plain(inner),
        Declaration::TSTypeAliasDeclaration(_) | Declaration::TSInterfaceDeclaration(_) => true,
        _ => false,
    };
    match &namespace.body {
        TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => is_plain(inner),
        TSNamespaceDeclarationBody::TSModuleBlock(block) => block.body.iter().all(|statement| match statement {
            Statement::ExportDeclaration(export) => fits(&export.declaration),
            _ => statement.as_declaration().is_some_and(fits),
        }),
    }
}
