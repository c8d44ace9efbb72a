//! The walk over a file that has namespaces.

use oxc::allocator::{ArenaBox, ArenaVec, ReplaceWith, TakeIn};
use oxc::ast::ast::*;
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::semantic::SymbolFlags;
use oxc::span::{SPAN, SourceType};

use crate::scratch;

use super::merged::namespace;
use super::{Block, Object, Open, Qualifier, Target};

impl<'a> VisitMut<'a> for Qualifier<'a, '_> {
    fn visit_statements(&mut self, statements: &mut ArenaVec<'a, Statement<'a>>) {
        let special = |statement: &Statement<'a>| namespace(statement).is_some() || exported_enum(statement).is_some();
        if !statements.iter().any(special) {
            return walk_mut::walk_statements(self, statements);
        }
        let mut out = ArenaVec::with_capacity_in(statements.len(), &self.ast);
        for mut statement in statements.take_in(&self.ast) {
            // It says nothing that could run, and the lowering would take it for the block that makes the namespace.
            if self.is_superseded(&statement) {
                self.changed = true;
                continue;
            }
            if self.continues_enum(&statement) {
                self.changed = true;
                let name = exported_enum(&statement).map_or_else(Ident::empty, |it| it.id.name);
                // A namespace of that name gets hold of what the other blocks made, and the enum joins it.
                let code = format!("export namespace {name} {{ 0 }}");
                out.append(&mut scratch::statements(self.allocator, &code, SourceType::ts()));
            }
            self.visit_statement(&mut statement);
            out.extend(self.getters.drain(..));
            out.push(statement);
        }
        *statements = out;
    }

    fn visit_ts_namespace_declaration(&mut self, declaration: &mut TSNamespaceDeclaration<'a>) {
        let (Some(scope), Some(symbol)) = (declaration.scope_id.get(), declaration.id.symbol_id.get()) else { return };
        let Some(space) = self.merged.space(scope).filter(|_| !declaration.declare) else { return };
        let name = declaration.id.name;
        self.unfold(&mut declaration.body);
        self.open.push(Open::Namespace(Block { scope, space, name, symbol, getter: None }));
        self.visit_ts_namespace_declaration_body(&mut declaration.body);
        if let Some(Open::Namespace(Block { getter: Some(getter), .. })) = self.open.pop() {
            let getter = self.getter(getter, &name);
            self.getters.push(getter);
        }
    }

    fn visit_ts_enum_declaration(&mut self, declaration: &mut TSEnumDeclaration<'a>) {
        let Some(symbol) = declaration.id.symbol_id.get().filter(|_| !declaration.declare) else { return };
        let name = declaration.id.name;
        let mut others = Vec::new();
        if let Some(Open::Namespace(block)) = self.open.last() {
            let exports = self.merged.exports(block.space, &name).iter();
            let elsewhere = exports.filter(|exported| exported.is_enum && exported.symbol != symbol);
            others.extend(elsewhere.map(|exported| exported.symbol));
        }
        // Constant ones merge with nothing.
        declaration.r#const &= others.is_empty();
        self.open.push(Open::Enum { name, symbol, others });
        walk_mut::walk_ts_enum_declaration(self, declaration);
        self.open.pop();
    }

