//! Discovery of step files and the TypeScript/JavaScript project compiler.
mod analyze;
mod build;
mod check;
mod compiler;
mod diagnostic;
mod discovery;
mod emit;
mod error;
mod facts;
mod generation;
mod graph;
mod helpers;
mod layout;
mod link;
mod links;
mod lower;
mod names;
mod parallel;
mod resolve;
mod sdk;
mod shim;
mod surface;
mod tsconfig;

pub use compiler::{Compiler, Config, Generation};
pub use diagnostic::{Diagnostic, ExcerptLine, Location};
pub use discovery::{
    CONFIG_NAMES, Discovery, DiscoveryWarning, FileKind, SOURCE_FOLDERS, SourceFile, classify, discover,
};
pub use error::Error;
pub use generation::GenerationHash;
pub use sdk::SdkModules;
