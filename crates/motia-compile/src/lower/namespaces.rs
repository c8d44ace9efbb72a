//! Namespaces that are written in several blocks.
//!
//! In TypeScript a name that one block of a namespace exports holds in all blocks of it: `x` stands for `A.x` where no variable nearer by
//! has that name. The lowering makes a function of each block and knows only the variables of that function, so this pass writes `A.x`
//! before it. It does so in the other blocks alone: in its own block an export stays a variable.

mod merged;
mod walk;

use oxc::allocator::{Allocator, ArenaBox};
use oxc::ast::ast::*;
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::VisitMut;
use oxc::diagnostics::{Diagnostics, OxcDiagnostic};
use oxc::semantic::{ScopeId, Scoping, SymbolId};
use oxc::span::Span;
use oxc::syntax::constant_value::ConstantValue;

use crate::scratch::Names;

use self::merged::{Exported, Merged, SpaceId, namespace};

/// Rewrites what blocks take from other blocks of their namespaces. True if anything changed: the scoping is out of date then.
pub(super) fn qualify<'a>(
    allocator: &'a Allocator,
    program: &mut Program<'a>,
    scoping: &Scoping,
) -> Result<bool, Diagnostics> {
    if program.body.iter().filter_map(namespace).all(|namespace| namespace.declare) {
        return Ok(false);
    }
    let mut qualifier = Qualifier {
        ast: AstBuilder::new(allocator),
        allocator,
        scoping,
        merged: Merged::of(program, scoping),
        names: None,
        open: Vec::new(),
        getters: Vec::new(),
        errors: Vec::new(),
        changed: false,
    };
    qualifier.visit_program(program);
    if qualifier.errors.is_empty() { Ok(qualifier.changed) } else { Err(qualifier.errors.into_iter().collect()) }
}

/// What the walk is inside of.
enum Open<'a> {
    Namespace(Block<'a>),
    /// Its members hold in it by their names, and so do those of its other blocks.
    Enum {
        name: Ident<'a>,
        symbol: SymbolId,
        others: Vec<SymbolId>,
    },
}

#[derive(Clone)]
struct Block<'a> {
    scope: ScopeId,
    space: SpaceId,
    name: Ident<'a>,
    symbol: SymbolId,
    /// The function that gives the namespace where its name stands for something else.
    getter: Option<&'a str>,
}

/// What a name stands for.
enum Target<'a> {
    /// A member of an open namespace.
    Member { open: usize },
    /// A member of another block of the enum that is open.
    EnumMember { name: Ident<'a>, text: Option<String> },
}