    // Nothing in them runs.
    fn visit_ts_global_declaration(&mut self, _: &mut TSGlobalDeclaration<'a>) {}
    fn visit_ts_external_module_declaration(&mut self, _: &mut TSExternalModuleDeclaration<'a>) {}

    fn visit_expression(&mut self, expression: &mut Expression<'a>) {
        let Expression::Identifier(identifier) = expression else {
            return walk_mut::walk_expression(self, expression);
        };
        if let Some(Target::EnumMember { text: Some(text), .. }) = self.target(identifier, |it| it.is_value) {
            self.changed = true;
            let text = self.allocator.alloc_str(&text);
            *expression = Expression::new_string_literal(identifier.span, text, None, &self.ast);
        } else if let Some(member) = self.member(identifier) {
            *expression = Expression::StaticMemberExpression(member);
        }
    }

    fn visit_simple_assignment_target(&mut self, target: &mut SimpleAssignmentTarget<'a>) {
        match target {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(identifier) => {
                if let Some(member) = self.member(identifier) {
                    *target = SimpleAssignmentTarget::StaticMemberExpression(member);
                }
            }
            _ => walk_mut::walk_simple_assignment_target(self, target),
        }
    }

    fn visit_assignment_target_property(&mut self, property: &mut AssignmentTargetProperty<'a>) {
        walk_mut::walk_assignment_target_property(self, property);
        let AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(shorthand) = property else { return };
        let Some(member) = self.member(&shorthand.binding) else { return };
        let span = shorthand.span;
        let key = PropertyKey::new_static_identifier(shorthand.binding.span, shorthand.binding.name, &self.ast);
        let target = AssignmentTarget::StaticMemberExpression(member);
        let binding = match shorthand.init.take() {
            Some(default) => {
                AssignmentTargetMaybeDefault::new_assignment_target_with_default(span, target, default, &self.ast)
            }
            None => AssignmentTargetMaybeDefault::from(target),
        };
        *property =
            AssignmentTargetProperty::new_assignment_target_property_property(span, key, binding, false, &self.ast);
    }

    fn visit_object_property(&mut self, property: &mut ObjectProperty<'a>) {
        walk_mut::walk_object_property(self, property);
        property.shorthand &= matches!(property.value, Expression::Identifier(_));
    }

    fn visit_ts_type_name(&mut self, type_name: &mut TSTypeName<'a>) {
        let TSTypeName::IdentifierReference(identifier) = type_name else {
            return walk_mut::walk_ts_type_name(self, type_name);
        };
        // Metadata of decorators is made of types.
        if let Some(Target::Member { open }) = self.target(identifier, |it| it.is_type && it.is_value)
            && let Some(Object::Name(name)) = self.object(open, identifier)
        {
            let span = identifier.span;
            let left = TSTypeName::new_identifier_reference(span, name, &self.ast);
            let right = IdentifierName::new(span, identifier.name, &self.ast);
            *type_name = TSTypeName::new_qualified_name(span, left, right, &self.ast);
        }
    }

    fn visit_ts_module_reference(&mut self, reference: &mut TSModuleReference<'a>) {
        match reference {
            TSModuleReference::IdentifierReference(identifier) => {
                if let Some(name) = self.name(identifier, |it| it.is_value) {
                    let span = identifier.span;
                    let left = TSTypeName::new_identifier_reference(span, name, &self.ast);
                    let right = IdentifierName::new(span, identifier.name, &self.ast);
                    *reference = TSModuleReference::new_qualified_name(span, left, right, &self.ast);
                }
            }
            _ => walk_mut::walk_ts_module_reference(self, reference),
        }
    }

    fn visit_jsx_element_name(&mut self, element: &mut JSXElementName<'a>) {
        match element {
            JSXElementName::IdentifierReference(identifier) => {
                if let Some(name) = self.name(identifier, |it| it.is_value) {
                    *element = JSXElementName::MemberExpression(self.jsx_member(name, identifier));
                }
            }
            _ => walk_mut::walk_jsx_element_name(self, element),
        }
    }

    fn visit_jsx_member_expression_object(&mut self, object: &mut JSXMemberExpressionObject<'a>) {
        match object {
            JSXMemberExpressionObject::IdentifierReference(identifier) => {
                if let Some(name) = self.name(identifier, |it| it.is_value) {
                    *object = JSXMemberExpressionObject::MemberExpression(self.jsx_member(name, identifier));
                }
            }
            _ => walk_mut::walk_jsx_member_expression_object(self, object),
        }
    }
}

impl<'a> Qualifier<'a, '_> {
    /// A statement that gives a namespace where its name is hidden. It is called when the namespace exists.
    fn getter(&self, getter: &str, name: &str) -> Statement<'a> {
        let code = format!("const {getter} = () => {name};");
        let mut made = scratch::statements(self.allocator, &code, SourceType::mjs());
        made.remove(0)
    }

    /// Whether the enum that a statement exports is there already, from a block above: what is in it has to join those members.
    fn continues_enum(&self, statement: &Statement<'a>) -> bool {
        let (Some(Open::Namespace(block)), Some(declaration)) = (self.open.last(), exported_enum(statement)) else {
            return false;
        };
        let exports = self.merged.exports(block.space, &declaration.id.name).iter();
        let mut above = exports.take_while(|exported| exported.block != block.scope);
        !declaration.declare && above.any(|exported| exported.is_value)
    }

    fn jsx_member(
        &self,
        name: Ident<'a>,
        identifier: &IdentifierReference<'a>,
    ) -> ArenaBox<'a, JSXMemberExpression<'a>> {
        let object = JSXMemberExpressionObject::new_identifier_reference(identifier.span, name, &self.ast);
        let property = JSXIdentifier::new(identifier.span, identifier.name, &self.ast);
        JSXMemberExpression::boxed(identifier.span, object, property, &self.ast)
    }

    /// `namespace A.B {}` as `namespace A { export namespace B {} }`, so that there is room for statements.
    fn unfold(&self, body: &mut TSNamespaceDeclarationBody<'a>) {
        body.replace_with(|body| match body {
            TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => {
                let inner = Declaration::TSNamespaceDeclaration(inner);
                let statement = Statement::new_export_declaration(SPAN, inner, &self.ast);
                TSNamespaceDeclarationBody::new_ts_module_block(SPAN, [], [statement], &self.ast)
            }
            block => block,
        });
    }

    /// Whether a statement merely declares a namespace that others make.
    fn is_superseded(&self, statement: &Statement<'a>) -> bool {
        let Some(declared) = namespace(statement).filter(|namespace| namespace.declare) else { return false };
        let Some(symbol) = declared.id.symbol_id.get() else { return false };
        !self.scoping.symbol_redeclarations(symbol).iter().all(|it| it.flags.contains(SymbolFlags::Ambient))
    }
}

fn exported_enum<'s, 'a>(statement: &'s Statement<'a>) -> Option<&'s TSEnumDeclaration<'a>> {
    match statement {
        Statement::ExportDeclaration(export) => match &export.declaration {
            Declaration::TSEnumDeclaration(declaration) => Some(declaration),
            _ => None,
        },
        _ => None,
    }
}
