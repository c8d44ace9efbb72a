//! By what a file loads other files while it runs: `require`, what `createRequire` makes, and the threads of Node.

use std::collections::{HashMap, HashSet};

use oxc::ast::ast::*;
use oxc::ast_visit::{Visit, walk};
use oxc::semantic::{Scoping, SymbolId};

use crate::facts::RequestKind;

/// What the variables of a file stand for, as far as they have to do with loading.
#[derive(Default)]
pub(crate) struct Loaders {
    /// Variables that hold a builtin.
    builtins: HashMap<SymbolId, Builtin>,
    create_require: HashSet<SymbolId>,
    workers: HashSet<SymbolId>,
    /// What `createRequire(import.meta.url)` made.
    requires: HashSet<SymbolId>,
    /// Variables that hold the URL or the path of a file, from the folder of this one.
    places: HashMap<SymbolId, String>,
}

/// A builtin of Node by which files are loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Builtin {
    Module,
    Threads,
}

impl Builtin {
    fn named(specifier: &str) -> Option<Self> {
        match specifier.strip_prefix("node:").unwrap_or(specifier) {
            "module" => Some(Self::Module),
            "worker_threads" => Some(Self::Threads),
            _ => None,
        }
    }
}

impl Loaders {
    pub(crate) fn of(program: &Program<'_>, scoping: &Scoping) -> Self {
        let mut finder = Finder { scoping, found: Self::default() };
        // Nearly no file has any of it.
        if ["createRequire", "worker_threads"].iter().any(|word| program.source_text.contains(word)) {
            finder.visit_program(program);
        }
        finder.found
    }

