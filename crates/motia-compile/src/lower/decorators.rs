//! Where the lowering of TypeScript's own decorators differs from TypeScript: the order of members, and what metadata says of rest
//! parameters and of pairs of accessors. Classes are arranged before it so that it comes out right.

pub(super) mod aliases;

use std::collections::HashMap;

use oxc::allocator::{ArenaBox, ArenaVec, CloneIn, GetAllocator, TakeIn};
use oxc::ast::ast::*;
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::diagnostics::{Diagnostics, OxcDiagnostic};
use oxc::span::{GetSpan, SPAN};

use crate::tsconfig::Dialect;

/// Stands among the decorators of a getter whose setter takes anything. No variable can have this name.
const SETS_ANYTHING: &str = "motia:sets-anything";

/// What became of a file.
#[derive(Clone, Copy, Default)]
pub(super) struct Arranged {
    /// The scoping is out of date.
    pub(super) changed: bool,
    /// [`finish`] has something to do after the lowering.
    pub(super) unfinished: bool,
}

/// Arranges classes with decorators.
pub(super) fn arrange<'a>(
    ast: &AstBuilder<'a>,
    program: &mut Program<'a>,
    dialect: &Dialect,
) -> Result<Arranged, Diagnostics> {
    let typescript = program.source_type.is_typescript();
    let mut arranger = Arranger {
        ast,
        metadata: typescript && dialect.decorator_metadata,
        assigns_fields: typescript && !dialect.define_fields,
        done: Arranged::default(),
        refused: Vec::new(),
    };
    if program.source_text.contains('@') {
        arranger.visit_program(program);
    }
    if arranger.refused.is_empty() { Ok(arranger.done) } else { Err(arranger.refused.into_iter().collect()) }
}

/// Completes the metadata of getters that [`arrange`] has marked.
pub(super) fn finish<'a>(ast: &AstBuilder<'a>, program: &mut Program<'a>) {
    Finisher { ast }.visit_program(program);
}

struct Arranger<'a, 'b> {
    ast: &'b AstBuilder<'a>,
    metadata: bool,
    assigns_fields: bool,
    done: Arranged,
    refused: Vec<OxcDiagnostic>,
}

impl<'a> VisitMut<'a> for Arranger<'a, '_> {
    fn visit_class(&mut self, class: &mut Class<'a>) {
        if !class.declare && !class.is_expression() {
            let rests = class.body.body.iter_mut().filter_map(|member| method(member)?.value.params.rest.as_ref());
            let decorators = rests.filter_map(|rest| rest.decorators.first());
            self.refused.extend(decorators.map(|decorator| {
                // The lowering leaves it where it is.
                OxcDiagnostic::error("a rest parameter with a decorator is not supported")
                    .with_help("decorate the method, or take the list as a parameter like any other")
                    .with_label(decorator.span)
            }));
            if self.metadata {
                class.body.body.iter_mut().for_each(|member| rest_as_one(self.ast, member));
                self.pair_accessors(&mut class.body.body);
            }
            if self.assigns_fields {
                self.split_fields(&mut class.body.body);
            }
            self.instance_first(&mut class.body.body);
        }
        walk_mut::walk_class(self, class);
    }
}

