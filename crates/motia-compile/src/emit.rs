//! From a lowered file and its links to the module that Node runs.

mod commonjs;
mod esm;
mod needs;
mod rewrite;

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions};

use crate::diagnostic::Diagnostic;
use crate::facts::Format;
use crate::graph::{File, guard};
use crate::layout::file_url;
use crate::links::Links;

/// A compiled file.
pub(crate) struct Emitted {
    pub(crate) code: String,
    /// Its source map, which lies beside it.
    pub(crate) map: String,
}

/// Where everything is that a compiled file has to name.
struct Place<'a> {
    source: &'a Path,
    /// Where the file will lie in its generation.
    output: &'a str,
    /// The SDK's module of that name.
    interop: &'a Path,
}

/// Writes `file` out. `output` is where it will lie in its generation, `interop` the SDK's module of that name.
pub(crate) fn emit(file: &File, links: &Links, output: &str, interop: &Path) -> Result<Emitted, Box<Diagnostic>> {
    guard(&file.name, || {
        let allocator = Allocator::default();
        let lowered = file.lower(&allocator)?;
        let mut program = lowered.program;
        let place = Place { source: &file.path, output, interop };
        match file.format() {
            Format::Esm => esm::rewrite(&allocator, &mut program, &lowered.scoping, links, &place),
            Format::CommonJs => commonjs::rewrite(&allocator, &mut program, &lowered.scoping, links, &place),
        }
        let options = CodegenOptions {
            comments: CommentOptions::disabled(),
            source_map_path: Some(file_url(&file.path).into()),
            ..CodegenOptions::default()
        };
        let printed = Codegen::new().with_options(options).build(&program);
        let map = printed.map.map(|mut map| {
            // The source itself is on disk.
            map.set_source_contents(Vec::new());
            map.to_json_string()
        });
        let name = output.rsplit('/').next().unwrap_or(output);
        let code = format!("{}//# sourceMappingURL={}.map\n", printed.code, crate::layout::percent_encode(name));
        Ok(Emitted { code, map: map.unwrap_or_default() })
    })
}