    /// `require('x')` and `require.resolve('x')`.
    pub(crate) fn call<'a>(&self, scoping: &Scoping, call: &CallExpression<'a>) -> Option<(RequestKind, &'a str)> {
        let [argument] = call.arguments.as_slice() else { return None };
        let specifier = literal(argument.as_expression()?)?;
        let kind = require_kind(scoping, &call.callee).or_else(|| self.made_kind(scoping, &call.callee))?;
        Some((kind, specifier))
    }

    /// `new Worker(…)` of a file beside this one: its path from the folder of this one.
    pub(crate) fn thread(&self, scoping: &Scoping, new: &NewExpression<'_>) -> Option<String> {
        if !self.is_member(scoping, &new.callee, Builtin::Threads, "Worker") {
            return None;
        }
        self.place(scoping, new.arguments.first()?.as_expression()?)
    }

    /// As [`require_kind`], for what `createRequire` made.
    fn made_kind(&self, scoping: &Scoping, callee: &Expression<'_>) -> Option<RequestKind> {
        match callee {
            Expression::StaticMemberExpression(member) if member.property.name == "resolve" => {
                self.is_made(scoping, &member.object).then_some(RequestKind::Locate)
            }
            _ => self.is_made(scoping, callee).then_some(RequestKind::Require),
        }
    }

    /// `createRequire(import.meta.url)`, or a variable that holds it.
    fn is_made(&self, scoping: &Scoping, expression: &Expression<'_>) -> bool {
        match expression {
            Expression::Identifier(identifier) => {
                symbol(scoping, identifier).is_some_and(|symbol| self.requires.contains(&symbol))
            }
            Expression::CallExpression(call) => {
                let argument = call.arguments.first().and_then(Argument::as_expression);
                argument.is_some_and(is_own_file)
                    && self.is_member(scoping, &call.callee, Builtin::Module, "createRequire")
            }
            _ => false,
        }
    }

    /// Whether this is a member of a builtin, by a variable of its own or by one of the whole.
    fn is_member(&self, scoping: &Scoping, expression: &Expression<'_>, of: Builtin, name: &str) -> bool {
        match expression {
            Expression::Identifier(identifier) => {
                let members = if of == Builtin::Module { &self.create_require } else { &self.workers };
                symbol(scoping, identifier).is_some_and(|symbol| members.contains(&symbol))
            }
            Expression::StaticMemberExpression(member) => {
                member.property.name == name && self.builtin(scoping, &member.object) == Some(of)
            }
            _ => false,
        }
    }

    fn builtin(&self, scoping: &Scoping, expression: &Expression<'_>) -> Option<Builtin> {
        match expression {
            Expression::Identifier(identifier) => self.builtins.get(&symbol(scoping, identifier)?).copied(),
            Expression::CallExpression(call) => match require_kind(scoping, &call.callee) {
                Some(RequestKind::Require) => Builtin::named(literal(call.arguments.first()?.as_expression()?)?),
                _ => None,
            },
            Expression::AwaitExpression(awaited) => match &awaited.argument {
                Expression::ImportExpression(import) => Builtin::named(literal(&import.source)?),
                _ => None,
            },
            _ => None,
        }
    }

    /// The file that an expression names from the folder of this one: `new URL('./x.ts', import.meta.url)`, `path.join(__dirname, 'x.ts')`.
    /// A string alone would be a path from the working folder.
    fn place(&self, scoping: &Scoping, expression: &Expression<'_>) -> Option<String> {
        match expression {
            Expression::Identifier(identifier) => self.places.get(&symbol(scoping, identifier)?).cloned(),
            Expression::NewExpression(new) => {
                let Expression::Identifier(callee) = &new.callee else { return None };
                let [url, base] = new.arguments.as_slice() else { return None };
                let is_url = is_global(scoping, callee, "URL") || callee.name == "URL";
                let url = literal(url.as_expression()?).filter(|_| is_url && is_own_url(base.as_expression()))?;
                // A query makes it another module.
                url.starts_with('.').then(|| decoded(url)).filter(|url| !url.contains(['?', '#']))
            }
            Expression::CallExpression(call) => {
                let arguments: Option<Vec<_>> = call.arguments.iter().map(Argument::as_expression).collect();
                match (called(&call.callee)?, arguments?.as_slice()) {
                    ("fileURLToPath", [url]) => self.place(scoping, url),
                    ("join" | "resolve", [folder, parts @ ..]) if is_own_folder(folder) => {
                        let parts: Option<Vec<&str>> = parts.iter().map(|part| literal(part)).collect();
                        Some(format!("./{}", parts?.join("/")))
                    }
                    _ => None,
                }
            }
            Expression::StaticMemberExpression(member) if member.property.name == "pathname" => {
                self.place(scoping, &member.object)
            }
            _ => None,
        }
    }
}

/// Fills [`Loaders`].
struct Finder<'s> {
    scoping: &'s Scoping,
    found: Loaders,
}

