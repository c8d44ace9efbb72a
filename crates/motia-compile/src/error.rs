//! What stops a compile as a whole. What is wrong with one file is a [`Diagnostic`](crate::Diagnostic) instead.

use std::io;
use std::path::{Path, PathBuf};

/// Nothing could be compiled, discovered or watched. The messages hold the causes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The project's root is missing or cannot be read.
    #[error("cannot open the project folder {}: {cause}; check the path and its permissions", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The compiled output cannot be written.
    #[error("cannot write compiled files to {}: {cause}; make sure that this folder is writable and its disk has space", path.display())]
    Output {
        /// The file or folder that was being written.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The system refuses to watch the project's files.
    #[error("cannot watch {} for changes: {cause}", path.display())]
    Watch {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: notify::Error,
    },
}

/// Names the path in an error about the compiled output.
pub(crate) fn output(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |cause| Error::Output { path: path.to_path_buf(), cause }
}
