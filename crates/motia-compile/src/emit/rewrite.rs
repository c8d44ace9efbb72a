//! What changes inside statements, in either format: where code asks where it is, how it asks for modules, and how it
//! uses what it imported.

use std::collections::HashMap;
use std::mem;
use std::path::Path;

use oxc::allocator::{Allocator, ArenaBox, ArenaVec, CloneIn, ReplaceWith, TakeIn};
use oxc::ast::ast::*;
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::semantic::{Scoping, SymbolId};
use oxc::span::{GetSpan, SPAN, Span};
use oxc::syntax::identifier::is_identifier_name;
use oxc::syntax::operator::UnaryOperator;

use crate::facts::{Format, RequestKind};
use crate::layout::file_url;
use crate::links::Links;
use crate::loaders::{Loaders, is_unbound, literal};

use super::needs::Needs;
use crate::scratch::Names;

/// What an import binding is in the output.
pub(super) struct Binding<'a> {
    /// `X.default` may mean `X`.
    pub(super) either_default: bool,
    /// How it is read where it is not a binding any more.
    pub(super) access: Option<Access<'a>>,
}

/// How CommonJS reads what was an import.
#[derive(Clone, Copy)]
pub(super) enum Access<'a> {
    /// The module itself.
    Module(&'a str),
    /// A member of it.
    Member(&'a str, &'a str),
    /// Its default, behind `__esModule` or not.
    Default(&'a str),
}

pub(super) struct Rewriter<'a, 'f> {
    pub(super) ast: AstBuilder<'a>,
    pub(super) allocator: &'a Allocator,
    pub(super) scoping: &'f Scoping,
    loaders: Loaders,
    pub(super) links: &'f Links,
    pub(super) format: Format,
    pub(super) source: &'f Path,
    pub(super) names: Names<'a>,
    pub(super) bindings: HashMap<SymbolId, Binding<'a>>,
    pub(super) needs: Needs<'a>,
}

impl<'a, 'f> Rewriter<'a, 'f> {
    pub(super) fn new(
        allocator: &'a Allocator,
        program: &Program<'a>,
        scoping: &'f Scoping,
        links: &'f Links,
        format: Format,
        source: &'f Path,
    ) -> Self {
        Self {
            ast: AstBuilder::new(allocator),
            allocator,
            scoping,
            loaders: Loaders::of(program, scoping),
            links,
            format,
            source,
            names: Names::new(allocator, scoping),
            bindings: HashMap::new(),
            needs: Needs::default(),
        }
    }

    /// The local name of an export of the interop module.
    pub(super) fn helper(&mut self, export: &'static str) -> &'a str {
        self.needs.helper(export, &mut self.names)
    }

    fn identifier(&self, span: Span, name: &'a str) -> Expression<'a> {
        Expression::new_identifier(span, name, &self.ast)
    }

    pub(super) fn string(&self, text: &str) -> &'a str {
        self.allocator.alloc_str(text)
    }

    fn literal(&self, span: Span, text: &str) -> Expression<'a> {
        Expression::new_string_literal(span, self.string(text), None, &self.ast)
    }

    fn call_helper(&mut self, export: &'static str, argument: Expression<'a>) -> ArenaBox<'a, CallExpression<'a>> {
        let span = argument.span();
        let helper = self.helper(export);
        let callee = self.identifier(SPAN, helper);
        CallExpression::boxed(span, callee, None, [Argument::from(argument)], false, &self.ast)
    }

    fn read(&mut self, span: Span, access: Access<'a>) -> Expression<'a> {
        match access {
            Access::Module(module) => self.identifier(span, module),
            Access::Member(module, name) => {
                let module = self.identifier(SPAN, module);
                self.member(span, module, name)
            }
            Access::Default(module) => {
                let module = self.identifier(span, module);
                Expression::CallExpression(self.call_helper("$unwrap", module))
            }
        }
    }

    fn member(&self, span: Span, object: Expression<'a>, name: &'a str) -> Expression<'a> {
        if is_identifier_name(name) {
            let property = IdentifierName::new(span, name, &self.ast);
            Expression::new_static_member_expression(span, object, property, false, &self.ast)
        } else {
            let property = self.literal(SPAN, name);
            Expression::new_computed_member_expression(span, object, property, false, &self.ast)
        }
    }

    fn binding(&self, identifier: &IdentifierReference<'a>) -> Option<&Binding<'a>> {
        let reference = identifier.reference_id.get()?;
        self.bindings.get(&self.scoping.get_reference(reference).symbol_id()?)
    }

    /// Whether `.default` on this may mean the thing itself: imports of packages, what `import()` of one gives, and
    /// the `default` of either.
    fn either_default(&self, expression: &Expression<'a>) -> bool {
        match expression {
            Expression::Identifier(identifier) => {
                self.binding(identifier).is_some_and(|binding| binding.either_default)
            }
            Expression::AwaitExpression(awaited) => match &awaited.argument {
                Expression::ImportExpression(import) => literal(&import.source)
                    .and_then(|specifier| self.links.dynamics.get(specifier))
                    .is_some_and(|link| link.wrap),
                _ => false,
            },
            _ => expression.as_member_expression().is_some_and(|member| self.is_default_of_either(member)),
        }
    }

    fn is_default_of_either(&self, member: &MemberExpression<'a>) -> bool {
        member.static_property_name() == Some("default") && self.either_default(member.object())
    }

    /// What stands for a global that means something else in the compiled file.
    fn global(&mut self, identifier: &IdentifierReference<'a>) -> Option<Expression<'a>> {
        if !is_unbound(self.scoping, identifier) {
            return None;
        }
        let span = identifier.span;
        match identifier.name.as_str() {
            "__filename" => Some(self.literal(span, &self.source.to_string_lossy())),
            "__dirname" => Some(self.literal(span, &self.folder())),
            "require" => {
                let require = self.needs.source_require(&mut self.names);
                Some(self.identifier(span, require))
            }
            "module" if self.format == Format::Esm => {
                let module = self.needs.module(&mut self.names);
                Some(self.identifier(span, module))
            }
            _ => None,
        }
    }

    fn folder(&self) -> String {
        self.source.parent().unwrap_or(self.source).to_string_lossy().into_owned()
    }

    fn import_meta(&self, member: &MemberExpression<'a>) -> Option<Expression<'a>> {
        if !matches!(member.object(), Expression::ImportMeta(_)) {
            return None;
        }
        let value = match member.static_property_name()? {
            "url" => file_url(self.source),
            "filename" => self.source.to_string_lossy().into_owned(),
            "dirname" => self.folder(),
            _ => return None,
        };
        Some(self.literal(member.span(), &value))
    }

    /// `import.meta` in CommonJS, which has none.
    fn plain_import_meta(&self, span: Span) -> Expression<'a> {
        let members = [
            ("url", file_url(self.source)),
            ("filename", self.source.to_string_lossy().into_owned()),
            ("dirname", self.folder()),
        ];
        let properties = members.map(|(name, value)| {
            let key = PropertyKey::new_static_identifier(SPAN, name, &self.ast);
            let value = self.literal(SPAN, &value);
            ObjectPropertyKind::new_object_property(
                SPAN,
                PropertyKind::Init,
                key,
                value,
                false,
                false,
                false,
                &self.ast,
            )
        });
        Expression::new_object_expression(span, ArenaVec::from_array_in(properties, &self.ast), &self.ast)
    }

    /// `import(specifier)` becomes a call of what resolves that when it runs.
    fn compute_import(&mut self, expression: &mut Expression<'a>) -> bool {
        walk_mut::walk_expression(self, expression);
        let import = self.needs.computed_import(&mut self.names);
        expression.replace_with(|expression| {
            let Expression::ImportExpression(import_expression) = expression else { return expression };
            let ImportExpression { span, source, options, .. } = import_expression.unbox();
            let mut arguments = ArenaVec::from_array_in([Argument::from(source)], &self.ast);
            arguments.extend(options.map(Argument::from));
            let callee = self.identifier(SPAN, import);
            Expression::CallExpression(CallExpression::boxed(span, callee, None, arguments, false, &self.ast))
        });
        true
    }

    /// Points an `import()` elsewhere. False if it stays as it is.
    fn rewrite_import(&mut self, expression: &mut Expression<'a>) -> bool {
        let Expression::ImportExpression(import) = expression else { return false };
        let Some(specifier) = literal(&import.source) else { return self.compute_import(expression) };
        let Some(link) = self.links.dynamics.get(specifier) else { return false };
        import.source = self.literal(import.source.span(), &link.to);
        if link.wrap {
            // Attributes are about the file that the user named, which may be JSON.
            import.options = None;
            let import = expression.take_in(&self.ast);
            *expression = Expression::CallExpression(self.call_helper("$import", import));
        }
        true
    }

    /// `require` of the compiled file, or its `resolve`.
    fn compiled_require(&mut self, span: Span, resolve: bool) -> Expression<'a> {
        let require = self.needs.compiled_require(self.format, &mut self.names);
        let require = self.identifier(span, require);
        if resolve { self.member(SPAN, require, "resolve") } else { require }
    }

    fn is_member_of_module(&self, callee: &Expression<'a>) -> bool {
        matches!(callee, Expression::Identifier(identifier)
            if matches!(self.binding(identifier).and_then(|binding| binding.access), Some(Access::Member(..))))
    }

    /// `(0, callee)`, so that calling it does not pass the module as `this`.
    fn without_this(&self, callee: Expression<'a>) -> Expression<'a> {
        let zero = Expression::new_number_0(&self.ast);
        Expression::new_sequence_expression(
            callee.span(),
            ArenaVec::from_array_in([zero, callee], &self.ast),
            &self.ast,
        )
    }

    /// Takes `default` out of `const { default: Y, z } = X`: it becomes a declaration of its own.
    fn split_default(&mut self, declarator: &mut VariableDeclarator<'a>) -> Option<VariableDeclarator<'a>> {
        let BindingPattern::ObjectPattern(pattern) = &mut declarator.id else { return None };
        let is_default =
            |property: &BindingProperty<'a>| property.key.static_name().is_some_and(|name| name == "default");
        let index = pattern.properties.iter().position(is_default)?;
        let from = declarator.init.as_ref()?.clone_in(self.allocator);
        let target = if pattern.rest.is_some() {
            // It must stay away from the rest.
            let unused = BindingPattern::new_binding_identifier(SPAN, self.names.make("$unused"), &self.ast);
            mem::replace(&mut pattern.properties[index].value, unused)
        } else {
            pattern.properties.remove(index).value
        };
        let value = Expression::CallExpression(self.call_helper("$default", from));
        Some(VariableDeclarator::new(declarator.span, target, None, Some(value), false, &self.ast))
    }
}

impl<'a> VisitMut<'a> for Rewriter<'a, '_> {
    fn visit_expression(&mut self, expression: &mut Expression<'a>) {
        let member = expression.as_member_expression();
        let wraps = member.is_some_and(|member| self.is_default_of_either(member));
        let replacement = match &*expression {
            Expression::Identifier(identifier) => match self.binding(identifier).and_then(|binding| binding.access) {
                Some(access) => Some(self.read(identifier.span, access)),
                None => self.global(identifier),
            },
            Expression::ImportMeta(meta) if self.format == Format::CommonJs => Some(self.plain_import_meta(meta.span)),
            _ => member.and_then(|member| self.import_meta(member)),
        };
        if let Some(replacement) = replacement {
            *expression = replacement;
            return;
        }
        if self.rewrite_import(expression) {
            return;
        }
        walk_mut::walk_expression(self, expression);
        if wraps {
            expression.replace_with(|member| {
                let object = into_object(member.into_member_expression());
                Expression::CallExpression(self.call_helper("$default", object))
            });
        }
    }

    fn visit_chain_element(&mut self, element: &mut ChainElement<'a>) {
        let wraps = element.as_member_expression().is_some_and(|member| self.is_default_of_either(member));
        walk_mut::walk_chain_element(self, element);
        if wraps {
            element.replace_with(|member| {
                let object = into_object(member.into_member_expression());
                ChainElement::CallExpression(self.call_helper("$default", object))
            });
        }
    }

    fn visit_unary_expression(&mut self, unary: &mut UnaryExpression<'a>) {
        match unary.argument.as_member_expression_mut() {
            // What is deleted has to stay a member.
            Some(member) if unary.operator == UnaryOperator::Delete => self.visit_member_expression(member),
            _ => walk_mut::walk_unary_expression(self, unary),
        }
    }

    fn visit_call_expression(&mut self, call: &mut CallExpression<'a>) {
        if let Some((kind, specifier)) = self.loaders.call(self.scoping, call) {
            let to = match kind {
                RequestKind::Locate => self.links.locates.get(specifier),
                _ => self.links.requires.get(specifier),
            };
            if let Some(to) = to {
                let locates = kind == RequestKind::Locate;
                call.callee = self.compiled_require(call.callee.span(), locates);
                call.arguments[0] = Argument::from(self.literal(call.arguments[0].span(), to));
                return;
            }
        }
        let is_import = self.is_member_of_module(&call.callee);
        let resolves = self.format == Format::Esm && is_meta_resolve(&call.callee);
        walk_mut::walk_call_expression(self, call);
        if resolves {
            let helper = self.helper("$resolve");
            let native = mem::replace(&mut call.callee, self.identifier(SPAN, helper));
            let source = self.literal(SPAN, &file_url(self.source));
            call.arguments.insert(0, Argument::from(native));
            call.arguments.insert(0, Argument::from(source));
        }
        if is_import {
            call.callee = self.without_this(call.callee.take_in(&self.ast));
        }
    }

    fn visit_new_expression(&mut self, new: &mut NewExpression<'a>) {
        let path = self.loaders.thread(self.scoping, new);
        if let Some(to) = path.and_then(|path| self.links.threads.get(&path)) {
            let span = new.arguments[0].span();
            let resolve = self.compiled_require(span, true);
            let to = Argument::from(self.literal(span, to));
            new.arguments[0] = Argument::new_call_expression(span, resolve, None, [to], false, &self.ast);
        }
        walk_mut::walk_new_expression(self, new);
    }

    fn visit_tagged_template_expression(&mut self, tagged: &mut TaggedTemplateExpression<'a>) {
        let is_import = self.is_member_of_module(&tagged.tag);
        walk_mut::walk_tagged_template_expression(self, tagged);
        if is_import {
            tagged.tag = self.without_this(tagged.tag.take_in(&self.ast));
        }
    }

    fn visit_object_property(&mut self, property: &mut ObjectProperty<'a>) {
        walk_mut::walk_object_property(self, property);
        if property.shorthand {
            let name = property.key.static_name();
            let same = matches!(&property.value, Expression::Identifier(value) if Some(value.name.as_str()) == name.as_deref());
            property.shorthand = same;
        }
    }

    fn visit_variable_declaration(&mut self, declaration: &mut VariableDeclaration<'a>) {
        let either: Vec<bool> = declaration
            .declarations
            .iter()
            .map(|declarator| matches!(&declarator.init, Some(init @ Expression::Identifier(_)) if self.either_default(init)))
            .collect();
        walk_mut::walk_variable_declaration(self, declaration);
        if !either.contains(&true) {
            return;
        }
        let mut declarations = ArenaVec::new_in(&self.ast);
        for (mut declarator, either) in declaration.declarations.take_in(&self.ast).into_iter().zip(either) {
            let default = if either { self.split_default(&mut declarator) } else { None };
            let empty = matches!(&declarator.id, BindingPattern::ObjectPattern(pattern) if pattern.is_empty());
            if default.is_none() || !empty {
                declarations.push(declarator);
            }
            declarations.extend(default);
        }
        declaration.declarations = declarations;
    }
}

/// `import.meta.resolve`
fn is_meta_resolve(callee: &Expression<'_>) -> bool {
    callee.as_member_expression().is_some_and(|member| {
        matches!(member.object(), Expression::ImportMeta(_)) && member.static_property_name() == Some("resolve")
    })
}

fn into_object<'a>(member: MemberExpression<'a>) -> Expression<'a> {
    match member {
        MemberExpression::StaticMemberExpression(member) => member.unbox().object,
        MemberExpression::ComputedMemberExpression(member) => member.unbox().object,
        MemberExpression::PrivateFieldExpression(member) => member.unbox().object,
    }
}
