//! Which namespaces of a file are one, and what all blocks of one export.

use std::collections::{HashMap, HashSet};

use oxc::ast::ast::*;
use oxc::semantic::{ScopeId, Scoping, SymbolId};

/// The place of a namespace in [`Merged::spaces`].
pub(super) type SpaceId = usize;

/// All namespaces of a file. Those of one name in one place are one, and so are those that its blocks export under one name.
#[derive(Default)]
pub(super) struct Merged {
    spaces: Vec<Space>,
    by_block: HashMap<ScopeId, SpaceId>,
    /// What a block exports by `declare`: no statement of the block makes a variable of it.
    ambient: HashSet<SymbolId>,
}

#[derive(Default)]
struct Space {
    exports: HashMap<String, Vec<Exported>>,
    inner: HashMap<String, SpaceId>,
}

/// A name that a block exports.
#[derive(Clone, Copy)]
pub(super) struct Exported {
    /// The block.
    pub(super) block: ScopeId,
    pub(super) symbol: SymbolId,
    pub(super) is_value: bool,
    /// A class, say, which is a value too.
    pub(super) is_type: bool,
    pub(super) is_enum: bool,
}

/// The namespace that a statement declares, exported or not.
pub(super) fn namespace<'s, 'a>(statement: &'s Statement<'a>) -> Option<&'s TSNamespaceDeclaration<'a>> {
    match statement {
        Statement::TSNamespaceDeclaration(namespace) => Some(namespace),
        Statement::ExportDeclaration(export) => match &export.declaration {
            Declaration::TSNamespaceDeclaration(namespace) => Some(namespace),
            _ => None,
        },
        _ => None,
    }
}

impl Merged {
    pub(super) fn of(program: &Program<'_>, scoping: &Scoping) -> Self {
        let mut collector = Collector { scoping, merged: Self::default(), own: HashMap::new() };
        for namespace in program.body.iter().filter_map(namespace) {
            collector.local(namespace, false);
        }
        collector.merged
    }

    /// The namespace that a block belongs to.
    pub(super) fn space(&self, block: ScopeId) -> Option<SpaceId> {
        self.by_block.get(&block).copied()
    }

    /// What the blocks of a namespace export under a name.
    pub(super) fn exports(&self, space: SpaceId, name: &str) -> &[Exported] {
        self.spaces[space].exports.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_ambient(&self, symbol: SymbolId) -> bool {
        self.ambient.contains(&symbol)
    }
}

struct Collector<'s> {
    scoping: &'s Scoping,
    merged: Merged,
    /// Namespaces that nobody exports from a namespace: those of one symbol are one.
    own: HashMap<SymbolId, SpaceId>,
}

impl Collector<'_> {
    fn space(&mut self) -> SpaceId {
        self.merged.spaces.push(Space::default());
        self.merged.spaces.len() - 1
    }

    fn local(&mut self, namespace: &TSNamespaceDeclaration<'_>, ambient: bool) {
        let Some(symbol) = namespace.id.symbol_id.get() else { return };
        let space = match self.own.get(&symbol) {
            Some(&known) => known,
            None => {
                let new = self.space();
                self.own.insert(symbol, new);
                new
            }
        };
        self.block(namespace, space, ambient);
    }

    fn exported(&mut self, namespace: &TSNamespaceDeclaration<'_>, parent: SpaceId, block: ScopeId, ambient: bool) {
        let Some(symbol) = namespace.id.symbol_id.get() else { return };
        let is_value = self.scoping.symbol_flags(symbol).is_value();
        self.export(
            parent,
            block,
            &namespace.id,
            Exported { is_type: true, ..Exported::value(block, symbol, is_value) },
        );
        let space = match self.merged.spaces[parent].inner.get(namespace.id.name.as_str()) {
            Some(&known) => known,
            None => {
                let new = self.space();
                self.merged.spaces[parent].inner.insert(namespace.id.name.to_string(), new);
                new
            }
        };
        self.block(namespace, space, ambient);
    }

    fn block(&mut self, namespace: &TSNamespaceDeclaration<'_>, space: SpaceId, ambient: bool) {
        let Some(block) = namespace.scope_id.get() else { return };
        self.merged.by_block.insert(block, space);
        let ambient = ambient || namespace.declare;
        match &namespace.body {
            TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => self.exported(inner, space, block, ambient),
            TSNamespaceDeclarationBody::TSModuleBlock(body) => {
                for statement in &body.body {
                    match statement {
                        Statement::ExportDeclaration(export) => {
                            self.declaration(&export.declaration, space, block, ambient);
                        }
                        Statement::TSNamespaceDeclaration(inner) if !ambient => self.local(inner, false),
                        // All that is merely declared is exported.
                        _ if ambient => {
                            if let Some(declaration) = statement.as_declaration() {
                                self.declaration(declaration, space, block, true);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn declaration(&mut self, declaration: &Declaration<'_>, space: SpaceId, block: ScopeId, ambient: bool) {
        let declared = !ambient && declaration.declare();
        let mut export = |id: &BindingIdentifier<'_>, kind: fn(Exported) -> Exported| {
            if let Some(symbol) = id.symbol_id.get() {
                self.export(space, block, id, kind(Exported::value(block, symbol, true)));
                if declared {
                    self.merged.ambient.insert(symbol);
                }
            }
        };
        match declaration {
            Declaration::VariableDeclaration(variables) => {
                for declarator in &variables.declarations {
                    declarator.id.get_binding_identifiers().into_iter().for_each(|id| export(id, |value| value));
                }
            }
            Declaration::FunctionDeclaration(function) => {
                function.id.iter().for_each(|id| export(id, |value| value));
            }
            Declaration::ClassDeclaration(class) => {
                class.id.iter().for_each(|id| export(id, |class| Exported { is_type: true, ..class }));
            }
            Declaration::TSEnumDeclaration(it) => {
                export(&it.id, |value| Exported { is_type: true, is_enum: true, ..value });
            }
            // What it stands for may be both.
            Declaration::TSImportEqualsDeclaration(import) => {
                export(&import.id, |value| Exported { is_type: true, ..value });
            }
            Declaration::TSNamespaceDeclaration(inner) => self.exported(inner, space, block, ambient),
            _ => {}
        }
    }

    fn export(&mut self, space: SpaceId, block: ScopeId, id: &BindingIdentifier<'_>, exported: Exported) {
        debug_assert!(exported.block == block, "a block exports what is declared in it");
        self.merged.spaces[space].exports.entry(id.name.to_string()).or_default().push(exported);
    }
}

impl Exported {
    fn value(block: ScopeId, symbol: SymbolId, is_value: bool) -> Self {
        Self { block, symbol, is_value, is_type: false, is_enum: false }
    }
}
