//! What a type alias says to metadata.
//!
//! TypeScript looks through `type Status = 'open' | 'done'` and tells of a `String`; the lowering tells of an `Object` wherever it meets a
//! name that is only a type. So the names of a file's own aliases are replaced before it, where metadata is made of them.

use std::collections::HashMap;

use oxc::allocator::{Allocator, ArenaBox, CloneIn};
use oxc::ast::ast::*;
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{Visit, VisitMut, walk, walk_mut};
use oxc::semantic::{Scoping, SymbolId};
use oxc::span::SPAN;

/// How many aliases are followed from one to the next: they may go in a circle.
const DEPTH: usize = 8;

/// Replaces aliases in the types of members that are decorated.
pub(in crate::lower) fn resolve<'a>(allocator: &'a Allocator, program: &mut Program<'a>, scoping: &Scoping) {
    let mut collector = Collector { allocator, known: HashMap::new() };
    collector.visit_program(program);
    if !collector.known.is_empty() {
        Resolver { allocator, ast: AstBuilder::new(allocator), scoping, known: collector.known }.visit_program(program);
    }
}

struct Collector<'a> {
    allocator: &'a Allocator,
    known: HashMap<SymbolId, TSType<'a>>,
}

impl<'a> Visit<'a> for Collector<'a> {
    fn visit_ts_type_alias_declaration(&mut self, alias: &TSTypeAliasDeclaration<'a>) {
        if let (Some(symbol), None) = (alias.id.symbol_id.get(), &alias.type_parameters) {
            self.known.insert(symbol, alias.type_annotation.clone_in_with_semantic_ids(self.allocator));
        }
        walk::walk_ts_type_alias_declaration(self, alias);
    }
}

struct Resolver<'a, 's> {
    allocator: &'a Allocator,
    ast: AstBuilder<'a>,
    scoping: &'s Scoping,
    known: HashMap<SymbolId, TSType<'a>>,
}

impl<'a> Resolver<'a, '_> {
    fn annotation(&self, annotation: Option<&mut ArenaBox<'a, TSTypeAnnotation<'a>>>) {
        if let Some(annotation) = annotation {
            self.outer(&mut annotation.type_annotation, DEPTH);
        }
    }

    /// A type as it was written at a member.
    fn outer(&self, it: &mut TSType<'a>, depth: usize) {
        match it {
            TSType::TSUnionType(union) => union.types.iter_mut().for_each(|part| self.outer(part, depth)),
            TSType::TSTypeReference(reference) => {
                if let Some(mut meant) = self.meant(reference, depth) {
                    self.inner(&mut meant, depth - 1);
                    *it = meant;
                }
            }
            _ => {}
        }
    }

    /// A type as it stands in an alias: of what else has a name TypeScript tells no more than that it is an object.
    fn inner(&self, it: &mut TSType<'a>, depth: usize) {
        match it {
            TSType::TSUnionType(union) => union.types.iter_mut().for_each(|part| self.inner(part, depth)),
            TSType::TSTypeReference(reference) => {
                if let Some(mut meant) = self.meant(reference, depth) {
                    self.inner(&mut meant, depth - 1);
                    *it = meant;
                } else if !self.keeps_its_kind(reference) {
                    *it = TSType::new_ts_object_keyword(SPAN, &self.ast);
                }
            }
            TSType::TSConstructorType(_) => *it = TSType::new_ts_object_keyword(SPAN, &self.ast),
            _ => {}
        }
    }

    fn symbol(&self, reference: &TSTypeReference<'a>) -> Option<SymbolId> {
        let TSTypeName::IdentifierReference(name) = &reference.type_name else { return None };
        self.scoping.get_reference(name.reference_id.get()?).symbol_id()
    }

    fn meant(&self, reference: &TSTypeReference<'a>, depth: usize) -> Option<TSType<'a>> {
        let meant = self.known.get(&self.symbol(reference)?).filter(|_| depth > 0)?;
        Some(meant.clone_in_with_semantic_ids(self.allocator))
    }

    /// An enum, or an array by its name.
    fn keeps_its_kind(&self, reference: &TSTypeReference<'a>) -> bool {
        match self.symbol(reference) {
            Some(symbol) => self.scoping.symbol_flags(symbol).is_enum(),
            None => matches!(&reference.type_name, TSTypeName::IdentifierReference(name)
                if matches!(name.name.as_str(), "Array" | "ReadonlyArray")),
        }
    }
}

impl<'a> VisitMut<'a> for Resolver<'a, '_> {
    // Classes without decorators have no metadata, and lose their types all the same.
    fn visit_property_definition(&mut self, property: &mut PropertyDefinition<'a>) {
        self.annotation(property.type_annotation.as_mut());
        walk_mut::walk_property_definition(self, property);
    }

    fn visit_accessor_property(&mut self, property: &mut AccessorProperty<'a>) {
        self.annotation(property.type_annotation.as_mut());
        walk_mut::walk_accessor_property(self, property);
    }

    fn visit_method_definition(&mut self, method: &mut MethodDefinition<'a>) {
        let function = &mut *method.value;
        self.annotation(function.return_type.as_mut());
        let parameters = &mut *function.params;
        parameters.items.iter_mut().for_each(|parameter| self.annotation(parameter.type_annotation.as_mut()));
        self.annotation(parameters.rest.as_mut().and_then(|rest| rest.type_annotation.as_mut()));
        walk_mut::walk_method_definition(self, method);
    }
}
