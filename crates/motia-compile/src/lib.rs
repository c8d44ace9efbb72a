//! Discovery of step files, the TypeScript and JavaScript project compiler, and file watching.
//!
//! Compiling goes through these in turn:
//!
//! | module | what it does |
//! |---|---|
//! | [`discovery`](discover) | finds steps, streams and the configuration |
//! | `graph` | reads files from the entries on, and follows their specifiers |
//! | `lower` | parses a file and takes its types away (oxc) |
//! | `analyze`, `loaders` → `facts` | what a file is, imports and exports; kept as long as its text stays the same |
//! | `resolve`, `tsconfig`, `sdk` | what a specifier stands for |
//! | `missing` | why it stands for nothing |
//! | `pattern`, `modules` | what a computed one may stand for, and the list that answers when it runs |
//! | `names` | which exported names are values, and which only types |
//! | `link` → `links` | what each specifier of a file becomes |
//! | `check` | what Node would refuse of `require` |
//! | `build` | which entries can be compiled, and what files that takes |
//! | `emit` | a lowered file and its links become the module that Node runs |
//! | `shim`, `helpers`, `surface` | generated modules, for names that Node cannot see |
//! | [`generation`](Generation) | compiled files on disk, shared and locked |
//!
//! What interpreters run as it is (Python, Ruby) is only copied: [`Snapshots`].
//!
//! The first half depends on texts and paths alone, and `facts` and `links` are plain data: together with the text of
//! a file they decide every byte of its output, so a hash of them tells what has to be written again.
//!
//! ```no_run
//! use motia_compile::{Compiler, Config, SdkModules, discover};
//!
//! # fn run(sdk: SdkModules) -> Result<(), motia_compile::Error> {
//! let root = std::path::Path::new("my-project");
//! let discovery = discover(root)?;
//! let mut compiler = Compiler::new(Config { root: root.into(), motia_dir: root.join(".motia"), sdk });
//! let generation = compiler.compile(&discovery.files)?;
//! for (entry, module) in &generation.modules {
//!     println!("{entry} runs as {}", module.display());
//! }
//! for (_, diagnostic) in &generation.failed {
//!     eprintln!("{}", diagnostic.render(true));
//! }
//! # Ok(())
//! # }
//! ```

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
mod installing;
mod layout;
mod link;
mod links;
mod loaders;
mod lower;
mod missing;
mod modules;
mod names;
mod nesting;
mod parallel;
mod pattern;
mod resolve;
mod scratch;
mod sdk;
mod shim;
mod snapshots;
mod surface;
mod tsconfig;
mod watch;

pub use compiler::{Compiler, Config, Generation};
pub use diagnostic::{Diagnostic, ExcerptLine, Location};
pub use discovery::{
    CONFIG_NAMES, Discovery, DiscoveryWarning, FileKind, SOURCE_FOLDERS, SourceFile, classify, discover,
};
pub use error::Error;
pub use generation::GenerationHash;
pub use sdk::SdkModules;
pub use snapshots::{Snapshot, Snapshots};
pub use watch::{Changes, Watcher};