impl Finder<'_> {
    fn member(&mut self, of: Builtin, name: &str, local: &BindingIdentifier<'_>) {
        let members = match (of, name) {
            (Builtin::Module, "createRequire") => &mut self.found.create_require,
            (Builtin::Threads, "Worker") => &mut self.found.workers,
            (_, "default") => {
                self.found.builtins.extend(local.symbol_id.get().map(|symbol| (symbol, of)));
                return;
            }
            _ => return,
        };
        members.extend(local.symbol_id.get());
    }

    fn declared(&mut self, local: &BindingIdentifier<'_>, value: &Expression<'_>) {
        let Some(symbol) = local.symbol_id.get().filter(|&symbol| !self.scoping.symbol_is_mutated(symbol)) else {
            return;
        };
        if self.found.is_made(self.scoping, value) {
            self.found.requires.insert(symbol);
        } else if let Some(builtin) = self.found.builtin(self.scoping, value) {
            self.found.builtins.insert(symbol, builtin);
        } else if let Some(place) = self.found.place(self.scoping, value) {
            self.found.places.insert(symbol, place);
        }
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        let Some(builtin) = Builtin::named(&import.source.value) else { return };
        for specifier in import.specifiers.iter().flatten() {
            match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => {
                    self.member(builtin, &named.imported.name(), &named.local);
                }
                whole => self.member(builtin, "default", whole.local()),
            }
        }
    }

    fn visit_variable_declarator(&mut self, declarator: &VariableDeclarator<'a>) {
        if let Some(value) = &declarator.init {
            match &declarator.id {
                BindingPattern::BindingIdentifier(local) => self.declared(local, value),
                BindingPattern::ObjectPattern(pattern) => {
                    if let Some(builtin) = self.found.builtin(self.scoping, value) {
                        for property in &pattern.properties {
                            if let (Some(name), BindingPattern::BindingIdentifier(local)) =
                                (property.key.static_name(), &property.value)
                            {
                                self.member(builtin, &name, local);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        walk::walk_variable_declarator(self, declarator);
    }
}

/// What calling this asks for, if it is the global `require` or its `resolve`.
pub(crate) fn require_kind(scoping: &Scoping, callee: &Expression<'_>) -> Option<RequestKind> {
    match callee {
        Expression::Identifier(callee) if is_global(scoping, callee, "require") => Some(RequestKind::Require),
        Expression::StaticMemberExpression(member) if member.property.name == "resolve" => match &member.object {
            Expression::Identifier(object) if is_global(scoping, object, "require") => Some(RequestKind::Locate),
            _ => None,
        },
        _ => None,
    }
}

/// The text of a string literal, or of a template without expressions.
pub(crate) fn literal<'a>(expression: &Expression<'a>) -> Option<&'a str> {
    match expression {
        Expression::StringLiteral(string) => Some(string.value.as_str()),
        Expression::TemplateLiteral(template) if template.expressions.is_empty() => {
            template.quasis.first()?.value.cooked.map(|cooked| cooked.as_str())
        }
        _ => None,
    }
}

/// The name of a function or method that is called.
pub(crate) fn called<'e>(callee: &'e Expression<'_>) -> Option<&'e str> {
    match callee {
        Expression::Identifier(identifier) => Some(identifier.name.as_str()),
        Expression::StaticMemberExpression(member) => Some(member.property.name.as_str()),
        _ => None,
    }
}

/// Whether the identifier is the global of that name: `require`, say, and not a variable of the file.
pub(crate) fn is_global(scoping: &Scoping, identifier: &IdentifierReference<'_>, name: &str) -> bool {
    identifier.name == name && is_unbound(scoping, identifier)
}

pub(crate) fn is_unbound(scoping: &Scoping, identifier: &IdentifierReference<'_>) -> bool {
    identifier.reference_id.get().is_some_and(|id| scoping.get_reference(id).symbol_id().is_none())
}

fn symbol(scoping: &Scoping, identifier: &IdentifierReference<'_>) -> Option<SymbolId> {
    scoping.get_reference(identifier.reference_id.get()?).symbol_id()
}

/// `import.meta.name`
fn meta<'e>(expression: &'e Expression<'_>) -> Option<&'e str> {
    match expression {
        Expression::StaticMemberExpression(member) if matches!(member.object, Expression::ImportMeta(_)) => {
            Some(member.property.name.as_str())
        }
        _ => None,
    }
}

fn is_own_url(expression: Option<&Expression<'_>>) -> bool {
    expression.and_then(meta) == Some("url")
}

/// The file by its URL or path. A variable called `__filename` holds that in any file.
fn is_own_file(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::Identifier(identifier) => identifier.name == "__filename",
        Expression::CallExpression(call) => {
            called(&call.callee) == Some("fileURLToPath")
                && is_own_url(call.arguments.first().and_then(Argument::as_expression))
        }
        _ => matches!(meta(expression), Some("url" | "filename")),
    }
}

/// The folder of the file. A variable called `__dirname` holds that in any file.
fn is_own_folder(expression: &Expression<'_>) -> bool {
    matches!(expression, Expression::Identifier(identifier) if identifier.name == "__dirname")
        || meta(expression) == Some("dirname")
}

/// A relative URL as the path that it means.
fn decoded(url: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(url.len()), url.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.filter(|_| first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