impl<'a> Arranger<'a, '_> {
    /// Members of instances are decorated before those of the class. How both are mixed matters to nothing else than the order in which
    /// computed keys are computed.
    fn instance_first(&self, members: &mut ArenaVec<'a, ClassElement<'a>>) {
        let first = members.iter().position(|member| is_static(member) && is_decorated(member));
        let last = members.iter().rposition(|member| !is_static(member) && is_decorated(member));
        if first.zip(last).is_none_or(|(first, last)| first > last) || members.iter().any(computes) {
            return;
        }
        let (statics, others): (Vec<_>, Vec<_>) = members.take_in(self.ast).into_iter().partition(is_static);
        members.extend(others);
        members.extend(statics);
    }

    /// `@dec static x = 1` as `@dec static x; static x = 1`. Where fields are assigned, the lowering moves the value away together with the
    /// decorators of a static field, and with the key that is not a plain name.
    fn split_fields(&mut self, members: &mut ArenaVec<'a, ClassElement<'a>>) {
        for mut member in members.take_in(self.ast) {
            let assigned = match &mut member {
                ClassElement::PropertyDefinition(field) if !field.decorators.is_empty() => self.split(field),
                _ => None,
            };
            members.push(member);
            members.extend(assigned.map(ClassElement::PropertyDefinition));
        }
    }

    fn split(&mut self, field: &mut PropertyDefinition<'a>) -> Option<ArenaBox<'a, PropertyDefinition<'a>>> {
        let Some(name) = field.key.static_name() else {
            let error = OxcDiagnostic::error("a field with a decorator and a computed name is not supported")
                .with_help("give it a plain name, or set \"useDefineForClassFields\": true in tsconfig.json");
            self.refused.push(error.with_label(field.key.span()));
            return None;
        };
        let is_plain = matches!(field.key, PropertyKey::StaticIdentifier(_));
        if !is_plain {
            let name = self.ast.allocator().alloc_str(&name);
            field.key = PropertyKey::new_string_literal(field.key.span(), name, None, self.ast);
            field.computed = false;
        }
        let value = field.value.take_if(|_| field.r#static || !is_plain)?;
        self.done.changed = true;
        let mut assigned = ArenaBox::new_in(field.clone_in(self.ast.allocator()), &self.ast.allocator());
        assigned.decorators.clear();
        assigned.type_annotation = None;
        assigned.value = Some(value);
        Some(assigned)
    }

    /// What metadata says of a getter and its setter is about the parameter of the setter, or about what the getter gives if that has no
    /// type. The lowering looks only at the one that is decorated.
    fn pair_accessors(&mut self, members: &mut [ClassElement<'a>]) {
        let mut pairs: HashMap<(bool, String), [Option<usize>; 2]> = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            let ClassElement::MethodDefinition(method) = member else { continue };
            let Some(name) = method.key.static_name() else { continue };
            let pair = pairs.entry((method.r#static, name.into_owned())).or_default();
            match method.kind {
                MethodDefinitionKind::Get => pair[0] = Some(index),
                MethodDefinitionKind::Set => pair[1] = Some(index),
                _ => {}
            }
        }
        for pair in pairs.into_values() {
            if let [Some(getter), Some(setter)] = pair {
                self.pair(members, getter, setter);
            }
        }
    }

    fn pair(&mut self, members: &mut [ClassElement<'a>], getter: usize, setter: usize) {
        let parameter = method(&mut members[setter]).and_then(|setter| setter.value.params.items.first());
        let Some(parameter) = parameter else { return };
        // Decorators of the parameter have to stay with those of its setter.
        let takes_anything = parameter.type_annotation.is_none() && parameter.decorators.is_empty();
        let (bearer, other) = if takes_anything { (getter, setter) } else { (setter, getter) };
        let moved = method(&mut members[other]).map(|method| method.decorators.take_in(self.ast));
        let Some(accessor) = method(&mut members[bearer]) else { return };
        let moved = moved.into_iter().flatten().collect::<Vec<_>>();
        let moves = !moved.is_empty();
        accessor.decorators.extend(moved);
        if takes_anything && !accessor.decorators.is_empty() {
            let mark = Expression::new_identifier(SPAN, SETS_ANYTHING, self.ast);
            accessor.decorators.push(Decorator::new(SPAN, mark, self.ast));
            self.done = Arranged { changed: true, unfinished: true };
        }
        if moves {
            // They are applied where they were written.
            members.swap(bearer, other);
        }
    }
}

/// A rest parameter counts as one of its elements.
fn rest_as_one<'a>(ast: &AstBuilder<'a>, member: &mut ClassElement<'a>) {
    let rest = method(member).and_then(|method| method.value.params.rest.as_mut());
    let Some(annotation) = rest.and_then(|rest| rest.type_annotation.as_mut()) else { return };
    let list = &mut annotation.type_annotation;
    let element = match list {
        TSType::TSArrayType(array) => Some(array.element_type.take_in(ast)),
        TSType::TSTypeReference(reference) => match reference.type_arguments.as_mut() {
            Some(arguments) if arguments.params.len() == 1 => arguments.params.pop(),
            _ => None,
        },
        _ => None,
    };
    *list = element.unwrap_or_else(|| TSType::new_ts_any_keyword(SPAN, ast));
}

struct Finisher<'a, 'b> {
    ast: &'b AstBuilder<'a>,
}

impl<'a> VisitMut<'a> for Finisher<'a, '_> {
    fn visit_array_expression(&mut self, array: &mut ArrayExpression<'a>) {
        let is_mark = |element: &ArrayExpressionElement<'a>| matches!(element, ArrayExpressionElement::Identifier(name) if name.name == SETS_ANYTHING);
        if let Some(mark) = array.elements.iter().position(is_mark) {
            array.elements.remove(mark);
            if let Some(types) = array.elements.iter_mut().find_map(parameter_types) {
                types.push(ArrayExpressionElement::new_identifier(SPAN, "Object", self.ast));
            }
        }
        walk_mut::walk_array_expression(self, array);
    }
}

/// The list in `decorateMetadata("design:paramtypes", […])`.
fn parameter_types<'t, 'a>(
    element: &'t mut ArrayExpressionElement<'a>,
) -> Option<&'t mut ArenaVec<'a, ArrayExpressionElement<'a>>> {
    let ArrayExpressionElement::CallExpression(call) = element else { return None };
    match call.arguments.as_mut_slice() {
        [Argument::StringLiteral(key), Argument::ArrayExpression(types)] if key.value == "design:paramtypes" => {
            Some(&mut types.elements)
        }
        _ => None,
    }
}

fn method<'m, 'a>(member: &'m mut ClassElement<'a>) -> Option<&'m mut MethodDefinition<'a>> {
    match member {
        ClassElement::MethodDefinition(method) => Some(method),
        _ => None,
    }
}

fn is_static(member: &ClassElement<'_>) -> bool {
    member.r#static() || matches!(member, ClassElement::StaticBlock(_))
}

fn is_decorated(member: &ClassElement<'_>) -> bool {
    let of_parameters = |method: &MethodDefinition<'_>| {
        method.kind != MethodDefinitionKind::Constructor
            && method.value.params.items.iter().any(|parameter| !parameter.decorators.is_empty())
    };
    member.has_decorator() || matches!(member, ClassElement::MethodDefinition(method) if of_parameters(method))
}

/// Whether the key of a member may do more than give a name.
fn computes(member: &ClassElement<'_>) -> bool {
    let is_plain = |key: &PropertyKey<'_>| {
        key.static_name().is_some()
            || matches!(key, PropertyKey::Identifier(_))
            || matches!(key, PropertyKey::StaticMemberExpression(member) if matches!(member.object, Expression::Identifier(_)))
    };
    member.computed() && !member.property_key().is_some_and(is_plain)
}