/// What a member is taken from.
enum Object<'a> {
    Name(Ident<'a>),
    Getter(&'a str),
}

struct Qualifier<'a, 's> {
    ast: AstBuilder<'a>,
    allocator: &'a Allocator,
    scoping: &'s Scoping,
    merged: Merged,
    names: Option<Names<'a>>,
    open: Vec<Open<'a>>,
    /// Getters of namespaces that were just left, which go before them.
    getters: Vec<Statement<'a>>,
    errors: Vec<OxcDiagnostic>,
    changed: bool,
}

impl<'a> Qualifier<'a, '_> {
    /// What the name of a reference stands for, if that is no variable of the scopes around it. `fits` says which exports count.
    fn target(&self, identifier: &IdentifierReference<'a>, fits: fn(&Exported) -> bool) -> Option<Target<'a>> {
        let symbol = self.scoping.get_reference(identifier.reference_id.get()?).symbol_id();
        let home = symbol.map(|symbol| self.scoping.symbol_scope_id(symbol));
        let name = identifier.name.as_str();
        for (index, open) in self.open.iter().enumerate().rev() {
            match open {
                Open::Namespace(block) => {
                    let inside = |home| self.scoping.scope_ancestors(home).any(|scope| scope == block.scope);
                    if home.is_some_and(inside) {
                        let ambient = symbol.is_some_and(|symbol| self.merged.is_ambient(symbol));
                        return (ambient && home == Some(block.scope)).then_some(Target::Member { open: index });
                    }
                    if self.merged.exports(block.space, name).iter().any(fits) {
                        return Some(Target::Member { open: index });
                    }
                }
                Open::Enum { name: enumeration, symbol, others } => {
                    if self.is_member(*symbol, name) {
                        return None;
                    }
                    if let Some(&other) = others.iter().find(|&&other| self.is_member(other, name)) {
                        return Some(Target::EnumMember { name: *enumeration, text: self.text_of_member(other, name) });
                    }
                }
            }
        }
        None
    }

    fn members(&self, symbol: SymbolId, name: &str) -> impl Iterator<Item = SymbolId> {
        let bodies = self.scoping.get_enum_body_scopes(symbol).unwrap_or_default();
        bodies.iter().filter_map(|&body| self.scoping.get_binding(body, name.into()))
    }

    fn is_member(&self, symbol: SymbolId, name: &str) -> bool {
        self.members(symbol, name).next().is_some()
    }

    /// The value of a member that is a string. A member of another value may be read when the code runs: of strings alone the enum must
    /// know that it is one, since it does not map them back.
    fn text_of_member(&self, symbol: SymbolId, name: &str) -> Option<String> {
        self.members(symbol, name).find_map(|member| match self.scoping.get_enum_member_value(member) {
            Some(ConstantValue::String(text)) => Some(text.to_string()),
            _ => None,
        })
    }

    /// What stands for an open namespace where the reference is.
    fn object(&mut self, open: usize, identifier: &IdentifierReference<'a>) -> Option<Object<'a>> {
        let scope = self.scoping.get_reference(identifier.reference_id.get()?).scope_id();
        let Some(Open::Namespace(block)) = self.open.get_mut(open) else { return None };
        self.changed = true;
        if self.scoping.find_binding(scope, block.name) == Some(block.symbol) {
            return Some(Object::Name(block.name));
        }
        let names = self.names.get_or_insert_with(|| Names::new(self.allocator, self.scoping));
        Some(Object::Getter(block.getter.get_or_insert_with(|| names.make(&format!("${}", block.name)))))
    }

    /// The member that a value stands for.
    fn member(&mut self, identifier: &IdentifierReference<'a>) -> Option<ArenaBox<'a, StaticMemberExpression<'a>>> {
        let span = identifier.span;
        let object = match self.target(identifier, |exported| exported.is_value)? {
            Target::Member { open } => match self.object(open, identifier)? {
                Object::Name(name) => Expression::new_identifier(span, name, &self.ast),
                Object::Getter(getter) => {
                    let getter = Expression::new_identifier(span, getter, &self.ast);
                    Expression::new_call_expression(span, getter, None, [], false, &self.ast)
                }
            },
            Target::EnumMember { name, .. } => Expression::new_identifier(span, name, &self.ast),
        };
        self.changed = true;
        let property = IdentifierName::new(span, identifier.name, &self.ast);
        Some(StaticMemberExpression::boxed(span, object, property, false, &self.ast))
    }

    /// As [`Self::object`], where only a name can stand.
    fn name(&mut self, identifier: &IdentifierReference<'a>, fits: fn(&Exported) -> bool) -> Option<Ident<'a>> {
        let Target::Member { open } = self.target(identifier, fits)? else { return None };
        match self.object(open, identifier)? {
            Object::Name(name) => Some(name),
            Object::Getter(_) => {
                self.refuse(open, identifier.name, identifier.span);
                None
            }
        }
    }

    fn refuse(&mut self, open: usize, name: Ident<'a>, span: Span) {
        let Some(Open::Namespace(block)) = self.open.get(open) else { return };
        let space = block.name;
        let error = OxcDiagnostic::error(format!(
            "'{name}' comes from another block of the namespace '{space}', and '{space}' means something else here"
        ));
        let help = format!("rename what is called '{space}' inside of the namespace");
        self.errors.push(error.with_help(help).with_label(span));
    }
}
