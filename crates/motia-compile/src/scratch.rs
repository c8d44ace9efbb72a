//! Making code up: names that nobody uses yet, and statements from text.

use std::collections::HashSet;

use oxc::allocator::{Allocator, ArenaVec};
use oxc::ast::ast::Statement;
use oxc::ast_visit::VisitMut;
use oxc::parser::Parser;
use oxc::semantic::Scoping;
use oxc::span::{SPAN, SourceType, Span};

/// Names that no variable of a file has and no global that it uses.
pub(crate) struct Names<'a> {
    allocator: &'a Allocator,
    taken: HashSet<String>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(allocator: &'a Allocator, scoping: &Scoping) -> Self {
        let globals = scoping.root_unresolved_references().keys().map(ToString::to_string);
        Self { allocator, taken: scoping.symbol_names().map(str::to_owned).chain(globals).collect() }
    }

    /// `wish`, or something like it.
    pub(crate) fn make(&mut self, wish: &str) -> &'a str {
        let mut name = wish.to_owned();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{wish}{count}");
        }
        self.allocator.alloc_str(&name)
    }
}

/// The statements of a piece of code that the compiler wrote. They map to nothing in the source.
pub(crate) fn statements<'a>(allocator: &'a Allocator, code: &str, kind: SourceType) -> ArenaVec<'a, Statement<'a>> {
    struct Unplace;
    impl<'a> VisitMut<'a> for Unplace {
        fn visit_span(&mut self, span: &mut Span) {
            *span = SPAN;
        }
    }
    let parsed = Parser::new(allocator, allocator.alloc_str(code), kind).parse();
    debug_assert!(parsed.diagnostics.is_empty(), "generated code does not parse: {code}");
    let mut body = parsed.program.body;
    Unplace.visit_statements(&mut body);
    body
}
